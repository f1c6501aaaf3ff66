//! What of an object that we applied is no longer as we applied it. Pure: a comparison of two objects, without a call.
//!
//! Only our own fields are looked at, since a live object has those of others and the server's defaults as well. Amounts
//! are compared by meaning, lists of objects by the key by which the API merges them, and what is empty is the same as what
//! is not there.

use std::fmt;

use serde_json::{Map, Value};

use crate::object::Object;
use crate::quantity::Quantity;

mod rules;

use rules::Merge;

/// A field that is not as we applied it.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Where: `.spec.template.spec.containers[name="a"].image`.
    pub path: String,
    /// As we applied it.
    pub ours: Value,
    /// As it stands; `None` when it is gone.
    pub live: Option<Value>,
}

/// Paths alone: values may be secret.
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)
    }
}

/// What of `ours`, as it was applied, differs in `live`.
#[must_use]
pub fn differences(ours: &Object, live: &Object) -> Vec<Difference> {
    let mut found = Vec::new();
    compare_maps(&Spot::root(), ours.fields(), live.fields(), &mut found);
    found
}

/// `ours` as it stands in `live`: the same fields with live values. What means the same stays as we wrote it; what is gone
/// is left out; a list that is one value to the API stands as a whole.
#[must_use]
pub fn standing(ours: &Object, live: &Object) -> Value {
    Value::Object(project_map(&Spot::root(), ours.fields(), live.fields()))
}

/// A place in an object.
#[derive(Clone, Debug)]
struct Spot {
    path: String,
    /// The names of the fields from the root on, without places in lists.
    fields: Vec<String>,
}

impl Spot {
    fn root() -> Self {
        Self { path: String::new(), fields: Vec::new() }
    }

    fn field(&self, name: &str) -> Self {
        let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
        let step = if plain { format!(".{name}") } else { format!("[{name:?}]") };
        let mut fields = self.fields.clone();
        fields.push(name.to_owned());
        Self { path: format!("{}{step}", self.path), fields }
    }

    fn item(&self, step: &str) -> Self {
        Self { path: format!("{}[{step}]", self.path), fields: self.fields.clone() }
    }
}

/// A field that says nothing: the server leaves it out.
fn is_empty(spot: &Spot, value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.values().all(Value::is_null),
        Value::Bool(value) => !value && rules::is_left_out(&spot.fields),
        Value::Number(number) => number.as_f64() == Some(0.0) && rules::is_left_out(&spot.fields),
    }
}

fn compare_maps(spot: &Spot, ours: &Map<String, Value>, live: &Map<String, Value>, found: &mut Vec<Difference>) {
    for (name, value) in ours {
        let at = spot.field(name);
        if rules::is_of_the_server(&at.fields) {
            continue;
        }
        match live.get(name) {
            Some(other) => compare(&at, value, other, found),
            None if is_empty(&at, value) => {}
            None => found.push(Difference { path: at.path, ours: value.clone(), live: None }),
        }
    }
}

fn compare(spot: &Spot, ours: &Value, live: &Value, found: &mut Vec<Difference>) {
    match (ours, live) {
        (Value::Object(mine), Value::Object(theirs)) if !rules::is_whole_map(&spot.fields) => {
            compare_maps(spot, mine, theirs, found);
        }
        (Value::Array(mine), Value::Array(theirs)) if rules::merge(&spot.fields) != Merge::Whole => {
            compare_items(spot, mine, theirs, found);
        }
        _ if means_the_same(spot, ours, live) => {}
        _ => found.push(Difference { path: spot.path.clone(), ours: ours.clone(), live: Some(live.clone()) }),
    }
}

fn compare_items(spot: &Spot, ours: &[Value], live: &[Value], found: &mut Vec<Difference>) {
    for item in ours {
        let (step, same) = counterpart(spot, item, live);
        match same {
            Some(other) => compare(&spot.item(&step), item, other, found),
            None => found.push(Difference { path: spot.item(&step).path, ours: item.clone(), live: None }),
        }
    }
}

