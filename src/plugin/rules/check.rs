//! Every rule that Terraform holds the answers of a provider to, as pure functions of request and answer.
//!
//! One rule is out of reach: that the second plan, in the apply, agrees with the first, which no provider gets to see.

mod applied;
mod conform;
mod planned;

use crate::{
    path::Path,
    rules::{Violation, plan},
    schema::{Attribute, Kind, Schema},
    value::Value,
};

pub use conform::conform;

/// What Terraform checks of a planned create or update. `prior` is null or `None` for a create; `replace` are the
/// paths that the resource asked to replace by. Not to be called beside an error: Terraform then takes no plan.
pub fn plan(
    schema: &Schema,
    config: &Value,
    prior: Option<&Value>,
    planned: &Value,
    replace: &[Path],
) -> Vec<Violation> {
    let prior = prior.unwrap_or(&Value::Null);
    let mut found = of_type(schema, planned);
    if found.is_empty() {
        planned::object(schema, config, prior, planned, &mut found);
        no_write_only(schema, planned, &mut found);
        for path in replace.iter().filter(|path| !plan::exists(prior, planned, path)) {
            found.push(Violation::new(path, "it is to force a replacement, but there is no such attribute"));
        }
    }
    found
}

/// What Terraform checks of a planned destroy.
pub fn destroy_plan(planned: &Value) -> Vec<Violation> {
    if planned.is_null() { Vec::new() } else { at_root("a planned destroy is null, but there is an object") }
}

/// What Terraform checks of an object after a create or an update. `None` is "no object". Beside a reported error
/// (`failed`) only the type matters: the error explains the rest, and [`Value::unknown_as_null`] mends what is unknown.
pub fn apply(schema: &Schema, planned: &Value, result: Option<&Value>, failed: bool) -> Vec<Violation> {
    let Some(result) = present(result) else {
        return if failed { Vec::new() } else { at_root("the object was present in the plan, but is absent now") };
    };
    let mut found = of_type(schema, result);
    if !found.is_empty() || failed {
        return found;
    }
    nothing_unknown(result, &Path::root(), &mut found);
    // What is unknown is said already; compared with the plan it would be said again.
    if found.is_empty() {
        applied::object(schema, planned, result, &mut found);
    }
    no_write_only(schema, result, &mut found);
    found
}

/// What Terraform checks after a delete: an object that is still there needs an error beside it.
pub fn delete(schema: &Schema, result: Option<&Value>, failed: bool) -> Vec<Violation> {
    match present(result) {
        None => Vec::new(),
        Some(result) if failed => of_type(schema, result),
        Some(_) => at_root("the object is still present after a delete that reported no error"),
    }
}

/// What Terraform checks of a refreshed object. `None` is "gone". Not to be called beside an error: Terraform then
/// keeps what it has.
pub fn read(schema: &Schema, result: Option<&Value>) -> Vec<Violation> {
    present(result).map(|result| stored(schema, result)).unwrap_or_default()
}

/// What Terraform checks of the data of a data source. Not to be called beside an error.
pub fn data_source(schema: &Schema, result: Option<&Value>) -> Vec<Violation> {
    match present(result) {
        Some(result) => stored(schema, result),
        None => at_root("there is no data, and no error that says why"),
    }
}

/// What Terraform checks of an upgraded state. Not to be called beside an error.
pub fn upgrade(schema: &Schema, result: &Value) -> Vec<Violation> {
    match present(Some(result)) {
        Some(result) => stored(schema, result),
        None => at_root("the upgrade lost the object"),
    }
}

/// What Terraform checks of an imported object. Not to be called beside an error.
pub fn import(schema: &Schema, result: Option<&Value>) -> Vec<Violation> {
    match present(result) {
        Some(result) => stored(schema, result),
        None => at_root("nothing was imported, and no error says why"),
    }
}

/// The rules of every object that goes to the state.
fn stored(schema: &Schema, result: &Value) -> Vec<Violation> {
    let mut found = of_type(schema, result);
    if found.is_empty() {
        nothing_unknown(result, &Path::root(), &mut found);
        no_write_only(schema, result, &mut found);
    }
    found
}

fn present(result: Option<&Value>) -> Option<&Value> {
    result.filter(|result| !result.is_null())
}

fn at_root(what: &str) -> Vec<Violation> {
    vec![Violation::new(&Path::root(), what)]
}

fn of_type(schema: &Schema, value: &Value) -> Vec<Violation> {
    conform(value, &schema.object_type())
}

fn nothing_unknown(value: &Value, path: &Path, found: &mut Vec<Violation>) {
    match value {
        Value::Unknown(_) => found.push(Violation::new(path, "the value is still unknown")),
        Value::Dynamic(_, value) => nothing_unknown(value, path, found),
        Value::List(items) | Value::Tuple(items) => {
            for (index, item) in items.iter().enumerate() {
                nothing_unknown(item, &path.index(index), found);
            }
        }
        Value::Set(items) if !items.iter().all(Value::is_wholly_known) => {
            found.push(Violation::new(path, "an element of the set is still unknown, in whole or in part"));
        }
        Value::Map(entries) => {
            for (key, item) in entries {
                nothing_unknown(item, &path.key(key), found);
            }
        }
        Value::Object(attributes) => {
            for (name, item) in attributes {
                nothing_unknown(item, &path.then(name), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Set(_) => {}
    }
}

fn no_write_only(schema: &Schema, value: &Value, found: &mut Vec<Violation>) {
    write_only_in(&schema.attributes, value, &Path::root(), found);
}

fn write_only_in(attributes: &[Attribute], value: &Value, path: &Path, found: &mut Vec<Violation>) {
    for attribute in attributes {
        let (value, path) = (value.get(attribute.name), path.then(attribute.name));
        if attribute.write_only {
            if !value.is_null() {
                found.push(Violation::new(&path, "a write-only value is not null"));
            }
        } else if let Kind::Nested(_, children) = &attribute.kind {
            for (path, element) in elements(value, &path) {
                write_only_in(children, element, &path, found);
            }
        }
    }
}

/// The objects of a nested attribute, each with its path. Sets hold nothing write-only: a schema with such is refused.
fn elements<'a>(value: &'a Value, path: &Path) -> Vec<(Path, &'a Value)> {
    match value {
        Value::Object(_) => vec![(path.clone(), value)],
        Value::List(items) => items.iter().enumerate().map(|(index, item)| (path.index(index), item)).collect(),
        Value::Map(entries) => entries.iter().map(|(key, item)| (path.key(key), item)).collect(),
        _ => Vec::new(),
    }
}

/// What `check` finds in an element of the set at `path`. Elements of sets have no address: the place within is told in
/// words, and the path stops at the set.
fn in_element(path: &Path, check: impl FnOnce(&Path, &mut Vec<Violation>)) -> Vec<Violation> {
    let mut found = Vec::new();
    check(&Path::root(), &mut found);
    let at_set = |Violation { path: within, what }| {
        let what = if within.is_root() { what } else { format!("in an element of the set, at {within}: {what}") };
        Violation::new(path, what)
    };
    found.into_iter().map(at_set).collect()
}

/// A value as a message may show it.
fn show(value: &Value, hidden: bool) -> String {
    if hidden && !value.is_null() && !value.is_unknown() { "(sensitive value)".to_owned() } else { value.to_string() }
}

#[cfg(test)]
mod tests;
