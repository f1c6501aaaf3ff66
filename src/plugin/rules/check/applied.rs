//! The result of an apply against its plan: what was known stays identical, what was unknown may become anything of
//! its type that was not ruled out.

use std::collections::BTreeMap;

use crate::{
    path::Path,
    rules::{Violation, check::show},
    schema::Schema,
    value::{Refinement, Value, nfc},
};

/// Adds what is wrong with `result`, an object of the schema.
pub(super) fn object(schema: &Schema, planned: &Value, result: &Value, found: &mut Vec<Violation>) {
    let root = Path::root();
    if planned.is_null() {
        found.push(Violation::new(&root, "the object was absent in the plan, but is present now"));
        return;
    }
    for attribute in &schema.attributes {
        let comparison = Comparison { hidden: attribute.holds_sensitive() };
        comparison.value(planned.get(attribute.name), result.get(attribute.name), &root.then(attribute.name), found);
    }
}

struct Comparison {
    hidden: bool,
}

impl Comparison {
    fn value(&self, planned: &Value, result: &Value, path: &Path, found: &mut Vec<Violation>) {
        match (planned, result) {
            (Value::Unknown(refinement), result) => self.promised(refinement, result, path, found),
            (Value::Null, Value::Null) => {}
            (Value::List(planned), Value::List(result)) | (Value::Tuple(planned), Value::Tuple(result)) => {
                self.items(planned, result, path, found);
            }
            (Value::Map(planned), Value::Map(result)) => self.entries(planned, result, path, found),
            (Value::Object(planned), Value::Object(result)) => {
                for (name, planned) in planned {
                    self.value(planned, result.get(name).unwrap_or(&Value::Null), &path.then(name), found);
                }
            }
            (Value::Set(planned), Value::Set(result)) => self.set(planned, result, path, found),
            (Value::Dynamic(ty, _), Value::Dynamic(other, _)) if ty != other && !ty.has_dynamic() => {
                found.push(Violation::new(
                    path,
                    format!("was a {} in the plan, but is now a {}", ty.name(), other.name()),
                ));
            }
            (Value::Dynamic(_, planned), Value::Dynamic(_, result)) => self.value(planned, result, path, found),
            (planned, result) if planned.same(result) => {}
            (planned, result) => found.push(Violation::new(
                path,
                format!("was {} in the plan, but is now {}", self.show(planned), self.show(result)),
            )),
        }
    }

    fn show(&self, value: &Value) -> String {
        show(value, self.hidden)
    }

    fn promised(&self, refinement: &Refinement, result: &Value, path: &Path, found: &mut Vec<Violation>) {
        if refinement.not_null && result.is_null() {
            found.push(Violation::new(path, "is null, but the plan promised a value"));
        }
        if let (Some(prefix), Value::String(text)) = (&refinement.prefix, result)
            && !nfc(text).starts_with(&*nfc(prefix))
        {
            let (text, prefix) = (self.show(result), self.show(&Value::from(prefix.as_str())));
            found.push(Violation::new(path, format!("is {text}, but the plan promised that it begins with {prefix}")));
        }
    }

    fn items(&self, planned: &[Value], result: &[Value], path: &Path, found: &mut Vec<Violation>) {
        for (index, planned) in planned.iter().enumerate() {
            match result.get(index) {
                Some(result) => self.value(planned, result, &path.index(index), found),
                None => found.push(Violation::new(path, format!("element {index} of the plan has vanished"))),
            }
        }
        for index in planned.len()..result.len() {
            found.push(Violation::new(path, format!("a new element {index} has appeared")));
        }
    }

    fn entries(
        &self,
        planned: &BTreeMap<String, Value>,
        result: &BTreeMap<String, Value>,
        path: &Path,
        found: &mut Vec<Violation>,
    ) {
        for (key, planned) in planned {
            match result.get(key) {
                Some(result) => self.value(planned, result, &path.key(key), found),
                None => found.push(Violation::new(path, format!("element {key:?} of the plan has vanished"))),
            }
        }
        for key in result.keys().filter(|key| !planned.contains_key(*key)) {
            found.push(Violation::new(path, format!("a new element {key:?} has appeared")));
        }
    }

    /// Elements of a set have no identity: each must be a completion of one in the other set.
    fn set(&self, planned: &[Value], result: &[Value], path: &Path, found: &mut Vec<Violation>) {
        let completes = |planned: &Value, result: &Value| {
            let mut found = Vec::new();
            self.value(planned, result, path, &mut found);
            found.is_empty()
        };
        let lost = planned.iter().filter(|planned| !result.iter().any(|result| completes(planned, result)));
        let before = found.len();
        found.extend(
            lost.map(|lost| Violation::new(path, format!("the planned element {} is not in the set", self.show(lost)))),
        );
        if found.len() > before {
            return;
        }
        let new = result.iter().filter(|result| !planned.iter().any(|planned| completes(planned, result)));
        found.extend(new.map(|new| {
            Violation::new(path, format!("the set has an element that was not planned: {}", self.show(new)))
        }));
        // Elements may fall together once they are known, but never become more.
        if result.len() > planned.len() && found.len() == before {
            let what = format!("the set has {} elements, but {} were planned", result.len(), planned.len());
            found.push(Violation::new(path, what));
        }
    }
}
