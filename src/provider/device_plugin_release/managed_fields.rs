//! Who holds which field of a live object, put so that an apply takes away what the release has no more.
//!
//! A field leaves an object by apply only when nobody else holds it. Helm without server-side apply holds what it wrote as
//! an `Update`, under the name of the program that carries it: helm's own, or that of another provider or a controller.
//! Who edits a field by hand holds it too. A plan that shows such a field as gone is kept all the same, as by helm's
//! three-way patch.

use kubernetes::Object;
use serde_json::{Map, Value as Json, json};

use super::MANAGER;

fn is_entry(entry: &Json, operation: &str) -> bool {
    entry["operation"] == operation && entry.get("subresource").is_none()
}

fn is_of_helm(entry: &Json, operation: &str) -> bool {
    is_entry(entry, operation) && entry["manager"] == MANAGER
}

fn entries(live: &Object) -> &[Json] {
    live.at("/metadata/managedFields").and_then(Json::as_array).map_or(&[], Vec::as_slice)
}

/// Whether helm holds fields that it wrote without server-side apply.
pub(super) fn has_updates_of_helm(live: &Object) -> bool {
    entries(live).iter().any(|entry| is_of_helm(entry, "Update"))
}

/// The managed fields with which an apply of `sent` takes away what the object had (`before`) and has no more. `None`: those
/// that it has do.
pub(super) fn handed_over(live: &Object, before: Option<&Json>, sent: &Object) -> Option<Json> {
    let (ours, mut others): (Vec<Json>, Vec<Json>) =
        entries(live).iter().cloned().partition(|entry| is_of_helm(entry, "Update") || is_of_helm(entry, "Apply"));
    let mut given = match before {
        Some(before) => given_up(&mut others, before, &sent.clone().into_json()),
        None => Vec::new(),
    };
    if given.is_empty() && !has_updates_of_helm(live) {
        return None;
    }
    given.splice(0..0, ours);
    Some(merged(given).into_iter().chain(others).collect())
}

/// What others hold as an `Update` of the fields that are dropped, taken out of their entries. Who applies goes on holding.
fn given_up(others: &mut Vec<Json>, before: &Json, sent: &Json) -> Vec<Json> {
    let mut given = Vec::new();
    others.retain_mut(|entry| {
        if !is_entry(entry, "Update") {
            return true;
        }
        let Some(fields) = entry["fieldsV1"].as_object_mut() else { return true };
        let (taken, is_left) = (take_dropped(fields, before, sent), !fields.is_empty());
        if !taken.is_empty() {
            let mut part = entry.clone();
            part["fieldsV1"] = Json::Object(taken);
            given.push(part);
        }
        is_left
    });
    given
}

/// One entry of helm's that holds what all of these hold, as applied.
fn merged(entries: Vec<Json>) -> Option<Json> {
    let mut all = entries.into_iter();
    let mut merged = all.next()?;
    merged["manager"] = json!(MANAGER);
    merged["operation"] = json!("Apply");
    for entry in all {
        union(&mut merged["fieldsV1"], &entry["fieldsV1"]);
    }
    Some(merged)
}

fn union(fields: &mut Json, more: &Json) {
    let Json::Object(more) = more else { return };
    if !fields.is_object() {
        *fields = Json::Object(Map::new());
    }
    let Json::Object(fields) = fields else { return };
    for (name, inner) in more {
        union(fields.entry(name.clone()).or_insert_with(|| json!({})), inner);
    }
}

/// Takes out of `fields` what `before` has and `sent` has not. What others have added beside it stays with them, but for
/// what they have added within an item of a list that goes: a part of an item is none.
fn take_dropped(fields: &mut Map<String, Json>, before: &Json, sent: &Json) -> Map<String, Json> {
    let mut taken = Map::new();
    fields.retain(|name, below| {
        let Some(had) = child(before, name) else { return true };
        let has = child(sent, name);
        let Json::Object(inside) = below else { return true };
        if has.is_none() && (name.starts_with("k:") || inside.is_empty()) {
            taken.insert(name.clone(), below.take());
            return false;
        }
        let mut inner = take_dropped(inside, had, has.unwrap_or(&Json::Null));
        if has.is_none() && inside.keys().all(|name| name == ".") {
            inner.append(inside);
        }
        if inner.is_empty() {
            return true;
        }
        taken.insert(name.clone(), Json::Object(inner));
        !inside.is_empty()
    });
    taken
}

