//! What a configuration wants of a RuntimeClass, as the object that is applied; and what is remembered of the last apply.

use kubernetes::{Object, Toleration};
use plugin::{Field, Private, Value};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

/// What the resource keeps in Terraform's private state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Memory {
    /// Form of this record.
    pub(super) version: u32,
    /// The object as it was last applied: what is ours, whatever others have done to it since.
    pub(super) applied: Json,
}

impl Memory {
    pub(super) fn new(applied: &Object) -> Self {
        Self { version: 1, applied: Json::Object(applied.fields().clone()) }
    }

    /// What was remembered. `None`: nothing was, or it was written by a form that this release does not know.
    pub(super) fn of(private: &Private) -> Option<Self> {
        private.get::<Self>().ok().flatten().filter(|memory| memory.version == 1)
    }

    /// For Terraform to keep.
    pub(super) fn to_private(&self) -> Private {
        // A map with string keys always has a JSON form.
        Private::of(self).unwrap_or_default()
    }

    /// The object as it was last applied.
    pub(super) fn object(&self) -> Option<Object> {
        Object::new(self.applied.clone()).ok()
    }
}

/// The object that a planned or stored value stands for; `None` while part of it is unknown.
pub(super) fn object(value: &Value) -> Option<Object> {
    let owned = ["name", "handler", "labels", "annotations", "pod_overhead", "scheduling"];
    if !owned.iter().all(|name| value.get(name).is_wholly_known()) {
        return None;
    }
    let mut metadata = json!({"name": value.get("name").string().known()?});
    for name in ["labels", "annotations"] {
        if let Some(map) = texts(value.get(name)) {
            metadata[name] = map;
        }
    }
    let mut object = json!({
        "apiVersion": "node.k8s.io/v1",
        "kind": "RuntimeClass",
        "metadata": metadata,
        "handler": value.get("handler").string().known()?,
    });
    if let Some(fixed) = texts(value.get("pod_overhead")) {
        object["overhead"] = json!({"podFixed": fixed});
    }
    let scheduling = value.get("scheduling");
    if !scheduling.is_null() {
        object["scheduling"] = json!({});
        if let Some(selector) = texts(scheduling.get("node_selector")) {
            object["scheduling"]["nodeSelector"] = selector;
        }
        if let Field::Known(items) = scheduling.get("tolerations").items() {
            object["scheduling"]["tolerations"] = items.iter().map(toleration_json).collect();
        }
    }
    Object::new(object).ok()
}

fn texts(value: &Value) -> Option<Json> {
    let entries = value.entries().known()?;
    let entries: Map<String, Json> =
        entries.iter().filter_map(|(key, value)| Some((key.clone(), json!(value.string().known()?)))).collect();
    Some(Json::Object(entries))
}

/// A toleration as it is configured. A number of seconds that is not whole is none.
pub(super) fn toleration(value: &Value) -> Toleration {
    let text = |name: &str| value.get(name).string().known().map(ToOwned::to_owned);
    Toleration {
        key: text("key"),
        operator: text("operator"),
        value: text("value"),
        effect: text("effect"),
        toleration_seconds: value.get("toleration_seconds").integer().known(),
    }
}

fn toleration_json(value: &Value) -> Json {
    let Toleration { key, operator, value, effect, toleration_seconds } = toleration(value);
    let mut fields = Map::new();
    for (name, text) in [("key", key), ("operator", operator), ("value", value), ("effect", effect)] {
        if let Some(text) = text {
            fields.insert(name.to_owned(), json!(text));
        }
    }
    if let Some(seconds) = toleration_seconds {
        fields.insert("tolerationSeconds".to_owned(), json!(seconds));
    }
    Json::Object(fields)
}

/// The attributes that an object stands for, with null for what it does not have.
pub(super) fn attributes(object: &Json) -> Vec<(&'static str, Value)> {
    let at = |pointer: &str| object.pointer(pointer);
    let scheduling = at("/scheduling").map(|scheduling| {
        Value::object([
            ("node_selector", texts_value(scheduling.get("nodeSelector"))),
            ("tolerations", tolerations_value(scheduling.get("tolerations"))),
        ])
    });
    vec![
        ("labels", texts_value(at("/metadata/labels"))),
        ("annotations", texts_value(at("/metadata/annotations"))),
        ("pod_overhead", texts_value(at("/overhead/podFixed"))),
        ("scheduling", scheduling.unwrap_or(Value::Null)),
    ]
}

fn texts_value(json: Option<&Json>) -> Value {
    let entries = json.and_then(Json::as_object);
    entries.map_or(Value::Null, |entries| Value::map(entries.iter().map(|(key, value)| (key.clone(), plain(value)))))
}

/// Text as it is; a number, which a quantity may be, as it is written.
fn plain(json: &Json) -> Value {
    match json {
        Json::String(text) => Value::from(text.as_str()),
        Json::Null => Value::Null,
        other => Value::from(other.to_string()),
    }
}

fn tolerations_value(json: Option<&Json>) -> Value {
    let one = |item: &Json| {
        let text = |name: &str| item.get(name).map_or(Value::Null, plain);
        Value::object([
            ("key", text("key")),
            ("operator", text("operator")),
            ("value", text("value")),
            ("effect", text("effect")),
            ("toleration_seconds", item.get("tolerationSeconds").and_then(Json::as_i64).into()),
        ])
    };
    json.and_then(Json::as_array).map_or(Value::Null, |items| Value::List(items.iter().map(one).collect()))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A value with every attribute.
    pub(in super::super) fn full() -> Value {
        Value::object([
            ("name", Value::from("nvidia")),
            ("handler", "nvidia".into()),
            ("labels", Value::map([("a", Value::from("1"))])),
            ("annotations", Value::Null),
            ("pod_overhead", Value::map([("memory", Value::from("1024Mi"))])),
            (
                "scheduling",
                Value::object([
                    ("node_selector", Value::map([("gpu", Value::from("true"))])),
                    (
                        "tolerations",
                        Value::List(vec![Value::object([
                            ("key", Value::from("nvidia.com/gpu")),
                            ("operator", "Exists".into()),
                            ("value", Value::Null),
                            ("effect", Value::Null),
                            ("toleration_seconds", Value::Null),
                        ])]),
                    ),
                ]),
            ),
            ("timeouts", Value::Null),
            ("id", "nvidia".into()),
            ("uid", "u1".into()),
        ])
    }

    #[test]
    fn a_value_and_its_object_say_the_same() {
        let value = full();
        let applied = object(&value).unwrap();
        assert_eq!(
            Json::Object(applied.fields().clone()),
            json!({
                "apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "handler": "nvidia",
                "metadata": {"name": "nvidia", "labels": {"a": "1"}},
                "overhead": {"podFixed": {"memory": "1024Mi"}},
                "scheduling": {
                    "nodeSelector": {"gpu": "true"},
                    "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
                },
            })
        );
        for (name, back) in attributes(&applied.into_json()) {
            assert_eq!(&back, value.get(name), "{name}");
        }
    }

    #[test]
    fn nothing_is_applied_while_part_of_it_is_unknown() {
        let mut value = full();
        value.set("labels", Value::map([("a", Value::unknown())]));
        assert!(object(&value).is_none());
    }
}
