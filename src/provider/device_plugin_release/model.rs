//! From the resource's attributes to the chart's values, and (`import`) back.
//!
//! The attributes are named as the chart's values in snake case, so both ways follow the schema; what does not is
//! named here: sharing, where GPU feature discovery's options stand, and blocks whose being empty has a meaning.

pub(super) mod import;

use std::sync::LazyLock;

use plugin::{Attribute, Field, Kind, Nesting, Value};
use serde_json::{Map, Value as Json, json};

pub use self::import::{Left, through_attributes};

use super::{
    config_file::{self, Sharing, Strategy},
    schema::chart,
    versions::{Chart, Trait},
};

static ATTRIBUTES: LazyLock<Vec<Attribute>> = LazyLock::new(|| {
    // `time_slicing` is no value of the chart's.
    chart::attributes().into_iter().filter(|attribute| attribute.name != "time_slicing").collect()
});

/// The attributes that stand for values of the chart.
pub(super) fn attributes() -> &'static [Attribute] {
    &ATTRIBUTES
}

/// Blocks of `mps` that write the configuration file.
const SHARING: [&str; 2] = ["resources", "rename_by_default"];

/// The key of an attribute in the chart's values or in a Kubernetes object.
pub(super) fn key(name: &str) -> String {
    match name {
        "compat_with_cpu_manager" => return "compatWithCPUManager".to_owned(),
        "device_id_strategy" => return "deviceIDStrategy".to_owned(),
        "enable_host_pid" => return "enableHostPID".to_owned(),
        _ => {}
    }
    let mut parts = name.split('_');
    let mut key = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let mut letters = part.chars();
        key.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        key.push_str(letters.as_str());
    }
    key
}

/// Blocks of which an empty one takes the chart's default away.
fn clears(name: &str) -> bool {
    matches!(name, "affinity" | "node_affinity" | "required_during_scheduling_ignored_during_execution")
}

/// Blocks that have no default, and that the chart writes even if they are empty.
fn stays_empty(name: &str) -> bool {
    matches!(name, "pod_affinity" | "pod_anti_affinity")
}

/// A part of the configuration is known only after apply.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unknown;

/// The values that an object sets, as a user of helm would write them. Unknown while any part of them is.
pub(super) fn user_values(chart: Chart, object: &Value) -> Result<Json, Unknown> {
    let mut values = Map::new();
    for attribute in attributes() {
        if let Some(value) = to_json(attribute, object.get(attribute.name))? {
            values.insert(key(attribute.name), value);
        }
    }
    if let Some(Json::Object(mps)) = values.get_mut("mps") {
        for name in SHARING {
            mps.remove(&key(name));
        }
        if mps.is_empty() {
            values.remove("mps");
        }
    }
    if is_empty_block(object.get("gfd").get("security_context")) {
        // The chart's default has this one field; taking it away leaves what the MIG strategy needs.
        values.entry("gfd").or_insert_with(|| json!({}))["securityContext"] = json!({ "privileged": null });
    }
    if chart.has(Trait::ControlDaemon) {
        lift_discovery_options(&mut values);
    }
    if let Some(sharing) = sharing(object)? {
        let config = values.entry("config").or_insert_with(|| json!({}));
        config["map"] = json!({ config_file::NAME: sharing.text() });
    }
    Ok(Json::Object(values))
}

/// From 0.15.0 on the chart reads these two at the top, whatever its values say.
const LIFTED: [&str; 2] = ["noTimestamp", "sleepInterval"];

fn lift_discovery_options(values: &mut Map<String, Json>) {
    let Some(Json::Object(mut gfd)) = values.remove("gfd") else { return };
    for key in LIFTED {
        if let Some(value) = gfd.remove(key) {
            values.insert(key.to_owned(), value);
        }
    }
    if !gfd.is_empty() {
        values.insert("gfd".to_owned(), Json::Object(gfd));
    }
}

