//! What a read stores: our fields as they stand on the cluster, and nothing that is not ours. Pure.

use kubernetes::{Object, drift};
use plugin::Value;

use super::model;

/// The state to store: `state` with every owned value as the cluster has it. `applied` is what is ours.
pub(super) fn state(state: &Value, applied: &Object, live: &Object) -> Value {
    let standing = drift::standing(applied, live);
    let mut new = state.clone();
    for (name, value) in model::attributes(&standing) {
        let is_ours = model::attributes(&applied_json(applied)).iter().any(|(n, ours)| *n == name && !ours.is_null());
        new.set(name, if is_ours { emptied(name, value) } else { Value::Null });
    }
    new.set("handler", live.at("/handler").and_then(|handler| handler.as_str()).map_or(Value::Null, Value::from));
    new.set("id", Value::from(live.name()));
    new.set("uid", Value::from(live.uid()));
    new
}

fn applied_json(applied: &Object) -> serde_json::Value {
    serde_json::Value::Object(applied.fields().clone())
}

/// What is ours and gone is empty, not absent: the plan then says what is added to it.
fn emptied(name: &str, value: Value) -> Value {
    match (name, value) {
        ("scheduling", Value::Null) => Value::Null,
        (_, Value::Null) => Value::map::<String>([]),
        (_, value) => value,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::model::tests::full;
    use super::*;

    fn live(change: impl FnOnce(&mut serde_json::Value)) -> Object {
        let mut live = model::object(&full()).unwrap().into_json();
        live["metadata"]["uid"] = json!("u1");
        live["metadata"]["labels"]["foreign"] = json!("x");
        live["metadata"]["annotations"] = json!({"kubectl.kubernetes.io/last-applied-configuration": "{}"});
        live["overhead"]["podFixed"]["memory"] = json!("1Gi");
        change(&mut live);
        Object::new(live).unwrap()
    }

    fn read(change: impl FnOnce(&mut serde_json::Value)) -> Value {
        state(&full(), &model::object(&full()).unwrap(), &live(change))
    }

    #[test]
    fn what_others_add_and_another_way_to_write_is_not_seen() {
        assert_eq!(read(|_| ()), full());
    }

    #[test]
    fn what_is_changed_shows_on_its_attribute() {
        let changed = read(|live| live["metadata"]["labels"]["a"] = json!("2"));
        assert_eq!(changed.get("labels"), &Value::map([("a", Value::from("2"))]));
        let changed = read(|live| live["overhead"]["podFixed"]["memory"] = json!("2Gi"));
        assert_eq!(changed.get("pod_overhead"), &Value::map([("memory", Value::from("2Gi"))]));
        let changed = read(|live| live["scheduling"]["nodeSelector"]["more"] = json!("x"));
        assert_eq!(changed.get("scheduling").get("node_selector").entries().known().map(|e| e.len()), Some(2));
    }

    #[test]
    fn what_is_gone_is_empty() {
        let gone = read(|live| drop(live.as_object_mut().unwrap().remove("overhead")));
        assert_eq!(gone.get("pod_overhead"), &Value::map::<String>([]));
        let gone = read(|live| drop(live.as_object_mut().unwrap().remove("scheduling")));
        assert!(gone.get("scheduling").is_null());
        let gone = read(|live| drop(live["metadata"].as_object_mut().unwrap().remove("labels")));
        assert_eq!(gone.get("labels"), &Value::map::<String>([]));
    }
}
