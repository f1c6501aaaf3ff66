//! The plan that the schema alone decides: defaults, what becomes unknown, and what has to be replaced.
//!
//! The order is what makes "No changes" stable: defaults first, then the comparison with the prior object, and only
//! when they differ does anything become unknown.

mod fill;
mod replace;

use crate::{
    schema::{Attribute, Kind, Nesting, Schema},
    value::Value,
};

pub(crate) use replace::exists;
pub use replace::replacements;

/// The planned object that a resource gets to see: Terraform's `proposed` object with the defaults of the schema and,
/// when it then differs from `prior` (always on a create), with every computed attribute unknown that has neither a
/// value in `config` nor a default.
///
/// `config` and `proposed` are objects of the schema; anything else (a destroy has null for both) comes back as it is.
pub fn propose(schema: &Schema, config: &Value, prior: Option<&Value>, proposed: Value) -> Value {
    let mut planned = proposed;
    fill::object(&schema.attributes, config, prior.unwrap_or(&Value::Null), &mut planned);
    if prior.is_none_or(|prior| !planned.same(prior)) {
        mark(&schema.attributes, config, &mut planned);
    }
    planned
}

/// Makes what is computed and not configured unknown. Sets stand in the order of the configuration: see [`fill`].
fn mark(attributes: &[Attribute], config: &Value, planned: &mut Value) {
    let (Value::Object(given), Value::Object(planned)) = (config, planned) else { return };
    for attribute in attributes {
        let (Some(given), Some(planned)) = (given.get(attribute.name), planned.get_mut(attribute.name)) else {
            continue;
        };
        if given.is_null() {
            if attribute.is_computed() && attribute.default.is_none() {
                *planned = Value::unknown();
            }
        } else if let Kind::Nested(nesting, children) = &attribute.kind {
            each_pair(*nesting, given, planned, |given, planned| mark(children, given, planned));
        }
    }
}

/// Calls `visit` with every nested object of the configuration and the planned one that belongs to it.
fn each_pair(nesting: Nesting, given: &Value, planned: &mut Value, mut visit: impl FnMut(&Value, &mut Value)) {
    match (nesting, given, planned) {
        (Nesting::Single, given, planned) => visit(given, planned),
        (Nesting::List, Value::List(given), Value::List(planned))
        | (Nesting::Set, Value::Set(given), Value::Set(planned)) => {
            for (given, planned) in given.iter().zip(planned) {
                visit(given, planned);
            }
        }
        (Nesting::Map, Value::Map(given), Value::Map(planned)) => {
            for (key, given) in given {
                if let Some(planned) = planned.get_mut(key) {
                    visit(given, planned);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