/// What `time_slicing` or `mps.resources` asks for; time slicing where both do, which [`super::check`] refuses.
pub(super) fn sharing(object: &Value) -> Result<Option<Sharing>, Unknown> {
    let slicing = object.get("time_slicing");
    let (strategy, block) = match slicing {
        Value::Unknown(_) => return Err(Unknown),
        Value::Null => (Strategy::Mps, object.get("mps")),
        given => (Strategy::TimeSlicing, given),
    };
    let resources = match block.get("resources").items() {
        Field::Unknown => return Err(Unknown),
        Field::Null => return Ok(None),
        Field::Known(items) => items.iter().map(shared_resource).collect::<Result<Vec<_>, _>>()?,
    };
    Ok(Some(Sharing {
        strategy,
        rename_by_default: flag(block.get("rename_by_default"))?,
        fail_requests_greater_than_one: flag(block.get("fail_requests_greater_than_one"))?,
        resources,
    }))
}

fn shared_resource(item: &Value) -> Result<(String, i64), Unknown> {
    match (item.get("name").string(), item.get("replicas").integer()) {
        (Field::Known(name), Field::Known(replicas)) => Ok((name.to_owned(), replicas)),
        _ => Err(Unknown),
    }
}

fn flag(value: &Value) -> Result<Option<bool>, Unknown> {
    match value.boolean() {
        Field::Unknown => Err(Unknown),
        Field::Null => Ok(None),
        Field::Known(value) => Ok(Some(value)),
    }
}

fn to_json(attribute: &Attribute, value: &Value) -> Result<Option<Json>, Unknown> {
    if value.is_null() {
        return Ok(None);
    }
    if value.is_unknown() {
        return Err(Unknown);
    }
    match &attribute.kind {
        Kind::Plain(_) => plain(attribute.name, value).map(Some),
        Kind::Nested(Nesting::List, attributes) => {
            let Field::Known(items) = value.items() else { return Ok(None) };
            let items = items.iter().map(|item| block(attributes, item).map(Json::Object));
            items.collect::<Result<Vec<_>, _>>().map(|items| Some(Json::Array(items)))
        }
        Kind::Nested(_, attributes) => {
            let entries = block(attributes, value)?;
            Ok(match (entries.is_empty(), attribute.name) {
                (false, _) => Some(Json::Object(entries)),
                (true, name) if clears(name) => Some(Json::Null),
                (true, name) if stays_empty(name) => Some(json!({})),
                (true, _) => None,
            })
        }
    }
}

fn block(attributes: &[Attribute], value: &Value) -> Result<Map<String, Json>, Unknown> {
    if value.is_unknown() {
        return Err(Unknown);
    }
    let mut entries = Map::new();
    for attribute in attributes {
        if let Some(value) = to_json(attribute, value.get(attribute.name))? {
            entries.insert(key(attribute.name), value);
        }
    }
    Ok(entries)
}

fn is_empty_block(value: &Value) -> bool {
    matches!(value, Value::Object(entries) if entries.values().all(Value::is_null))
}

fn plain(name: &str, value: &Value) -> Result<Json, Unknown> {
    Ok(match value {
        Value::Unknown(_) => return Err(Unknown),
        Value::Null => Json::Null,
        Value::Bool(value) => json!(value),
        Value::Number(number) => serde_json::from_str(&number.to_string()).unwrap_or(Json::Null),
        Value::String(text) => number_or_text(name, text),
        Value::List(items) | Value::Set(items) | Value::Tuple(items) => {
            Json::Array(items.iter().map(|item| plain(name, item)).collect::<Result<_, _>>()?)
        }
        Value::Map(entries) | Value::Object(entries) => Json::Object(
            entries.iter().map(|(key, value)| Ok((key.clone(), plain(name, value)?))).collect::<Result<_, _>>()?,
        ),
        Value::Dynamic(_, value) => plain(name, value)?,
    })
}

/// Kubernetes takes a number of pods as a number and a share of them as text.
fn number_or_text(name: &str, text: &str) -> Json {
    match text.parse::<u32>() {
        Ok(number) if matches!(name, "max_unavailable" | "max_surge") => json!(number),
        _ => json!(text),
    }
}

#[cfg(test)]
mod tests;
