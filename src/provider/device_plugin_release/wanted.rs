//! What an object of the resource wants: the release, its values and its objects. Pure.

use plugin::{Timeouts, Value};
use serde_json::Value as Json;

use super::{
    manifest, model, render, schema,
    values::{Release, Values},
    versions::Chart,
};

/// A release as its attributes say it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wanted {
    pub(super) chart: Chart,
    pub(super) release: Release,
    /// As a user of helm would give them.
    pub(super) values: Json,
    /// As helm renders them, in the order in which they are applied.
    pub(super) objects: Vec<Json>,
}

impl Wanted {
    /// `None` while part of it is unknown, and for a version that is not known here.
    pub(super) fn of(object: &Value) -> Option<Self> {
        let chart = Chart::find(object.get("version").string().known()?)?;
        let release = release(object)?;
        let values = model::user_values(chart, object).ok()?;
        let objects = render(chart, &release, &Values::over_defaults(chart, &values).ok()?);
        Some(Self { chart, release, values, objects })
    }

    /// Whether an object has the same version and values. Nothing is rendered for it.
    pub(super) fn has_values_of(&self, object: &Value) -> bool {
        object.get("version").string().known().and_then(Chart::find) == Some(self.chart)
            && model::user_values(self.chart, object).as_ref() == Ok(&self.values)
    }

    /// What is owned of its objects.
    pub(super) fn owned(&self) -> Vec<Json> {
        self.objects.iter().map(manifest::owned).collect()
    }

    /// The attribute `manifest`.
    pub(super) fn manifest(&self) -> Value {
        manifest_value(&self.objects)
    }
}

/// The attribute `manifest` of objects.
pub(super) fn manifest_value(objects: &[Json]) -> Value {
    Value::map(manifest::manifest(objects).into_iter().map(|(key, json)| (key, Value::from(json))))
}

/// Which release an object is; `None` while its name is unknown.
pub(super) fn release(object: &Value) -> Option<Release> {
    let text = |name: &str| object.get(name).string().known().map(ToOwned::to_owned);
    Some(Release { name: text("name")?, namespace: text("namespace")? })
}

pub(super) fn timeouts(object: &Value) -> Timeouts {
    Timeouts::from(object.get("timeouts"), schema::TIMEOUTS)
}

/// What an apply waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WaitFor {
    Nothing,
    Pods,
    Gpus,
}

/// How a release is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Manner {
    pub(super) writes_record: bool,
    pub(super) creates_namespace: bool,
    pub(super) wait_for: WaitFor,
    /// Nodes on which the plugin must be ready.
    pub(super) least: u64,
}

impl Manner {
    pub(super) fn of(object: &Value) -> Self {
        let flag = |name: &str| object.get(name).boolean().known().unwrap_or(true);
        Self {
            writes_record: flag("helm_release_record"),
            creates_namespace: flag("create_namespace"),
            wait_for: match object.get("wait_for").string().known() {
                Some("none") => WaitFor::Nothing,
                Some("gpus") => WaitFor::Gpus,
                _ => WaitFor::Pods,
            },
            least: object.get("min_ready_nodes").integer().known().and_then(|n| u64::try_from(n).ok()).unwrap_or(1),
        }
    }
}
