//! What the resource keeps in Terraform's private state: what is its own on the cluster.

use plugin::Private;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::manifest::Key;

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
        let object = |image: &str| json!({"kind": "DaemonSet", "metadata": {"namespace": "a", "name": "b"}, "image": image});
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
    fn private_state_of_another_form_remembers_nothing() {
        assert_eq!(Memory::of(&Private::empty()), Memory::default());
        assert_eq!(Memory::of(&Private(br#"{"version":2,"objects":[{}]}"#.to_vec())), Memory::default());
    }
}
