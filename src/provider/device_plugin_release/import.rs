//! Import of a release by its newest record: the chart's version, the values as attributes, the objects as ours.

use kubernetes::{Object, drift, names};
use plugin::{Applied, Context, Diagnostics, Imported, Value};
use serde_json::Value as Json;

use super::{
    manifest,
    memory::Memory,
    model::{self, Left},
    record::{CHART_NAME, Record},
    records::Records,
    schema,
    values::Release,
    versions::Chart,
    wanted::Wanted,
};
use crate::{
    clusters::{Clusters, refresh_limits},
    texts::device_plugin_release::engine::{self as texts, Say},
};

pub(super) async fn import(
    clusters: &Clusters,
    context: &Context,
    id: &str,
    diagnostics: &mut Diagnostics,
) -> Option<Imported> {
    let Some(release) = release(id) else {
        texts::invalid_import_id(id, diagnostics);
        return None;
    };
    let mut say = Say::new(&release, diagnostics);
    let cluster = clusters.cluster().map_err(|why| say.no_cluster(&why)).ok()?;
    let span = schema::TIMEOUTS.read;
    let records = match Records::read(&cluster, &release, &refresh_limits(span, context)).await {
        Ok(records) => records,
        Err(why) => {
            say.no_records(&why, "Reading", span);
            return None;
        }
    };
    let Some(record) = records.history.deployed().or_else(|| records.history.latest()) else {
        say.nothing_to_import(cluster.server());
        return None;
    };
    if record.chart_name() != CHART_NAME {
        say.another_chart(record.chart_name(), record.chart_version());
        return None;
    }
    if !clusters.claim_import(say.place()) {
        say.imported_twice();
        return None;
    }
    let (mut state, mut memory) = (blank(&release), Memory::default());
    for (path, left) in adopt(&mut state, &mut memory, record) {
        say.value_is_left(&path, &left);
    }
    Some(Applied { state, private: memory.to_private() })
}

/// `namespace/name`.
fn release(id: &str) -> Option<Release> {
    let (namespace, name) = id.split_once('/')?;
    let is_name = |name: &str| names::subdomain(name).is_ok();
    (is_name(namespace) && is_name(name)).then(|| Release { name: name.into(), namespace: namespace.into() })
}

/// Takes a revision for what was last applied: version and values into the attributes, the objects into the memory.
/// Returns the values that no attribute gives.
pub(super) fn adopt(state: &mut Value, memory: &mut Memory, record: &Record) -> Vec<(String, Left)> {
    let mut left = Vec::new();
    for name in ["version", "app_version"] {
        state.set(name, Value::from(record.chart_version()));
    }
    if let Some(chart) = Chart::find(record.chart_version()) {
        let (attributes, passed_over) = model::import::attributes_of(chart, &record.values());
        if let Value::Object(attributes) = attributes {
            for (name, value) in attributes {
                state.set(&name, value);
            }
        }
        left = passed_over;
    }
    if let Ok(objects) = record.objects() {
        if !objects.iter().any(is_of_nfd) {
            left.retain(|(_, why)| *why != Left::NodeFeatureDiscovery);
        }
        memory.objects = in_todays_words(objects.iter().map(manifest::owned).collect(), Wanted::of(state));
    }
    memory.revision = Some(record.number());
    memory.unfinished = false;
    left
}

/// Whether an object is of the chart of NFD. A release that this resource made has none, although its values, to helm, would
/// bring them in.
fn is_of_nfd(object: &Json) -> bool {
    object.pointer("/metadata/labels/app.kubernetes.io~1name").and_then(Json::as_str) == Some("node-feature-discovery")
}

/// Objects as we would render them where that means the same, so that they compare as text.
fn in_todays_words(objects: Vec<Json>, wanted: Option<Wanted>) -> Vec<Json> {
    let rendered = wanted.map(|wanted| wanted.owned()).unwrap_or_default();
    let same = |a: &Json, b: &Json| {
        let (Ok(a), Ok(b)) = (Object::new(a.clone()), Object::new(b.clone())) else { return false };
        drift::differences(&a, &b).is_empty() && drift::differences(&b, &a).is_empty()
    };
    let today = |object: Json| {
        let key = manifest::Key::of(&object);
        let today = rendered.iter().find(|today| manifest::Key::of(today) == key && same(today, &object));
        today.cloned().unwrap_or(object)
    };
    objects.into_iter().map(today).collect()
}

/// An object with every attribute that a configuration may leave out at its default.
fn blank(release: &Release) -> Value {
    let defaults = schema::schema().attributes.into_iter().map(|a| (a.name, a.default.unwrap_or(Value::Null)));
    let mut object = Value::object(defaults);
    object.set("name", Value::from(release.name.as_str()));
    object.set("namespace", Value::from(release.namespace.as_str()));
    object.set("id", Value::from(format!("{}/{}", release.namespace, release.name)));
    object
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::record::{Revision, Status};
    use super::*;

    #[test]
    fn what_the_next_apply_takes_away_is_named_and_only_that() {
        let release = Release { name: "r".into(), namespace: "n".into() };
        let left = |object: Json| {
            let record = Record::new(&Revision {
                chart: Chart::newest(),
                release: &release,
                number: 1,
                values: &json!({"gfd": {"enabled": true}}),
                objects: &[object],
                first_deployed: None,
                status: Status::Deployed,
                description: "",
                now: 0,
            });
            adopt(&mut blank(&release), &mut Memory::default(), &record)
        };
        let object = |name: &str| {
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a", "namespace": "n",
                "labels": {"app.kubernetes.io/name": name}}})
        };
        assert_eq!(left(object("nvidia-device-plugin")), []);
        let nfd = ("nfd".to_owned(), Left::NodeFeatureDiscovery);
        assert_eq!(left(object("node-feature-discovery")), [nfd]);
    }
}
