//! Whether a value is of a type, with every place where it is not.

use crate::{
    path::Path,
    rules::{Violation, check::in_element},
    value::{Type, Value},
};

/// Every place where `value` is not of type `ty`. Null and unknown are of every type.
pub fn conform(value: &Value, ty: &Type) -> Vec<Violation> {
    let mut found = Vec::new();
    at(value, ty, &Path::root(), &mut found);
    found
}

fn at(value: &Value, ty: &Type, path: &Path, found: &mut Vec<Violation>) {
    match (ty, value) {
        (_, Value::Null | Value::Unknown(_))
        | (Type::Bool, Value::Bool(_))
        | (Type::Number, Value::Number(_))
        | (Type::String, Value::String(_)) => {}
        (Type::Dynamic, Value::Dynamic(ty, value)) => at(value, ty, path, found),
        (Type::List(of), Value::List(items)) => {
            for (index, item) in items.iter().enumerate() {
                at(item, of, &path.index(index), found);
            }
        }
        (Type::Set(of), Value::Set(items)) => {
            for item in items {
                found.extend(in_element(path, |path, found| at(item, of, path, found)));
            }
        }
        (Type::Map(of), Value::Map(entries)) => {
            for (key, value) in entries {
                at(value, of, &path.key(key), found);
            }
        }
        (Type::Tuple(types), Value::Tuple(items)) if types.len() == items.len() => {
            for (index, (item, ty)) in items.iter().zip(types).enumerate() {
                at(item, ty, &path.index(index), found);
            }
        }
        (Type::Object(types), Value::Object(attributes)) => {
            for (name, ty) in types {
                match attributes.get(name) {
                    Some(value) => at(value, ty, &path.then(name), found),
                    None => found.push(Violation::new(&path.then(name), "the attribute is missing in the object")),
                }
            }
            for name in attributes.keys().filter(|name| !types.contains_key(*name)) {
                found.push(Violation::new(&path.then(name), "the schema has no such attribute"));
            }
        }
        _ => found.push(Violation::new(path, format!("a {} is required, but there is {}", ty.name(), value.kind()))),
    }
}
