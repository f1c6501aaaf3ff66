//! What a plan says: a pure function of configuration and prior state.
//!
//! Every input replaces (the schema says so), since another input is another test. All that can change in place is a
//! timeout, and what the last run found stays with it.

use kubernetes::{Kind, ObjectRef};
use plugin::{PlanRequest, Value};

use super::schema::{INPUTS, RESULTS};

/// The planned object.
pub(super) fn decide(request: &PlanRequest) -> Value {
    let mut planned = request.planned.clone();
    let (name, namespace) = (planned.get("name").string().known(), planned.get("namespace").string().known());
    let id = name.zip(namespace).map(|(name, namespace)| Value::from(format!("{namespace}/{name}")));
    planned.set("id", id.unwrap_or_else(Value::unknown));
    let same_test = |prior: &&Value| INPUTS.iter().all(|name| prior.get(name).same(planned.get(name)));
    let prior = request.prior.as_ref().filter(same_test);
    for name in RESULTS {
        planned.set(name, prior.map_or_else(Value::unknown, |prior| prior.get(name).clone()));
    }
    planned
}

/// The pod that an apply of this plan would make; none when it would run no test. A name that is not known yet is empty.
pub(super) fn runs(planned: &Value) -> Option<ObjectRef> {
    let text = |name: &str| planned.get(name).string().known().unwrap_or_default();
    let pod = ObjectRef::in_namespace(Kind::POD, text("namespace"), text("name"));
    planned.get("output").is_unknown().then_some(pod)
}

#[cfg(test)]
mod tests {
    use plugin::Private;

    use super::super::model::tests::object;
    use super::*;

    fn ran() -> Value {
        let mut object = object(&[("id", Value::from("default/nvidia-smoke-test"))]);
        for name in RESULTS {
            object.set(name, Value::from("as it was"));
        }
        object
    }

    fn plan(prior: Option<Value>, change: &[(&str, Value)]) -> Value {
        let mut planned = object(change);
        // As the server proposes it once anything differs.
        planned.set("id", Value::unknown());
        decide(&PlanRequest { config: planned.clone(), prior, planned, private: Private::empty() })
    }

    #[test]
    fn a_create_knows_its_id_and_nothing_of_what_comes() {
        let planned = plan(None, &[]);
        assert_eq!(planned.get("id"), &Value::from("default/nvidia-smoke-test"));
        assert!(RESULTS.iter().all(|name| planned.get(name).is_unknown()));
        assert!(plan(None, &[("name", Value::unknown())]).get("id").is_unknown());
    }

    #[test]
    fn another_timeout_leaves_the_result_as_it_is() {
        let timeouts = Value::object([("create", Value::from("1m")), ("delete", Value::Null)]);
        let planned = plan(Some(ran()), &[("timeouts", timeouts)]);
        for name in RESULTS {
            assert_eq!(planned.get(name), &Value::from("as it was"), "{name}");
        }
        assert_eq!(planned.get("id"), &Value::from("default/nvidia-smoke-test"));
    }

    #[test]
    fn only_what_has_no_result_yet_runs() {
        assert!(runs(&plan(None, &[])).is_some_and(|pod| pod.to_string() == "Pod default/nvidia-smoke-test"));
        assert_eq!(runs(&plan(Some(ran()), &[])), None);
    }

    #[test]
    fn any_other_input_is_another_test() {
        for name in INPUTS {
            for value in [Value::from("other"), Value::unknown()] {
                let planned = plan(Some(ran()), &[(name, value)]);
                assert!(RESULTS.iter().all(|name| planned.get(name).is_unknown()), "{name}");
            }
        }
    }
}
