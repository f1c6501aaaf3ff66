//! The calls of the COSI state service: resources by id and by kind.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prost::Message;
use tonic::{Status, Streaming};

use super::Node;
use super::call::{Call, Line, MESSAGE_LIMIT};
use super::transport::Channel;
use crate::error::{Error, ErrorKind, Role};
use crate::proto::config::MachineConfigSpec;
use crate::proto::cosi::state_client::StateClient;
use crate::proto::cosi::{self, GetRequest, ListRequest};
use crate::resource::{Found, Resource};
use crate::secret::ConfigBytes;

pub(super) const CONFIG_NAMESPACE: &str = "config";
pub(super) const CONFIG_TYPE: &str = "MachineConfigs.config.talos.dev";

/// Resources about resources: which kinds there are.
const META_NAMESPACE: &str = "meta";
const DEFINITION_TYPE: &str = "ResourceDefinitions.meta.cosi.dev";

/// Which machine configuration of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigId {
    /// The one that the node runs with.
    Active,
    /// The one that it will boot with, where that was written since the boot. Talos 1.10 and newer.
    Persistent,
}

impl ConfigId {
    pub(super) const fn id(self) -> &'static str {
        match self {
            Self::Active => "v1alpha1",
            Self::Persistent => "persistent",
        }
    }
}

/// A machine configuration as a node has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineConfig {
    /// The bytes as they were submitted last, comments included.
    pub bytes: ConfigBytes,
    /// Grows by one with every apply, even of the same bytes; starts anew at every boot.
    pub version: u64,
    /// The last apply.
    pub updated: SystemTime,
}

impl Node {
    /// Reads a machine configuration, or nothing if there is none of that kind: `persistent` is absent until a
    /// configuration is applied, and always up to Talos 1.9.
    ///
    /// # Errors
    /// [`ErrorKind::Permission`] for anybody but an admin.
    pub async fn machine_config(&self, id: ConfigId) -> Result<Option<MachineConfig>, Error> {
        let Some((resource, line)) = self.resource(CONFIG_NAMESPACE, CONFIG_TYPE, id.id(), Role::Admin).await? else {
            return Ok(None);
        };
        let metadata = resource.metadata.unwrap_or_default();
        let spec = resource.spec.unwrap_or_default();
        let decoded =
            MachineConfigSpec::decode(&*spec.proto_spec).map_err(|error| line.malformed(error.to_string()))?;
        Ok(Some(MachineConfig {
            bytes: decoded.yaml_marshalled.into(),
            version: version(&metadata),
            updated: updated(&metadata),
        }))
    }

    /// Reads one resource, or nothing if it is not there.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] where the node's Talos has no such kind.
    pub async fn get<R: Resource>(&self, id: &str) -> Result<Option<Found<R>>, Error> {
        match self.resource(R::NAMESPACE, R::TYPE, id, R::NEEDS).await? {
            Some((resource, line)) => found(resource, &line).map(Some),
            None => Ok(None),
        }
    }

    /// Reads all resources of a kind.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] where the node's Talos has no such kind.
    pub async fn list<R: Resource>(&self) -> Result<Vec<Found<R>>, Error> {
        let call = Call::read("List", R::TYPE, R::NEEDS);
        let send = |channel| {
            let request = ListRequest { namespace: R::NAMESPACE.to_owned(), r#type: R::TYPE.to_owned() };
            async move { resources(service(channel).list(request).await?.into_inner()).await }
        };
        let answer = self.answer(call, send).await?;
        answer.value.into_iter().map(|resource| found(resource, &answer.line)).collect()
    }

    /// Whether the node's Talos has resources of that kind at all.
    ///
    /// # Errors
    /// Any kind of a read.
    pub async fn is_supported<R: Resource>(&self) -> Result<bool, Error> {
        let id = R::TYPE.to_lowercase();
        Ok(self.resource(META_NAMESPACE, DEFINITION_TYPE, &id, Role::Reader).await?.is_some())
    }

    async fn resource(
        &self,
        namespace: &'static str,
        kind: &'static str,
        id: &str,
        needs: Role,
    ) -> Result<Option<(cosi::Resource, Line)>, Error> {
        let call = Call::read("Get", format!("{kind} {id}"), needs);
        let send = |channel| {
            let request = GetRequest { namespace: namespace.to_owned(), r#type: kind.to_owned(), id: id.to_owned() };
            async move { service(channel).get(request).await }
        };
        match self.answer(call, send).await {
            Ok(answer) => match answer.value.into_inner().resource {
                Some(resource) => Ok(Some((resource, answer.line))),
                None => Err(answer.line.malformed("it holds no resource")),
            },
            Err(error) if matches!(error.kind(), ErrorKind::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

pub(super) fn service(channel: Channel) -> StateClient<Channel> {
    StateClient::new(channel).max_decoding_message_size(MESSAGE_LIMIT)
}

async fn resources(mut stream: Streaming<cosi::ListResponse>) -> Result<Vec<cosi::Resource>, Status> {
    let mut resources = Vec::new();
    while let Some(response) = stream.message().await? {
        resources.extend(response.resource);
    }
    Ok(resources)
}

pub(super) fn found<R: Resource>(resource: cosi::Resource, line: &Line) -> Result<Found<R>, Error> {
    let metadata = resource.metadata.unwrap_or_default();
    let spec = resource.spec.unwrap_or_default();
    let spec = R::decode(&spec.proto_spec).map_err(|reason| line.malformed(reason))?;
    Ok(Found { version: version(&metadata), updated: updated(&metadata), id: metadata.id, spec })
}

/// A decimal number; `undefined`, which nothing that exists has, counts as 0.
pub(super) fn version(metadata: &cosi::Metadata) -> u64 {
    metadata.version.parse().unwrap_or(0)
}

pub(super) fn updated(metadata: &cosi::Metadata) -> SystemTime {
    let Some(stamp) = &metadata.updated else { return UNIX_EPOCH };
    let seconds = Duration::from_secs(u64::try_from(stamp.seconds).unwrap_or(0));
    UNIX_EPOCH + seconds + Duration::from_nanos(u64::try_from(stamp.nanos).unwrap_or(0))
}
