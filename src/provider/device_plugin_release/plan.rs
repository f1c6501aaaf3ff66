//! What a plan says: a pure function of configuration, prior state and private state.
//!
//! `manifest` is known as soon as all inputs are, so that a plan shows by object what changes. What was made of a
//! revision is known only after the apply, since others write revisions too.

use std::collections::BTreeMap;

use plugin::{Field, PlanRequest, Value};

use super::{
    manifest::{self, Change, Key},
    memory::Memory,
    wanted::{Manner, Wanted},
};

/// What an apply of the plan would do on the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing: no call is made for it, in the plan or in the apply.
    None,
    Create,
    Change,
}

/// A planned object and what it means.
#[derive(Clone, Debug)]
pub(super) struct Decision {
    pub(super) planned: Value,
    pub(super) effect: Effect,
    /// `None` while part of it is unknown.
    pub(super) wanted: Option<Wanted>,
    /// Objects that are deleted and made anew, with the field that makes it so.
    pub(super) replaced: BTreeMap<Key, &'static str>,
}

/// Decides a plan. `memory` is what the last apply left.
pub(super) fn decide(request: &PlanRequest, memory: &Memory) -> Decision {
    let mut planned = request.planned.clone();
    let wanted = Wanted::of(&planned);
    planned.set("manifest", wanted.as_ref().map_or_else(Value::unknown, Wanted::manifest));
    let prior = request.prior.as_ref().filter(|prior| is_same_release(prior, &planned));
    let effect = match prior {
        // A replacement is first planned against the old release; the create that follows is planned anew.
        None => Effect::Create,
        Some(prior) if is_settled(prior, &planned, wanted.as_ref(), memory) => Effect::None,
        Some(_) => Effect::Change,
    };
    planned.set("id", id(&planned));
    planned.set("app_version", planned.get("version").clone());
    let revision = match (effect, prior) {
        (Effect::None, Some(prior)) => prior.get("revision").clone(),
        _ if planned.get("helm_release_record").boolean() == Field::Known(false) => Value::Null,
        _ => Value::unknown(),
    };
    planned.set("revision", revision);
    let replaced = match (&wanted, effect) {
        (Some(wanted), Effect::Change) => replaced(prior, memory, wanted),
        _ => BTreeMap::new(),
    };
    Decision { planned, effect, wanted, replaced }
}

fn is_same_release(prior: &Value, planned: &Value) -> bool {
    ["name", "namespace"].iter().all(|name| prior.get(name).same(planned.get(name)))
}

fn id(planned: &Value) -> Value {
    let text = |name: &str| planned.get(name).string().known();
    match text("namespace").zip(text("name")) {
        Some((namespace, name)) => Value::from(format!("{namespace}/{name}")),
        None => Value::unknown(),
    }
}

/// Whether the cluster has what is wanted, by what the state says of it, so that an apply has nothing to do. `planned` is
/// what a plan gave, with its manifest.
pub(super) fn is_settled(prior: &Value, planned: &Value, wanted: Option<&Wanted>, memory: &Memory) -> bool {
    let Some(wanted) = wanted else { return false };
    let revision = prior.get("revision").integer().known().and_then(|number| u32::try_from(number).ok());
    !memory.unfinished
        && revision == memory.revision
        && Manner::of(prior).writes_record == Manner::of(planned).writes_record
        && wanted.has_values_of(prior)
        && prior.get("manifest").same(planned.get("manifest"))
}

/// By what was last applied, and by what stands: somebody may have made an object anew with other fields.
fn replaced(prior: Option<&Value>, memory: &Memory, wanted: &Wanted) -> BTreeMap<Key, &'static str> {
    let standing = prior.map(manifest::shown).unwrap_or_default();
    let changes = [&memory.objects, &standing].map(|before| manifest::changes(before, &wanted.objects));
    let replaced = changes.into_iter().flatten().filter_map(|(key, change)| match change {
        Change::Replaced(field) => Some((key, field)),
        _ => None,
    });
    replaced.collect()
}

#[cfg(test)]
pub(super) mod tests {
    use plugin::Private;

    use super::super::schema;
    use super::*;

    /// An object with the schema's defaults.
    pub(in super::super) fn object(change: &[(&str, Value)]) -> Value {
        let mut object = Value::object(schema::schema().attributes.iter().map(|attribute| {
            let value = attribute.default.clone();
            (attribute.name, value.unwrap_or(if attribute.is_computed() { Value::unknown() } else { Value::Null }))
        }));
        object.set("version", Value::from("0.17.4"));
        for (name, value) in change {
            object.set(name, value.clone());
        }
        object
    }

