//! Objects as the API server has them: JSON, with names for the parts that every object has.
//!
//! No generated types: what is not known here (a newer field of a Pod, a custom resource) passes through untouched.

use std::fmt;

use serde_json::{Map, Value};

mod kinds;

pub use kinds::Kind;

/// An object of a cluster, with at least `apiVersion`, `kind` and `metadata.name`.
#[derive(Clone, Debug, PartialEq)]
pub struct Object(Map<String, Value>);

/// Why JSON is not an object that can be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnObject {
    /// It is a list, a string or another thing without fields.
    #[error("it is not a JSON object")]
    NotAMap,
    /// This field is missing, empty or not a string.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// Its kind is none that this crate knows the path of.
    #[error("kind {kind} of {api_version} is not known here")]
    UnknownKind {
        /// Its `apiVersion`.
        api_version: String,
        /// Its `kind`.
        kind: String,
    },
}

impl Object {
    /// Takes JSON for an object.
    ///
    /// # Errors
    /// When it has no `apiVersion`, `kind` or `metadata.name`. Its kind may be an unknown one.
    pub fn new(json: Value) -> Result<Self, NotAnObject> {
        let Value::Object(fields) = json else { return Err(NotAnObject::NotAMap) };
        let object = Self(fields);
        for (field, text) in
            [("apiVersion", object.api_version()), ("kind", object.kind()), ("metadata.name", object.name())]
        {
            if text.is_empty() {
                return Err(NotAnObject::Missing(field));
            }
        }
        Ok(object)
    }

    /// Such as `node.k8s.io/v1`.
    #[must_use]
    pub fn api_version(&self) -> &str {
        text(self.0.get("apiVersion"))
    }

    /// Such as `RuntimeClass`.
    #[must_use]
    pub fn kind(&self) -> &str {
        text(self.0.get("kind"))
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        text(self.metadata("name"))
    }

    /// Its namespace; none for an object of the whole cluster.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.metadata("namespace").and_then(Value::as_str).filter(|name| !name.is_empty())
    }

    /// What tells it from another object that had the same name before; empty in one that was never stored.
    #[must_use]
    pub fn uid(&self) -> &str {
        text(self.metadata("uid"))
    }

    /// Changes with every write; empty in an object that was never stored.
    #[must_use]
    pub fn resource_version(&self) -> &str {
        text(self.metadata("resourceVersion"))
    }

    /// Whether somebody has asked for its deletion and finalizers keep it.
    #[must_use]
    pub fn is_going(&self) -> bool {
        self.metadata("deletionTimestamp").is_some()
    }

    /// A field, by its path: `object.at("/spec/template/spec")` (RFC 6901).
    #[must_use]
    pub fn at(&self, pointer: &str) -> Option<&Value> {
        let mut steps = pointer.strip_prefix('/')?.splitn(2, '/');
        let first = self.0.get(&steps.next()?.replace("~1", "/").replace("~0", "~"))?;
        match steps.next() {
            Some(rest) => first.pointer(&format!("/{rest}")),
            None => Some(first),
        }
    }

    /// All fields.
    #[must_use]
    pub fn fields(&self) -> &Map<String, Value> {
        &self.0
    }

    /// As JSON.
    #[must_use]
    pub fn into_json(self) -> Value {
        Value::Object(self.0)
    }

    /// Where it stands in a cluster.
    ///
    /// # Errors
    /// When its kind is none of [`Kind`].
    pub fn reference(&self) -> Result<ObjectRef, NotAnObject> {
        let kind = Kind::of(self.api_version(), self.kind()).ok_or_else(|| NotAnObject::UnknownKind {
            api_version: self.api_version().to_owned(),
            kind: self.kind().to_owned(),
        })?;
        Ok(ObjectRef { kind, namespace: self.namespace().map(ToOwned::to_owned), name: self.name().to_owned() })
    }

    /// Those who have written it and still own fields, by field manager's name, in the server's order.
    #[must_use]
    pub fn managers(&self) -> Vec<&str> {
        let entries = self.metadata("managedFields").and_then(Value::as_array);
        entries.into_iter().flatten().filter_map(|entry| entry.get("manager")?.as_str()).collect()
    }

    fn metadata(&self, field: &str) -> Option<&Value> {
        self.0.get("metadata")?.get(field)
    }
}

fn text(value: Option<&Value>) -> &str {
    value.and_then(Value::as_str).unwrap_or_default()
}

/// One object's place in a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectRef {
    /// What it is.
    pub kind: Kind,
    /// Its namespace; none for an object of the whole cluster.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl ObjectRef {
    /// An object of the whole cluster.
    #[must_use]
    pub fn of_cluster(kind: Kind, name: &str) -> Self {
        Self { kind, namespace: None, name: name.to_owned() }
    }

    /// An object of a namespace.
    #[must_use]
    pub fn in_namespace(kind: Kind, namespace: &str, name: &str) -> Self {
        Self { kind, namespace: Some(namespace.to_owned()), name: name.to_owned() }
    }
}

/// `RuntimeClass nvidia`, `DaemonSet gpu/nvidia-device-plugin`.
impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.kind.kind)?;
        match &self.namespace {
            Some(namespace) => write!(f, "{namespace}/{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_names_its_parts() {
        let object = Object::new(json!({
            "apiVersion": "apps/v1", "kind": "DaemonSet",
            "metadata": {"name": "a", "namespace": "gpu", "uid": "u", "annotations": {"x/y": "1"}},
        }))
        .unwrap();
        assert_eq!(object.reference().unwrap().to_string(), "DaemonSet gpu/a");
        assert_eq!(object.at("/metadata/annotations/x~1y"), Some(&json!("1")));
        assert_eq!(object.at("/spec/template"), None);
        assert_eq!((object.uid(), object.resource_version(), object.is_going()), ("u", "", false));
    }

    #[test]
    fn what_cannot_be_sent_is_not_taken_for_an_object() {
        for (json, why) in [
            (json!([]), NotAnObject::NotAMap),
            (json!({"kind": "Pod", "metadata": {"name": "a"}}), NotAnObject::Missing("apiVersion")),
            (json!({"apiVersion": "v1", "kind": "Pod", "metadata": {}}), NotAnObject::Missing("metadata.name")),
        ] {
            assert_eq!(Object::new(json), Err(why));
        }
        let unknown = Object::new(json!({"apiVersion": "x/v1", "kind": "Y", "metadata": {"name": "a"}})).unwrap();
        assert!(matches!(unknown.reference(), Err(NotAnObject::UnknownKind { .. })));
    }
}