/// The item of a list that the API would merge with ours, and how a path names it.
fn counterpart<'a>(spot: &Spot, item: &Value, live: &'a [Value]) -> (String, Option<&'a Value>) {
    match rules::merge(&spot.fields) {
        Merge::Keys(keys) => {
            let wanted = rules::key_of(item, keys);
            let step = keys.iter().zip(&wanted).map(|(key, value)| format!("{key}={value}"));
            let same: Vec<&Value> = live.iter().filter(|other| rules::key_of(other, keys) == wanted).collect();
            // Which of several counts depends on who reads them (of doubled variables the last), so one that differs shows.
            let shown = same.iter().find(|other| same.len() > 1 && differs(spot, item, other)).or(same.first());
            (step.collect::<Vec<_>>().join(","), shown.copied())
        }
        Merge::Set | Merge::Whole => (item.to_string(), live.iter().find(|other| *other == item)),
    }
}

fn differs(spot: &Spot, ours: &Value, live: &Value) -> bool {
    let mut found = Vec::new();
    compare(spot, ours, live, &mut found);
    !found.is_empty()
}

/// Whether two values mean the same where they stand. In a list that is one value, live items may have defaults that ours
/// do not name.
fn means_the_same(spot: &Spot, ours: &Value, live: &Value) -> bool {
    match (ours, live) {
        (Value::Array(mine), Value::Array(theirs)) => {
            mine.len() == theirs.len()
                && mine.iter().zip(theirs).all(|(mine, theirs)| means_the_same(spot, mine, theirs))
        }
        (Value::Object(mine), Value::Object(theirs)) if rules::is_whole_map(&spot.fields) => mine == theirs,
        (Value::Object(mine), Value::Object(theirs)) => {
            let mut found = Vec::new();
            compare_maps(spot, mine, theirs, &mut found);
            found.is_empty() && !rules::says_more(&spot.fields, mine, theirs)
        }
        _ if ours == live => true,
        _ if rules::is_quantity(&spot.fields) => quantities(ours, live),
        (Value::Number(mine), Value::Number(theirs)) => mine.as_f64() == theirs.as_f64(),
        _ => is_empty(spot, ours) && is_empty(spot, live),
    }
}

fn quantities(ours: &Value, live: &Value) -> bool {
    let parse = |value: &Value| match value {
        Value::String(text) => text.parse::<Quantity>().ok(),
        Value::Number(number) => number.to_string().parse().ok(),
        _ => None,
    };
    parse(ours).zip(parse(live)).is_some_and(|(ours, live)| ours == live)
}

fn project_map(spot: &Spot, ours: &Map<String, Value>, live: &Map<String, Value>) -> Map<String, Value> {
    let mut standing = Map::new();
    for (name, value) in ours {
        let at = spot.field(name);
        if rules::is_of_the_server(&at.fields) {
            continue;
        }
        match live.get(name) {
            Some(other) => drop(standing.insert(name.clone(), project(&at, value, other))),
            None if is_empty(&at, value) => drop(standing.insert(name.clone(), value.clone())),
            None => {}
        }
    }
    standing
}

fn project(spot: &Spot, ours: &Value, live: &Value) -> Value {
    match (ours, live) {
        (Value::Object(mine), Value::Object(theirs)) if !rules::is_whole_map(&spot.fields) => {
            Value::Object(project_map(spot, mine, theirs))
        }
        (Value::Array(mine), Value::Array(theirs)) if rules::merge(&spot.fields) != Merge::Whole => {
            let one = |item: &Value| counterpart(spot, item, theirs).1.map(|other| project(spot, item, other));
            Value::Array(mine.iter().filter_map(one).collect())
        }
        _ if means_the_same(spot, ours, live) => ours.clone(),
        _ => live.clone(),
    }
}

#[cfg(test)]
mod tests;
