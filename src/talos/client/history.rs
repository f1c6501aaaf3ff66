//! What a node's machine configuration was a moment ago.
//!
//! The state server keeps the last events of each kind, and a watch may ask for some of them. So when somebody wrote
//! between our read and our write, what they wrote can still be had and is not lost.

use prost::Message;
use tonic::Status;

use super::Node;
use super::call::Call;
use super::state::{CONFIG_NAMESPACE, CONFIG_TYPE, ConfigId, MachineConfig, service, updated, version};
use crate::error::{Error, Role};
use crate::proto::config::MachineConfigSpec;
use crate::proto::cosi::{self, EventType, WatchOptions, WatchRequest};

impl Node {
    /// The active configurations after version `after` up to version `until`, oldest first.
    ///
    /// # Errors
    /// [`crate::ErrorKind::NotFound`] when the node no longer remembers all of them, and any kind of a read.
    pub async fn config_history(&self, after: u64, until: u64) -> Result<Vec<MachineConfig>, Error> {
        let wanted = until.saturating_sub(after);
        let call = Call::read("Watch", "the machine configuration's history", Role::Admin);
        let send = |channel| async move {
            let request = WatchRequest {
                namespace: CONFIG_NAMESPACE.to_owned(),
                r#type: CONFIG_TYPE.to_owned(),
                id: Some(ConfigId::Active.id().to_owned()),
                options: Some(WatchOptions {
                    tail_events: i32::try_from(wanted).unwrap_or(i32::MAX),
                    ..WatchOptions::default()
                }),
                api_version: 1,
            };
            let mut responses = service(channel).watch(request).await?.into_inner();
            let mut found: Vec<cosi::Resource> = Vec::new();
            // The events of the tail come before anything else, and the last of them is the newest.
            while let Some(response) = responses.message().await? {
                for event in response.event {
                    let is_value = matches!(event.event_type(), EventType::Created | EventType::Updated);
                    found.extend(event.resource.filter(|_| is_value));
                }
                if found.iter().any(|resource| resource.metadata.as_ref().is_some_and(|m| version(m) >= until)) {
                    return Ok(found);
                }
            }
            Err(Status::unavailable("the node ended the watch"))
        };
        let answer = self.answer(call, send).await?;
        let mut history = Vec::new();
        for resource in answer.value {
            let metadata = resource.metadata.unwrap_or_default();
            let spec = resource.spec.unwrap_or_default();
            let decoded = MachineConfigSpec::decode(&*spec.proto_spec)
                .map_err(|error| answer.line.malformed(error.to_string()))?;
            let config = MachineConfig {
                bytes: decoded.yaml_marshalled.into(),
                version: version(&metadata),
                updated: updated(&metadata),
            };
            if config.version > after && config.version <= until {
                history.push(config);
            }
        }
        if u64::try_from(history.len()).is_ok_and(|n| n == wanted) {
            Ok(history)
        } else {
            Err(answer.line.error(&Status::not_found("the node no longer remembers all of the changes")))
        }
    }
}
