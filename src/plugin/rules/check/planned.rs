//! A plan against configuration and prior object: whatever is configured must be planned as it is, or as it was (which
//! says that the two mean the same), and only what is computed may be planned without being configured.

use std::{collections::BTreeSet, ops::RangeInclusive};

use crate::{
    path::Path,
    rules::{Violation, check::show},
    schema::{Attribute, Kind, Mode, Nesting, Schema},
    value::{Value, without_repetition},
};

/// Adds what is wrong with `planned`, an object of the schema or null.
pub(super) fn object(schema: &Schema, config: &Value, prior: &Value, planned: &Value, found: &mut Vec<Violation>) {
    let place = Place { path: Path::root(), hidden: false };
    match (config.is_null(), planned.is_null()) {
        (true, true) => {}
        (false, true) => found.push(place.broken("planned for absence, but the configuration wants existence")),
        (true, false) => found.push(place.broken("planned for existence, but the configuration wants absence")),
        (false, false) if planned.is_unknown() => found.push(place.broken("the planned object is unknown as a whole")),
        (false, false) => attributes(&schema.attributes, Three { config, prior, planned }, &place, found),
    }
}

/// Where the comparison is, and whether something around it is sensitive.
struct Place {
    path: Path,
    hidden: bool,
}

impl Place {
    fn at(&self, path: Path) -> Self {
        Self { path, hidden: self.hidden }
    }

    fn broken(&self, what: impl Into<String>) -> Violation {
        Violation::new(&self.path, what)
    }
}

/// What belongs together at one place.
#[derive(Clone, Copy)]
struct Three<'a> {
    config: &'a Value,
    prior: &'a Value,
    planned: &'a Value,
}

impl<'a> Three<'a> {
    fn get(self, name: &str) -> Self {
        Self { config: self.config.get(name), prior: self.prior.get(name), planned: self.planned.get(name) }
    }

    /// Three objects of a list or map.
    fn of(config: &'a Value, prior: Option<&'a Value>, planned: &'a Value) -> Self {
        Self { config, prior: prior.unwrap_or(&Value::Null), planned }
    }
}

fn attributes(all: &[Attribute], values: Three<'_>, place: &Place, found: &mut Vec<Violation>) {
    for one in all {
        attribute(one, values.get(one.name), place.at(place.path.then(one.name)), found);
    }
}

fn attribute(attribute: &Attribute, values: Three<'_>, place: Place, found: &mut Vec<Violation>) {
    let Three { config, prior, planned } = values;
    let as_configured = planned.same(config);
    let as_before = planned.same(prior) && !prior.is_null() && !config.is_null();
    let free = attribute.mode == Mode::Computed || (config.is_null() && attribute.is_computed());
    let left_out = attribute.write_only && planned.is_null();
    if as_configured || as_before || free || left_out {
        return;
    }
    let hidden = place.hidden || attribute.holds_sensitive();
    if config.is_null() {
        let planned = show(planned, hidden);
        found.push(place.broken(format!("planned value {planned} for a non-computed attribute")));
    } else if let Kind::Nested(nesting, children) = &attribute.kind {
        let place = Place { hidden: place.hidden || attribute.sensitive, ..place };
        nested(*nesting, children, values, &place, found);
    } else {
        let before = if prior.is_null() { String::new() } else { format!(" nor prior value {}", show(prior, hidden)) };
        let (planned, config) = (show(planned, hidden), show(config, hidden));
        found.push(place.broken(format!("planned value {planned} does not match config value {config}{before}")));
    }
}

fn nested(nesting: Nesting, children: &[Attribute], values: Three<'_>, place: &Place, found: &mut Vec<Violation>) {
    let Three { config, prior, planned } = values;
    match (nesting, config, planned) {
        (_, _, Value::Null) => found.push(place.broken("planned for absence, but the configuration wants existence")),
        (_, _, Value::Unknown(_)) => found.push(place.broken("planned unknown for a configured value")),
        (_, Value::Unknown(_), _) => {
            found.push(place.broken("planned a known value while the configuration is unknown"));
        }
        (Nesting::List, Value::List(config), Value::List(planned)) => {
            let prior = prior.items().known().unwrap_or_default();
            found.extend(miscounted(place, config.len(), planned.len()));
            if config.len() == planned.len() {
                for (index, (config, planned)) in config.iter().zip(planned).enumerate() {
                    let place = place.at(place.path.index(index));
                    element(children, Three::of(config, prior.get(index), planned), &place, found);
                }
            }
        }
        (Nesting::Map, Value::Map(config), Value::Map(planned)) => {
            let keys: BTreeSet<&String> = config.keys().chain(planned.keys()).collect();
            for key in keys {
                let place = place.at(place.path.key(key));
                match (config.get(key), planned.get(key)) {
                    (Some(config), Some(planned)) => {
                        element(children, Three::of(config, Some(prior.get(key)), planned), &place, found);
                    }
                    (None, _) => found.push(place.broken("the key is in the plan, but not in the configuration")),
                    (_, None) => found.push(place.broken("the key is in the configuration, but not in the plan")),
                }
            }
        }
        // Elements of a set cannot be told apart, so Terraform trusts what is in them and only counts.
        (Nesting::Set, Value::Set(config), Value::Set(planned)) => {
            let (config, planned) = (counts(config), counts(planned));
            if config.end() < planned.start() || config.start() > planned.end() {
                found.extend(miscounted(place, *config.end(), *planned.end()));
            }
        }
        _ => attributes(children, values, place, found),
    }
}

/// How many elements a set may come to have: those that are not wholly known may fall together with others.
fn counts(elements: &[Value]) -> RangeInclusive<usize> {
    let distinct = without_repetition(elements.to_vec());
    let least = if distinct.iter().all(Value::is_wholly_known) { distinct.len() } else { 1 };
    least..=distinct.len()
}

fn miscounted(place: &Place, config: usize, planned: usize) -> Option<Violation> {
    (config != planned)
        .then(|| place.broken(format!("count in plan ({planned}) disagrees with count in config ({config})")))
}

/// One object of a list or map. Null or unknown ones have to be mirrored.
fn element(children: &[Attribute], values: Three<'_>, place: &Place, found: &mut Vec<Violation>) {
    let Three { config, planned, .. } = values;
    match (config, planned) {
        (Value::Object(_), Value::Object(_)) => attributes(children, values, place, found),
        _ if planned.same(config) => {}
        _ => {
            let what = format!("planned {}, but configured is {}", planned.kind(), config.kind());
            found.push(place.broken(what));
        }
    }
}
