//! What a plan says: a pure function of configuration, prior state and private state.

use kubernetes::{Object, Quantity, drift};
use plugin::{Field, PlanRequest, Value};

use super::model::{self, Memory};

/// What an apply of the plan would do on the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing: no call is made for it, in the plan or in the apply.
    None,
    /// A new object.
    Create,
    /// A change of the object.
    Change,
}

/// A planned object and what it means.
#[derive(Clone, Debug)]
pub(super) struct Decision {
    pub(super) planned: Value,
    pub(super) effect: Effect,
}

/// Decides a plan. `memory` is what the last apply left.
pub(super) fn decide(request: &PlanRequest, memory: Option<&Memory>) -> Decision {
    match &request.prior {
        Some(prior) if is_same_object(prior, &request.planned) => update(request, prior, memory),
        // A replacement is first planned against the old object; the create that follows is planned anew.
        _ => create(request),
    }
}

fn is_same_object(prior: &Value, planned: &Value) -> bool {
    ["name", "handler"].iter().all(|name| prior.get(name) == planned.get(name))
}

fn create(request: &PlanRequest) -> Decision {
    let mut planned = request.planned.clone();
    planned.set("id", planned.get("name").clone());
    planned.set("uid", Value::unknown());
    Decision { planned, effect: Effect::Create }
}

fn update(request: &PlanRequest, prior: &Value, memory: Option<&Memory>) -> Decision {
    let mut planned = request.planned.clone();
    for name in ["id", "uid"] {
        planned.set(name, prior.get(name).clone());
    }
    // Another way to write the same is no change: a plan may say what is configured or what was there before. The state
    // keeps its way until something else changes, since a plan without changes writes no state.
    let overhead = prior.get("pod_overhead");
    if are_same_amounts(planned.get("pod_overhead"), overhead) {
        planned.set("pod_overhead", overhead.clone());
    }
    let wanted = model::object(&planned);
    let observed = model::object(prior);
    let applied = memory.and_then(Memory::object);
    let is_settled = wanted.is_some_and(|wanted| {
        observed.is_some_and(|observed| same(&wanted, &observed))
            && applied.is_none_or(|applied| same(&wanted, &applied))
    });
    Decision { planned, effect: if is_settled { Effect::None } else { Effect::Change } }
}

/// Whether two maps of quantities have the same keys and amounts, however they are written.
fn are_same_amounts(one: &Value, other: &Value) -> bool {
    let (Field::Known(one), Field::Known(other)) = (one.entries(), other.entries()) else { return false };
    let amount = |value: &Value| value.string().known().and_then(|text| text.parse::<Quantity>().ok());
    one.len() == other.len()
        && one.iter().all(|(name, value)| {
            let pair = amount(value).zip(other.get(name).and_then(amount));
            pair.is_some_and(|(one, other)| one == other)
        })
}

/// Whether two objects mean the same.
pub(super) fn same(a: &Object, b: &Object) -> bool {
    drift::differences(a, b).is_empty() && drift::differences(b, a).is_empty()
}

#[cfg(test)]
mod tests {
    use plugin::Private;

    use super::super::model::tests::full;
    use super::*;

    fn plan(prior: Option<Value>, change: &[(&str, Value)]) -> Decision {
        let mut planned = full();
        for (name, value) in change {
            planned.set(name, value.clone());
        }
        let memory = Memory::new(&model::object(&full()).unwrap());
        let request = PlanRequest { config: planned.clone(), prior, planned, private: Private::empty() };
        decide(&request, Some(&memory))
    }

    #[test]
    fn nothing_is_planned_when_the_cluster_has_what_was_applied() {
        let decision = plan(Some(full()), &[]);
        assert_eq!((decision.effect, decision.planned), (Effect::None, full()));
    }

    #[test]
    fn another_way_to_write_an_amount_is_no_change() {
        let written = |memory: Value| plan(Some(full()), &[("pod_overhead", Value::map([("memory", memory)]))]);
        let other = written("1Gi".into());
        assert_eq!((other.effect, other.planned), (Effect::None, full()));
        let more = written("2Gi".into());
        assert_eq!(more.effect, Effect::Change);
        assert_eq!(more.planned.get("pod_overhead"), &Value::map([("memory", Value::from("2Gi"))]));
        assert!(!written(Value::unknown()).planned.get("pod_overhead").is_wholly_known());
    }

    #[test]
    fn one_more_amount_is_a_change_in_the_words_of_the_configuration() {
        let both = Value::map([("memory", Value::from("1Gi")), ("cpu", "1".into())]);
        let decision = plan(Some(full()), &[("pod_overhead", both.clone())]);
        assert_eq!((decision.effect, decision.planned.get("pod_overhead")), (Effect::Change, &both));
        let other = Value::map([("cpu", Value::from("1024Mi"))]);
        assert_eq!(plan(Some(full()), &[("pod_overhead", other.clone())]).planned.get("pod_overhead"), &other);
        let gone = plan(Some(full()), &[("pod_overhead", Value::map::<String>([]))]);
        assert_eq!(gone.effect, Effect::Change);
    }

    #[test]
    fn what_is_missing_on_the_cluster_is_a_change() {
        let mut prior = full();
        prior.set("labels", Value::map::<String>([]));
        assert_eq!(plan(Some(prior), &[]).effect, Effect::Change);
    }

    #[test]
    fn what_is_taken_out_of_the_configuration_is_a_change() {
        assert_eq!(plan(Some(full()), &[("labels", Value::Null)]).effect, Effect::Change);
        assert_eq!(plan(Some(full()), &[("scheduling", Value::Null)]).effect, Effect::Change);
    }

    #[test]
    fn a_timeout_is_nothing_to_the_cluster() {
        let timeouts = Value::object([("create", Value::from("5m"))]);
        assert_eq!(plan(Some(full()), &[("timeouts", timeouts)]).effect, Effect::None);
    }

    #[test]
    fn what_is_unknown_is_a_change_with_the_same_identity() {
        let decision = plan(Some(full()), &[("labels", Value::unknown())]);
        assert_eq!((decision.effect, decision.planned.get("uid")), (Effect::Change, &"u1".into()));
    }

    #[test]
    fn another_handler_is_another_object() {
        let decision = plan(Some(full()), &[("handler", "other".into())]);
        assert_eq!(decision.effect, Effect::Create);
        assert!(decision.planned.get("uid").is_unknown());
        assert_eq!(plan(None, &[]).planned.get("id"), &"nvidia".into());
    }
}
