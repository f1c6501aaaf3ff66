//! Reading and writing one place in a value by its path.

use crate::{
    path::{Path, Step},
    value::Value,
};

impl Value {
    /// The value at `path`; `None` where this value has no such place. Beneath an unknown value everything is unknown.
    pub fn at(&self, path: &Path) -> Option<&Self> {
        path.0.iter().try_fold(self, |value, step| value.step(step))
    }

    fn step(&self, step: &Step) -> Option<&Self> {
        match (self, step) {
            (Self::Unknown(_), _) => Some(self),
            (Self::Dynamic(_, inner), step) => inner.step(step),
            (Self::Object(entries), Step::Attribute(name) | Step::Key(name))
            | (Self::Map(entries), Step::Key(name)) => entries.get(name),
            (Self::List(items) | Self::Tuple(items), Step::Index(index)) => items.get(usize::try_from(*index).ok()?),
            _ => None,
        }
    }

    /// Puts `value` at `path`. Nothing happens, and the answer is false, where this value has no such place; the last
    /// step may name a new attribute or key.
    pub fn set_at(&mut self, path: &Path, value: Self) -> bool {
        let Some((last, before)) = path.0.split_last() else {
            *self = value;
            return true;
        };
        let parent = before.iter().try_fold(self, |value, step| value.step_mut(step));
        match (parent, last) {
            (Some(Self::Object(entries)), Step::Attribute(name) | Step::Key(name))
            | (Some(Self::Map(entries)), Step::Key(name)) => {
                entries.insert(name.clone(), value);
                true
            }
            (Some(parent), last) => parent.step_mut(last).map(|place| *place = value).is_some(),
            (None, _) => false,
        }
    }

    fn step_mut(&mut self, step: &Step) -> Option<&mut Self> {
        match (self, step) {
            (Self::Dynamic(_, inner), step) => inner.step_mut(step),
            (Self::Object(entries), Step::Attribute(name) | Step::Key(name))
            | (Self::Map(entries), Step::Key(name)) => entries.get_mut(name),
            (Self::List(items) | Self::Tuple(items), Step::Index(index)) => {
                items.get_mut(usize::try_from(*index).ok()?)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Value {
        Value::object([
            ("list", Value::List(vec![Value::object([("name", Value::from("a"))])])),
            ("map", Value::map([("k", Value::from(1))])),
            ("later", Value::unknown()),
            ("set", Value::Set(vec!["a".into()])),
        ])
    }

    #[test]
    fn a_path_finds_its_value() {
        let value = sample();
        for (path, expect) in [
            (Path::root(), Some(value.clone())),
            (Path::attribute("list").index(0).then("name"), Some("a".into())),
            (Path::attribute("list").index(1), None),
            (Path::attribute("map").key("k"), Some(1.into())),
            (Path::attribute("map").then("k"), None),
            (Path::attribute("later").index(7).then("x"), Some(Value::unknown())),
            (Path::attribute("set").index(0), None),
            (Path::attribute("none"), None),
        ] {
            assert_eq!(value.at(&path), expect.as_ref(), "{path}");
        }
    }

    #[test]
    fn a_value_is_put_at_a_path_that_exists() {
        let mut value = sample();
        let name = Path::attribute("list").index(0).then("name");
        assert!(value.set_at(&name, "b".into()));
        assert_eq!(value.at(&name), Some(&"b".into()));
        assert!(value.set_at(&Path::attribute("map").key("new"), 2.into()));
        assert_eq!(value.get("map").get("new"), &Value::from(2));
        for path in
            [Path::attribute("list").index(1), Path::attribute("later").then("x"), Path::attribute("set").index(0)]
        {
            assert!(!value.set_at(&path, Value::Null), "{path}");
        }
        assert!(value.set_at(&Path::root(), Value::Null) && value.is_null());
    }
}
