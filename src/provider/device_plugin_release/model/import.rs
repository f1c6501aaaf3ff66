//! From the values of a release that helm made to the resource's attributes, with what no attribute gives by name.

use plugin::{Attribute, Field, Kind, Nesting, Number, Type, Value};
use serde_json::{Map, Value as Json, json};

use super::{SHARING, attributes, clears, is_empty_block, key, stays_empty, user_values};
use crate::device_plugin_release::{
    config_file::{self, Sharing, Strategy},
    schema::chart,
    versions::{Chart, Trait},
};

/// Why a value of a release that helm made is not in the attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Left {
    /// No attribute stands for it.
    NoAttribute,
    /// The chart passes over it in this version.
    NoEffect,
    /// It belongs to NFD, which this resource does not manage.
    NodeFeatureDiscovery,
}

/// The attributes that give a release's values, and the values that none gives, by their path in the chart.
pub(in crate::device_plugin_release) fn attributes_of(chart: Chart, user: &Json) -> (Value, Vec<(String, Left)>) {
    let mut reader = Reader { left: Vec::new() };
    let mut values = user.as_object().cloned().unwrap_or_default();
    reader.set_aside(chart, &mut values);
    let mut object: Vec<(String, Value)> = Vec::new();
    for attribute in attributes() {
        let value = values.remove(&key(attribute.name));
        object.push((attribute.name.to_owned(), reader.read(attribute, value.as_ref(), &key(attribute.name))));
    }
    reader.left.extend(values.into_iter().map(|(key, _)| (key, Left::NoAttribute)));
    let mut object = Value::object(object);
    object.set("time_slicing", Value::Null);
    sharing_of(&mut object);
    (object, reader.left)
}

/// Helm values read into the attributes and written as Helm values again, and the paths of those that no attribute
/// gives or that have no effect in this version. What an import and an unchanged configuration make of a release.
pub fn through_attributes(chart: Chart, user: &Json) -> (Json, Vec<(String, Left)>) {
    let (object, left) = attributes_of(chart, user);
    // What was read from values is known.
    (user_values(chart, &object).unwrap_or_default(), left)
}

struct Reader {
    left: Vec<(String, Left)>,
}

impl Reader {
    /// Takes out of the values what is not read by the schema, and puts what stands elsewhere in its place.
    fn set_aside(&mut self, chart: Chart, values: &mut Map<String, Json>) {
        let brings_features = values.get("nfd").and_then(|nfd| nfd.get("enabled")) != Some(&json!(false));
        let discovery_on = values.get("gfd").and_then(|gfd| gfd.get("enabled")) == Some(&json!(true));
        let nfd = values.remove("nfd");
        if brings_features && (nfd.is_some() || discovery_on) {
            self.left.push(("nfd".to_owned(), Left::NodeFeatureDiscovery));
        }
        if matches!(values.get("legacyDaemonsetAPI"), Some(Json::Null | Json::Bool(false))) {
            values.remove("legacyDaemonsetAPI");
        }
        for (path, _) in chart::LIMITED.iter().filter(|(_, wanted)| !chart.has(*wanted)) {
            self.drop(values, path);
        }
        if chart.has(Trait::ControlDaemon) {
            for name in ["no_timestamp", "sleep_interval"] {
                self.drop(values, &["gfd", name]);
                if let Some(value) = values.remove(&key(name)) {
                    values.entry("gfd").or_insert_with(|| json!({}))[key(name)] = value;
                }
            }
        } else {
            for name in ["no_timestamp", "sleep_interval"] {
                self.drop(values, &[name]);
            }
        }
    }

    /// Takes out a value without effect.
    fn drop(&mut self, values: &mut Map<String, Json>, path: &[&str]) {
        let keys: Vec<String> = path.iter().map(|name| key(name)).collect();
        let removed = match keys.as_slice() {
            [one] => values.remove(one),
            [outer, inner] => values.get_mut(outer).and_then(Json::as_object_mut).and_then(|block| block.remove(inner)),
            _ => None,
        };
        if removed.is_some_and(|value| !value.is_null()) {
            self.left.push((keys.join("."), Left::NoEffect));
        }
    }

    fn read(&mut self, attribute: &Attribute, json: Option<&Json>, path: &str) -> Value {
        match (&attribute.kind, json) {
            (_, None) => Value::Null,
            // Where the block has more, no attribute takes this one default away.
            (_, Some(Json::Null)) if path == "gfd.securityContext.privileged" => self.leave(path),
            (kind, Some(Json::Null)) => nothing(attribute.name, kind),
            (_, Some(Json::Number(_))) if attribute.name == "sleep_interval" => {
                // Helm's numbers are floats, and the chart takes whole numbers only.
                self.left.push((path.to_owned(), Left::NoEffect));
                Value::Null
            }
            (Kind::Plain(ty), Some(json)) => read_plain(ty, json).unwrap_or_else(|| self.leave(path)),
            (Kind::Nested(Nesting::List, attributes), Some(Json::Array(items))) => Value::List(
                items
                    .iter()
                    .enumerate()
                    .map(|(index, item)| self.read_block(attributes, item, &format!("{path}[{index}]")))
                    .collect(),
            ),
            (Kind::Nested(Nesting::Single, attributes), Some(json @ Json::Object(entries))) => {
                let taken_away = entries.len() == 1 && entries.get("privileged") == Some(&Json::Null);
                if taken_away {
                    return empty(attributes);
                }
                match self.read_block(attributes, json, path) {
                    // Helm merges an empty map with the default: it changes nothing.
                    block if is_empty_block(&block) && entries.is_empty() && !stays_empty(attribute.name) => {
                        Value::Null
                    }
                    block => block,
                }
            }
            (Kind::Nested(..), Some(_)) => self.leave(path),
        }
    }

