//! What is known of a planned object before it is compared with the prior one.
//!
//! Terraform's proposal holds, for a computed attribute that is not configured, the prior value. A default takes its
//! place, whatever the prior value was: that is how a drifted default is mended.

use crate::{
    schema::{Attribute, Kind, Nesting},
    value::Value,
};

/// Fills in defaults, takes out write-only values, and puts the elements of nested sets into the configuration's order.
pub(super) fn object(attributes: &[Attribute], config: &Value, prior: &Value, planned: &mut Value) {
    let (Value::Object(given), Value::Object(planned)) = (config, planned) else { return };
    for attribute in attributes {
        let (Some(given), Some(planned)) = (given.get(attribute.name), planned.get_mut(attribute.name)) else {
            continue;
        };
        let prior = prior.get(attribute.name);
        if attribute.write_only {
            *planned = Value::Null;
        } else if given.is_null() {
            absent(attribute, prior, planned);
        } else if let Kind::Nested(nesting, children) = &attribute.kind {
            nested(*nesting, children, given, prior, planned);
        }
    }
}

fn absent(attribute: &Attribute, prior: &Value, planned: &mut Value) {
    if let Some(default) = &attribute.default {
        *planned = default.clone();
    } else if attribute.is_computed() && matches!(attribute.kind, Kind::Nested(..)) && planned.is_null() {
        // Terraform proposes null for nested attributes in which it sees values that a user could have given. Planned
        // so, an object that the provider itself chose would differ from the prior one for ever.
        *planned = prior.clone();
    }
}

fn nested(nesting: Nesting, children: &[Attribute], given: &Value, prior: &Value, planned: &mut Value) {
    match (nesting, given, planned) {
        (Nesting::Single, given, planned) => object(children, given, prior, planned),
        (Nesting::List, Value::List(given), Value::List(planned)) => {
            let prior = prior.items().known().unwrap_or_default();
            for (index, (given, planned)) in given.iter().zip(planned).enumerate() {
                object(children, given, prior.get(index).unwrap_or(&Value::Null), planned);
            }
        }
        (Nesting::Map, Value::Map(given), Value::Map(planned)) => {
            for (key, given) in given {
                if let Some(planned) = planned.get_mut(key) {
                    object(children, given, prior.get(key), planned);
                }
            }
        }
        (Nesting::Set, Value::Set(given), Value::Set(planned)) => {
            *planned = in_order_of(given, std::mem::take(planned), children);
            for (given, planned) in given.iter().zip(planned) {
                object(children, given, &Value::Null, planned);
            }
        }
        _ => {}
    }
}

/// For every configured element the proposed one that came of it, which Terraform does not tell.
fn in_order_of(given: &[Value], proposed: Vec<Value>, children: &[Attribute]) -> Vec<Value> {
    let mut left: Vec<Option<Value>> = proposed.into_iter().map(Some).collect();
    let mut found: Vec<Value> = given.to_vec();
    let mut order: Vec<usize> = (0..given.len()).collect();
    // Who says most chooses first, so that an element that leaves something open does not take another's place.
    order.sort_by_key(|&place| std::cmp::Reverse(values_in(&given[place])));
    for place in order {
        let fits = |left: &Option<Value>| left.as_ref().is_some_and(|left| came_of(children, &given[place], left));
        if let Some(proposed) = left.iter().position(fits).and_then(|position| left[position].take()) {
            found[place] = proposed;
        }
    }
    found
}

fn values_in(value: &Value) -> usize {
    match value {
        Value::Null => 0,
        Value::List(items) | Value::Set(items) | Value::Tuple(items) => items.iter().map(values_in).sum(),
        Value::Map(entries) | Value::Object(entries) => entries.values().map(values_in).sum(),
        _ => 1,
    }
}

/// Whether a proposed object has all that is configured, and for the rest only what is computed.
fn came_of(attributes: &[Attribute], given: &Value, proposed: &Value) -> bool {
    let (Value::Object(_), Value::Object(_)) = (given, proposed) else { return given.same(proposed) };
    attributes.iter().all(|attribute| {
        let (given, proposed) = (given.get(attribute.name), proposed.get(attribute.name));
        match &attribute.kind {
            _ if given.is_null() => attribute.is_computed() || proposed.is_null(),
            Kind::Plain(_) => given.same(proposed),
            Kind::Nested(nesting, children) => nested_came_of(*nesting, children, given, proposed),
        }
    })
}

fn nested_came_of(nesting: Nesting, children: &[Attribute], given: &Value, proposed: &Value) -> bool {
    let all = |given: &[Value], proposed: &[Value]| {
        given.len() == proposed.len() && given.iter().zip(proposed).all(|(one, two)| came_of(children, one, two))
    };
    match (nesting, given, proposed) {
        (Nesting::Single, given, proposed) => came_of(children, given, proposed),
        (Nesting::List, Value::List(given), Value::List(proposed)) => all(given, proposed),
        (Nesting::Map, Value::Map(given), Value::Map(proposed)) => {
            given.len() == proposed.len()
                && given.iter().all(|(key, one)| proposed.get(key).is_some_and(|two| came_of(children, one, two)))
        }
        (Nesting::Set, Value::Set(given), Value::Set(proposed)) => {
            given.len() == proposed.len()
                && given.iter().all(|one| proposed.iter().any(|two| came_of(children, one, two)))
        }
        _ => given.same(proposed),
    }
}
