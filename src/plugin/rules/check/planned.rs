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
    let root = Path::root();
    match (config.is_null(), planned.is_null()) {
        (true, true) => {}
        (false, true) => {
            found.push(Violation::new(&root, "planned for absence, but the configuration wants existence"))
        }
        (true, false) => {
            found.push(Violation::new(&root, "planned for existence, but the configuration wants absence"))
        }
        (false, false) if planned.is_unknown() => {
            found.push(Violation::new(&root, "the planned object is unknown as a whole"));
        }
        (false, false) => {
            attributes(&schema.attributes, config, prior, planned, &Place { path: root, hidden: false }, found)
        }
    }
}

/// Where the comparison is, and whether something around it is sensitive.
struct Place {
    path: Path,
    hidden: bool,
}

fn attributes(
    all: &[Attribute],
    config: &Value,
    prior: &Value,
    planned: &Value,
    place: &Place,
    found: &mut Vec<Violation>,
) {
    for one in all {
        let place = Place { path: place.path.then(one.name), hidden: place.hidden };
        attribute(one, config.get(one.name), prior.get(one.name), planned.get(one.name), place, found);
    }
}

fn attribute(
    attribute: &Attribute,
    config: &Value,
    prior: &Value,
    planned: &Value,
    place: Place,
    found: &mut Vec<Violation>,
) {
    let as_configured = planned.same(config);
    let as_before = planned.same(prior) && !prior.is_null() && !config.is_null();
    let free = attribute.mode == Mode::Computed || (config.is_null() && attribute.is_computed());
    let left_out = attribute.write_only && planned.is_null();
    if as_configured || as_before || free || left_out {
        return;
    }
    let hidden = place.hidden || attribute.holds_sensitive();
    if config.is_null() {
        let what = format!("planned value {} for a non-computed attribute", show(planned, hidden));
        found.push(Violation::new(&place.path, what));
    } else if let Kind::Nested(nesting, children) = &attribute.kind {
        // From here on each child tells for itself whether it may be shown.
        let place = Place { hidden: place.hidden || attribute.sensitive, ..place };
        nested(*nesting, children, config, prior, planned, &place, found);
    } else {
        let before = if prior.is_null() { String::new() } else { format!(" nor prior value {}", show(prior, hidden)) };
        let (planned, config) = (show(planned, hidden), show(config, hidden));
        found.push(Violation::new(
            &place.path,
            format!("planned value {planned} does not match config value {config}{before}"),
        ));
    }
}

fn nested(
    nesting: Nesting,
    children: &[Attribute],
    config: &Value,
    prior: &Value,
    planned: &Value,
    place: &Place,
    found: &mut Vec<Violation>,
) {
    let mut report = |what: &str| found.push(Violation::new(&place.path, what));
    if planned.is_null() {
        return report("planned for absence, but the configuration wants existence");
    }
    if planned.is_unknown() {
        return report("planned unknown for a configured value");
    }
    if config.is_unknown() {
        return report("planned a known value while the configuration is unknown");
    }
    match (nesting, config, planned) {
        (Nesting::List, Value::List(config), Value::List(planned)) => {
            if !same_count(config.len(), planned.len(), &mut report) {
                return;
            }
            let prior = prior.items().known().unwrap_or_default();
            for (index, (config, planned)) in config.iter().zip(planned).enumerate() {
                let place = Place { path: place.path.index(index), hidden: place.hidden };
                element(children, config, prior.get(index).unwrap_or(&Value::Null), planned, &place, found);
            }
        }
        (Nesting::Map, Value::Map(config), Value::Map(planned)) => {
            let keys: BTreeSet<&String> = config.keys().chain(planned.keys()).collect();
            for key in keys {
                let place = Place { path: place.path.key(key), hidden: place.hidden };
                match (config.get(key), planned.get(key)) {
                    (Some(config), Some(planned)) => element(children, config, prior.get(key), planned, &place, found),
                    (None, _) => {
                        found.push(Violation::new(&place.path, "the key is in the plan, but not in the configuration"))
                    }
                    (_, None) => {
                        found.push(Violation::new(&place.path, "the key is in the configuration, but not in the plan"))
                    }
                }
            }
        }
        // Elements of a set cannot be told apart, so Terraform trusts what is in them and only counts.
        (Nesting::Set, Value::Set(config), Value::Set(planned)) => {
            let (config, planned) = (counts(config), counts(planned));
            if config.end() < planned.start() || config.start() > planned.end() {
                same_count(*config.end(), *planned.end(), &mut report);
            }
        }
        _ => attributes(children, config, prior, planned, place, found),
    }
}

/// How many elements a set may come to have: those that are not wholly known may fall together with others.
fn counts(elements: &[Value]) -> RangeInclusive<usize> {
    let distinct = without_repetition(elements.to_vec());
    let least = if distinct.iter().all(Value::is_wholly_known) { distinct.len() } else { 1 };
    least..=distinct.len()
}

fn same_count(config: usize, planned: usize, report: &mut impl FnMut(&str)) -> bool {
    if config != planned {
        report(&format!("count in plan ({planned}) disagrees with count in config ({config})"));
    }
    config == planned
}

/// One object of a list or map. Null or unknown ones have to be mirrored.
fn element(
    children: &[Attribute],
    config: &Value,
    prior: &Value,
    planned: &Value,
    place: &Place,
    found: &mut Vec<Violation>,
) {
    if planned.same(config) {
        return;
    }
    match (config, planned) {
        (Value::Object(_), Value::Object(_)) => attributes(children, config, prior, planned, place, found),
        _ => found.push(Violation::new(
            &place.path,
            format!("planned {}, but configured is {}", planned.kind(), config.kind()),
        )),
    }
}