    fn read_block(&mut self, attributes: &[Attribute], json: &Json, path: &str) -> Value {
        let mut entries = json.as_object().cloned().unwrap_or_default();
        let mut block = Vec::new();
        for attribute in attributes {
            // These two are ours: the chart's `mps` has no such keys.
            let is_ours = path == "mps" && SHARING.contains(&attribute.name);
            let value = if is_ours { None } else { entries.remove(&key(attribute.name)) };
            let at = format!("{path}.{}", key(attribute.name));
            block.push((attribute.name.to_owned(), self.read(attribute, value.as_ref(), &at)));
        }
        self.left.extend(entries.into_iter().map(|(key, _)| (format!("{path}.{key}"), Left::NoAttribute)));
        Value::object(block)
    }

    fn leave(&mut self, path: &str) -> Value {
        self.left.push((path.to_owned(), Left::NoAttribute));
        Value::Null
    }
}

/// What takes a default away.
fn nothing(name: &str, kind: &Kind) -> Value {
    match kind {
        Kind::Nested(Nesting::Single, attributes) if clears(name) => empty(attributes),
        Kind::Nested(Nesting::List, _) => Value::List(Vec::new()),
        Kind::Plain(Type::List(_)) => Value::List(Vec::new()),
        Kind::Plain(Type::Bool) if matches!(name, "enabled" | "enable_host_pid") => Value::from(false),
        Kind::Plain(Type::String) if name == "priority_class_name" => Value::from(""),
        _ => Value::Null,
    }
}

/// A block with nothing in it.
fn empty(attributes: &[Attribute]) -> Value {
    Value::object(attributes.iter().map(|attribute| (attribute.name, Value::Null)))
}

/// The value, if it is of the type or the chart would write it alike.
fn read_plain(ty: &Type, json: &Json) -> Option<Value> {
    Some(match (ty, json) {
        (Type::Bool, Json::Bool(value)) => Value::from(*value),
        (Type::Number, Json::Number(number)) => Value::Number(Number::parse(&number.to_string()).ok()?),
        (Type::String, Json::String(text)) => Value::from(text.as_str()),
        (Type::String, Json::Number(number)) => Value::from(number.to_string()),
        (Type::List(of), Json::Array(items)) => {
            Value::List(items.iter().map(|item| read_plain(of, item)).collect::<Option<_>>()?)
        }
        (Type::Map(of), Json::Object(entries)) => Value::Map(
            entries.iter().map(|(key, item)| Some((key.clone(), read_plain(of, item)?))).collect::<Option<_>>()?,
        ),
        _ => return None,
    })
}

/// A configuration file that a sharing block wrote becomes that block again.
fn sharing_of(object: &mut Value) {
    let config = object.get("config");
    let file = match config.get("map").entries() {
        Field::Known(files) if files.len() == 1 => files.get(config_file::NAME).and_then(|text| text.string().known()),
        _ => None,
    };
    let Some(sharing) = file.and_then(Sharing::read) else { return };
    let resource = |(name, replicas): &(String, i64)| {
        Value::object([("name", Value::from(name.as_str())), ("replicas", Value::from(*replicas))])
    };
    let resources = Value::List(sharing.resources.iter().map(resource).collect());
    let rename = Value::from(sharing.rename_by_default);
    match sharing.strategy {
        Strategy::TimeSlicing => {
            let fail = Value::from(sharing.fail_requests_greater_than_one);
            object.set(
                "time_slicing",
                Value::object([
                    ("rename_by_default", rename),
                    ("fail_requests_greater_than_one", fail),
                    ("resources", resources),
                ]),
            );
        }
        Strategy::Mps => {
            let mut mps = match object.get("mps") {
                Value::Null => {
                    attributes().iter().find(|attribute| attribute.name == "mps").map_or(Value::Null, block_of_nulls)
                }
                given => given.clone(),
            };
            mps.set("rename_by_default", rename);
            mps.set("resources", resources);
            object.set("mps", mps);
        }
    }
    let mut config = object.get("config").clone();
    config.set("map", Value::Null);
    object.set("config", if is_empty_block(&config) { Value::Null } else { config });
}

pub(super) fn block_of_nulls(attribute: &Attribute) -> Value {
    match &attribute.kind {
        Kind::Nested(_, attributes) => empty(attributes),
        Kind::Plain(_) => Value::Null,
    }
}