    /// As an apply leaves it.
    fn applied(change: &[(&str, Value)]) -> (Value, Memory) {
        let mut state = plan(None, &Memory::default(), change).planned;
        state.set("revision", Value::from(1_i64));
        let objects = Wanted::of(&state).unwrap().owned();
        (state, Memory { objects, revision: Some(1), ..Memory::default() })
    }

    fn plan(prior: Option<Value>, memory: &Memory, change: &[(&str, Value)]) -> Decision {
        let planned = object(change);
        decide(&PlanRequest { config: planned.clone(), prior, planned, private: Private::empty() }, memory)
    }

    #[test]
    fn a_create_shows_every_object_and_not_the_revision() {
        let decision = plan(None, &Memory::default(), &[]);
        assert_eq!(decision.effect, Effect::Create);
        assert_eq!(decision.planned.get("id"), &Value::from("nvidia-device-plugin/nvidia-device-plugin"));
        assert_eq!(decision.planned.get("app_version"), &Value::from("0.17.4"));
        assert!(decision.planned.get("manifest").entries().known().is_some_and(|objects| objects.len() == 2));
        assert!(decision.planned.get("revision").is_unknown());
        let without = plan(None, &Memory::default(), &[("helm_release_record", Value::from(false))]);
        assert!(without.planned.get("revision").is_null());
        let unknown = plan(None, &Memory::default(), &[("runtime_class_name", Value::unknown())]);
        assert!(unknown.planned.get("manifest").is_unknown());
    }

    #[test]
    fn nothing_is_planned_when_the_cluster_has_what_was_applied() {
        let (state, memory) = applied(&[]);
        let decision = plan(Some(state.clone()), &memory, &[]);
        assert_eq!((decision.effect, decision.planned), (Effect::None, state));
    }

    #[test]
    fn another_wait_is_nothing_to_the_cluster() {
        let (state, memory) = applied(&[]);
        for change in [("wait_for", Value::from("none")), ("min_ready_nodes", Value::from(0_i64))] {
            let decision = plan(Some(state.clone()), &memory, std::slice::from_ref(&change));
            assert_eq!(decision.effect, Effect::None, "{change:?}");
            assert_eq!(decision.planned.get("revision"), &Value::from(1_i64));
        }
    }

    #[test]
    fn each_of_these_is_a_change() {
        let (state, memory) = applied(&[]);
        let is_change = |state: &Value, memory: &Memory, change: &[(&str, Value)]| {
            let decision = plan(Some(state.clone()), memory, change);
            assert_eq!(decision.effect, Effect::Change, "{change:?}");
            decision
        };
        is_change(&state, &memory, &[("version", Value::from("0.18.0"))]);
        is_change(&state, &memory, &[("runtime_class_name", Value::from("nvidia"))]);
        // Without effect on an object, but helm shows the values.
        is_change(&state, &memory, &[("gfd", Value::object([("sleep_interval", Value::from("60s"))]))]);
        let decision = is_change(&state, &memory, &[("helm_release_record", Value::from(false))]);
        assert!(decision.planned.get("revision").is_null());
        is_change(&state, &Memory { unfinished: true, ..memory.clone() }, &[]);
        is_change(&state, &Memory { revision: Some(2), ..memory.clone() }, &[]);
        let mut drifted = state.clone();
        drifted.set("manifest", Value::map::<String>([]));
        let decision = is_change(&drifted, &memory, &[]);
        assert_eq!(decision.planned.get("manifest"), state.get("manifest"));
    }

    #[test]
    fn a_selector_that_somebody_else_changed_replaces_the_daemon_set_too() {
        let (mut state, memory) = applied(&[]);
        let drifted = memory.objects.iter().map(|object| {
            let mut object = object.clone();
            object["spec"]["selector"]["matchLabels"]["of"] = "others".into();
            (Key::of(&object).to_string(), Value::from(manifest::canonical(&object)))
        });
        state.set("manifest", Value::map(drifted));
        let decision = plan(Some(state), &memory, &[]);
        assert!(decision.replaced.values().all(|field| *field == "spec.selector"), "{:?}", decision.replaced);
        assert_eq!(decision.replaced.len(), 2);
    }

    #[test]
    fn another_selector_replaces_the_daemon_set() {
        let (state, memory) = applied(&[]);
        let labels = Value::map([("app", Value::from("other"))]);
        let decision = plan(Some(state), &memory, &[("selector_labels_override", labels)]);
        assert!(!decision.replaced.is_empty());
        assert!(decision.replaced.values().all(|field| *field == "spec.selector"), "{:?}", decision.replaced);
    }
}