/// What a name of the managed fields means in an object: `f:` a field, `k:` an item by its keys, `v:` an item by its value.
fn child<'a>(value: &'a Json, name: &str) -> Option<&'a Json> {
    let (kind, name) = name.split_once(':')?;
    let found = match kind {
        "f" => value.get(name)?,
        "k" => {
            let keys: Map<String, Json> = serde_json::from_str(name).ok()?;
            value.as_array()?.iter().find(|item| keys.iter().all(|(key, value)| item.get(key) == Some(value)))?
        }
        "v" => {
            let wanted: Json = serde_json::from_str(name).ok()?;
            value.as_array()?.iter().find(|item| **item == wanted)?
        }
        _ => return None,
    };
    (!found.is_null()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(spec: Json, managed: Json) -> Object {
        let metadata = json!({"name": "a", "namespace": "b", "managedFields": managed});
        Object::new(json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": metadata, "spec": spec})).unwrap()
    }

    fn entry(manager: &str, operation: &str, spec: Json) -> Json {
        json!({"manager": manager, "operation": operation, "apiVersion": "apps/v1", "fieldsV1": {"f:spec": spec}})
    }

    /// What of `fields` is taken, and what stays, where the spec was `before` and is to be `sent`.
    fn check(before: Json, sent: Json, fields: Json, taken: Json, left: Json) {
        let managed = json!([entry("x", "Update", fields.clone())]);
        let before = set(before, json!([])).into_json();
        let handed = handed_over(&set(json!({}), managed), Some(&before), &set(sent, json!([])));
        let expected: Vec<Json> = [("helm", "Apply", taken), ("x", "Update", left)]
            .into_iter()
            .filter(|(.., spec)| spec.is_object())
            .map(|(manager, operation, spec)| entry(manager, operation, spec))
            .collect();
        let nothing = expected.iter().all(|entry| entry["manager"] == "x");
        assert_eq!(handed, (!nothing).then_some(Json::Array(expected)), "{fields}");
    }

    #[test]
    fn what_helm_wrote_without_apply_is_counted_as_applied() {
        let fields = |name: &str| json!({ name: {} });
        let mut status = entry("helm", "Update", fields("f:d"));
        status["subresource"] = json!("status");
        let object = set(
            json!({}),
            json!([
                entry("helm", "Apply", fields("f:a")),
                entry("helm", "Update", fields("f:b")),
                entry("other", "Update", fields("f:c")),
                status,
            ]),
        );
        assert!(has_updates_of_helm(&object));
        let sent = set(json!({}), json!([]));
        let merged = handed_over(&object, None, &sent).unwrap();
        assert_eq!(merged.as_array().map(Vec::len), Some(3));
        assert_eq!(merged[0]["operation"], "Apply");
        assert_eq!(merged[0]["fieldsV1"], json!({"f:spec": {"f:a": {}, "f:b": {}}}));
        let settled =
            set(json!({}), json!([entry("helm", "Apply", fields("f:a")), entry("x", "Update", fields("f:b"))]));
        assert!(!has_updates_of_helm(&settled));
        assert_eq!(handed_over(&settled, None, &sent), None);
    }

    #[test]
    fn a_field_that_the_release_drops_goes_whoever_holds_it_and_every_other_stays() {
        let volume = |name: &str| json!({"name": name, "hostPath": {"path": "/a"}});
        let held = json!({".": {}, "f:name": {}, "f:hostPath": {".": {}, "f:path": {}, "f:type": {}}});
        check(
            json!({"volumes": [volume("old"), volume("kept")], "gone": true, "kept": 1}),
            json!({"volumes": [volume("kept")], "kept": 1}),
            json!({"f:volumes": {".": {}, "k:{\"name\":\"old\"}": held, "k:{\"name\":\"kept\"}": held}, "f:gone": {}, "f:kept": {}}),
            json!({"f:volumes": {"k:{\"name\":\"old\"}": held}, "f:gone": {}}),
            json!({"f:volumes": {".": {}, "k:{\"name\":\"kept\"}": held}, "f:kept": {}}),
        );
        // A map goes with its last field, and not where somebody has added one.
        let (before, sent) = (json!({"nodeSelector": {"a": "b"}}), json!({}));
        let ours = json!({"f:nodeSelector": {".": {}, "f:a": {}}});
        check(before.clone(), sent.clone(), ours.clone(), ours, Json::Null);
        check(
            before,
            sent,
            json!({"f:nodeSelector": {".": {}, "f:a": {}, "f:theirs": {}}}),
            json!({"f:nodeSelector": {"f:a": {}}}),
            json!({"f:nodeSelector": {".": {}, "f:theirs": {}}}),
        );
        // Nothing is dropped.
        let same = json!({"kept": {"a": 1}});
        let fields = json!({"f:kept": {"f:a": {}, "f:theirs": {}}, "f:theirs": {}});
        check(same.clone(), same, fields.clone(), Json::Null, fields);
    }

    #[test]
    fn who_applies_a_field_and_who_writes_a_status_keep_what_they_hold() {
        let mut status = entry("x", "Update", json!({"f:gone": {}}));
        status["subresource"] = json!("status");
        let live = set(json!({}), json!([entry("x", "Apply", json!({"f:gone": {}})), status]));
        let before = set(json!({"gone": 1}), json!([])).into_json();
        assert_eq!(handed_over(&live, Some(&before), &set(json!({}), json!([]))), None);
    }
}
