//! Which changes need a new object.

use std::collections::BTreeSet;

use crate::{
    path::Path,
    schema::{Attribute, Kind, Nesting, Schema},
    value::Value,
};

/// The paths for Terraform's "requires replacement": those of attributes that say so in the schema and whose value
/// changes in meaning, and those that the resource `asked` for. Sorted, each once, and none that is in neither object.
pub fn replacements(schema: &Schema, prior: &Value, planned: &Value, asked: &[Path]) -> Vec<Path> {
    let mut paths = BTreeSet::new();
    changes(&schema.attributes, prior, planned, &Path::root(), &mut paths);
    paths.extend(asked.iter().cloned());
    paths.into_iter().filter(|path| exists(prior, planned, path)).collect()
}

/// Whether Terraform finds `path` in one of the two objects.
pub(crate) fn exists(prior: &Value, planned: &Value, path: &Path) -> bool {
    !path.is_root() && (prior.at(path).is_some() || planned.at(path).is_some())
}

fn changes(attributes: &[Attribute], prior: &Value, planned: &Value, path: &Path, found: &mut BTreeSet<Path>) {
    for attribute in attributes {
        let (prior, planned, path) =
            (prior.get(attribute.name), planned.get(attribute.name), path.then(attribute.name));
        if prior.same(planned) {
            continue;
        }
        if attribute.replaces {
            found.insert(path);
        } else if let Kind::Nested(nesting, children) = &attribute.kind {
            nested(*nesting, children, prior, planned, &path, found);
        }
    }
}

fn nested(
    nesting: Nesting,
    children: &[Attribute],
    prior: &Value,
    planned: &Value,
    path: &Path,
    found: &mut BTreeSet<Path>,
) {
    match nesting {
        Nesting::Single => changes(children, prior, planned, path, found),
        Nesting::List => {
            let (prior, planned) =
                (prior.items().known().unwrap_or_default(), planned.items().known().unwrap_or_default());
            for index in 0..prior.len().max(planned.len()) {
                let at = |items: &[Value]| items.get(index).cloned().unwrap_or(Value::Null);
                changes(children, &at(prior), &at(planned), &path.index(index), found);
            }
        }
        Nesting::Map => {
            let entries = [prior, planned].into_iter().filter_map(|value| value.entries().known());
            let keys: BTreeSet<&String> = entries.flat_map(|entries| entries.keys()).collect();
            for key in keys {
                changes(children, prior.get(key), planned.get(key), &path.key(key), found);
            }
        }
        // Elements of a set have no address: a change of what replaces in any of them replaces by the set.
        Nesting::Set => {
            if !replacing(children, prior).same(&replacing(children, planned)) {
                found.insert(path.clone());
            }
        }
    }
}

/// The elements with nothing left in them but what replaces.
fn replacing(children: &[Attribute], collection: &Value) -> Value {
    let elements: Vec<&Value> = match collection {
        Value::List(items) | Value::Set(items) => items.iter().collect(),
        Value::Map(entries) => entries.values().collect(),
        _ => Vec::new(),
    };
    Value::set_of(elements.into_iter().filter_map(|element| what_replaces(children, element)))
}

fn what_replaces(attributes: &[Attribute], object: &Value) -> Option<Value> {
    let parts: Vec<(&str, Value)> = attributes
        .iter()
        .filter_map(|attribute| {
            let value = object.get(attribute.name);
            let part = match &attribute.kind {
                _ if attribute.replaces => Some(value.clone()),
                Kind::Plain(_) => None,
                Kind::Nested(Nesting::Single, children) => what_replaces(children, value),
                Kind::Nested(_, children) => Some(replacing(children, value)),
            };
            part.map(|part| (attribute.name, part))
        })
        .collect();
    (!parts.is_empty()).then(|| Value::object(parts))
}
