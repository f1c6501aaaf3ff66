//! What the cluster has reported about an object, as `kubectl describe` shows it.

use serde_json::Value;

use super::{Cluster, Limits, Selection};
use crate::error::Error;
use crate::object::{Kind, Object, ObjectRef};

/// One report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Whether it is a warning.
    pub warning: bool,
    /// `FailedCreate`.
    pub reason: String,
    /// In words.
    pub message: String,
    /// How often it was reported.
    pub count: u64,
    /// When it was last reported (RFC 3339); empty where that is not known.
    pub last_seen: String,
    /// Who reported it: `daemonset-controller`.
    pub source: String,
    /// What it is about: `Pod nvidia-device-plugin-p2w8h`.
    pub about: String,
}

impl Event {
    fn of(object: &Object) -> Self {
        let text = |pointer: &str| object.at(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let first =
            |pointers: &[&str]| pointers.iter().map(|at| text(at)).find(|text| !text.is_empty()).unwrap_or_default();
        let count = |pointer: &str| object.at(pointer).and_then(Value::as_u64);
        Self {
            warning: text("/type") == "Warning",
            reason: text("/reason"),
            message: text("/message"),
            count: count("/series/count").or_else(|| count("/count")).unwrap_or(1),
            last_seen: first(&[
                "/series/lastObservedTime",
                "/lastTimestamp",
                "/eventTime",
                "/metadata/creationTimestamp",
            ]),
            source: first(&["/reportingComponent", "/source/component"]),
            about: format!("{} {}", text("/involvedObject/kind"), text("/involvedObject/name")),
        }
    }
}

impl Cluster {
    /// The events about an object, the last one last. With a `uid` those about another object that had its name are left
    /// out.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub async fn events(&self, about: &ObjectRef, uid: Option<&str>, limits: &Limits) -> Result<Vec<Event>, Error> {
        let mut fields = format!("involvedObject.kind={},involvedObject.name={}", about.kind.kind, about.name);
        if let Some(uid) = uid {
            fields.push_str(&format!(",involvedObject.uid={uid}"));
        }
        // Events about objects of the whole cluster stand in the namespace `default`.
        let namespace = about.namespace.as_deref().unwrap_or("default");
        self.events_of(&Selection::all(Kind::EVENT, Some(namespace)).with_fields(&fields), limits).await
    }

    /// The events of a selection, the last one last.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub async fn events_of(&self, selection: &Selection, limits: &Limits) -> Result<Vec<Event>, Error> {
        let listed = self.list(selection, limits).await?;
        let mut events: Vec<Event> = listed.items.iter().map(Event::of).collect();
        events.sort_by(|a, b| a.last_seen.cmp(&b.last_seen));
        Ok(events)
    }
}
