//! What the resource keeps in Terraform's private state: what is its own on the cluster.

use plugin::{Private, Value};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{
    manifest::{self, Key},
    wanted::Wanted,
};

/// What is remembered of the last apply.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Memory {
    /// Form of this record.
    pub(super) version: u32,
    /// What is owned of each object, as it was last applied. After an apply that did not end: those of the old set and of
    /// the new one that may be there.
    pub(super) objects: Vec<Json>,
    /// The uid of the namespace, where this resource made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) namespace: Option<String>,
    /// The newest revision that the state stands for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) revision: Option<u32>,
    /// The last apply did not end as it should.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) unfinished: bool,
}

impl Memory {
    /// What was remembered; nothing where it is of a form that this release does not know.
    pub(super) fn of(private: &Private) -> Self {
        private.get::<Self>().ok().flatten().filter(|memory| memory.version == 1).unwrap_or_default()
    }

    /// What was remembered beside a stored object. Terraform loses the private state when a provider is killed in an
    /// update: then the objects that the state shows are taken for what was applied, and the apply for one that did not end.
    pub(super) fn beside(state: &Value, private: &Private) -> Self {
        let memory = Self::of(private);
        if memory.version == 1 {
            return memory;
        }
        let revision = state.get("revision").integer().known().and_then(|number| u32::try_from(number).ok());
        let mut memory = Self { objects: manifest::shown(state), revision, unfinished: true, ..Self::default() };
        for owned in Wanted::of(state).map(|wanted| wanted.owned()).unwrap_or_default() {
            memory.note(owned);
        }
        memory
    }

    /// For Terraform to keep.
    pub(super) fn to_private(&self) -> Private {
        // A map with string keys always has a JSON form.
        Private::of(&Self { version: 1, ..self.clone() }).unwrap_or_default()
    }

    /// An object as it was last applied.
    pub(super) fn find(&self, key: &Key) -> Option<&Json> {
        self.objects.iter().find(|object| Key::of(object) == *key)
    }

    /// Notes an object as applied.
    pub(super) fn note(&mut self, owned: Json) {
        let key = Key::of(&owned);
        match self.objects.iter_mut().find(|object| Key::of(object) == key) {
            Some(known) => *known = owned,
            None => self.objects.push(owned),
        }
    }

    /// Forgets an object that is gone.
    pub(super) fn forget(&mut self, key: &Key) {
        self.objects.retain(|object| Key::of(object) != *key);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_noted_is_found_again_once_and_what_is_forgotten_is_not() {
        let object =
            |image: &str| json!({"kind": "DaemonSet", "metadata": {"namespace": "a", "name": "b"}, "image": image});
        let mut memory = Memory::default();
        memory.note(object("1"));
        memory.note(object("2"));
        let memory_again = Memory::of(&memory.to_private());
        let key = Key::of(&object("1"));
        assert_eq!(memory_again.objects, [object("2")]);
        assert_eq!(memory_again.find(&key), Some(&object("2")));
        memory.forget(&key);
        assert_eq!(memory.find(&key), None);
    }

    #[test]
    fn what_terraform_has_lost_is_found_in_the_state() {
        let mut state = super::super::plan::tests::object(&[("revision", Value::from(3_i64))]);
        let gone = r#"{"kind":"ConfigMap","metadata":{"name":"b","namespace":"a"}}"#;
        state.set("manifest", Value::map([("ConfigMap/a/b", Value::from(gone))]));
        let memory = Memory::beside(&state, &Private::empty());
        let kinds: Vec<&Json> = memory.objects.iter().map(|object| &object["kind"]).collect();
        assert_eq!(kinds, ["ConfigMap", "DaemonSet", "DaemonSet"]);
        assert_eq!((memory.revision, memory.unfinished), (Some(3), true));
    }

    #[test]
    fn private_state_of_another_form_remembers_nothing() {
        assert_eq!(Memory::of(&Private::empty()), Memory::default());
        assert_eq!(Memory::of(&Private(br#"{"version":2,"objects":[{}]}"#.to_vec())), Memory::default());
    }
}
