//! A test as its attributes say it, and what its resource remembers.

use std::collections::BTreeMap;

use kubernetes::{Kind, ObjectRef, Toleration};
use plugin::{Field, Private, Value};
use serde::{Deserialize, Serialize};

use super::schema;

/// What is to be run, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Test {
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) image: String,
    pub(crate) command: Vec<String>,
    /// None: the pod has no runtime class.
    pub(crate) runtime_class: Option<String>,
    pub(crate) node_name: Option<String>,
    pub(crate) node_selector: BTreeMap<String, String>,
    pub(crate) tolerations: Vec<Toleration>,
    /// 0: the pod asks for none.
    pub(crate) gpus: i64,
    pub(crate) run_as_user: i64,
}

impl Test {
    /// What an object says; `None` while a part of it is unknown, which an apply never sees.
    pub(crate) fn from(object: &Value) -> Option<Self> {
        if schema::INPUTS.iter().any(|name| !object.get(name).is_wholly_known()) {
            return None;
        }
        let text = |value: &Value| value.string().known().map(ToOwned::to_owned);
        let items = |name: &str| object.get(name).items().known().unwrap_or_default();
        let selector = object.get("node_selector").entries();
        Some(Self {
            name: text(object.get("name"))?,
            namespace: text(object.get("namespace"))?,
            image: text(object.get("image"))?,
            command: items("command").iter().filter_map(text).collect(),
            runtime_class: text(object.get("runtime_class_name")).filter(|name| !name.is_empty()),
            node_name: text(object.get("node_name")),
            node_selector: match selector {
                Field::Known(entries) => entries.iter().filter_map(|(k, v)| Some((k.clone(), text(v)?))).collect(),
                Field::Null | Field::Unknown => BTreeMap::new(),
            },
            tolerations: items("tolerations").iter().map(schema::toleration).collect(),
            gpus: object.get("gpus").integer().known()?,
            run_as_user: object.get("run_as_user").integer().known()?,
        })
    }

    /// Its pod.
    pub(crate) fn pod(&self) -> ObjectRef {
        ObjectRef::in_namespace(Kind::POD, &self.namespace, &self.name)
    }

    /// The program, as a message names it.
    pub(crate) fn program(&self) -> &str {
        self.command.first().map_or("the command", String::as_str)
    }

    /// `namespace/name`.
    pub(crate) fn id(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

/// What the private state holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Memory {
    pub(crate) version: u32,
    /// The uid of the pod, where it could not be deleted after the test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) left: Option<String>,
}

impl Memory {
    /// What an earlier run remembered. Private state of another shape remembers nothing.
    pub(crate) fn of(private: &Private) -> Self {
        private.get().ok().flatten().unwrap_or_default()
    }

    /// As Terraform keeps it.
    pub(crate) fn to_private(&self) -> Private {
        // A struct of strings is always JSON.
        Private::of(self).unwrap_or_default()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An object with the schema's defaults.
    pub(crate) fn object(change: &[(&str, Value)]) -> Value {
        let mut object = Value::object(schema::schema().attributes.iter().map(|attribute| {
            let value = attribute.default.clone();
            (attribute.name, value.unwrap_or(if attribute.is_computed() { Value::unknown() } else { Value::Null }))
        }));
        for (name, value) in change {
            object.set(name, value.clone());
        }
        object
    }

    /// A test with the schema's defaults.
    pub(crate) fn test(change: &[(&str, Value)]) -> Test {
        Test::from(&object(change)).unwrap()
    }

    #[test]
    fn the_defaults_are_the_guides_test_with_a_gpu() {
        let test = test(&[]);
        assert_eq!(test.id(), "default/nvidia-smoke-test");
        assert_eq!((test.command.as_slice(), test.gpus), (["nvidia-smi".to_owned()].as_slice(), 1));
        assert_eq!(test.runtime_class.as_deref(), Some("nvidia"));
    }

    #[test]
    fn an_empty_runtime_class_is_none() {
        assert_eq!(test(&[("runtime_class_name", Value::from(""))]).runtime_class, None);
    }

    #[test]
    fn a_test_with_an_unknown_part_is_not_one_yet() {
        for name in schema::INPUTS {
            assert_eq!(Test::from(&object(&[(name, Value::unknown())])), None, "{name}");
        }
    }

    #[test]
    fn what_is_remembered_survives_and_what_was_never_written_is_nothing() {
        let memory = Memory { version: 1, left: Some("u".into()) };
        assert_eq!(Memory::of(&memory.to_private()), memory);
        assert_eq!(Memory::of(&Private::empty()), Memory::default());
        assert_eq!(Memory::of(&Private(b"garbage".to_vec())), Memory::default());
    }
}
