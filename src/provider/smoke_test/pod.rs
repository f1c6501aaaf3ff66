//! A pod's status, as far as a test is judged by it.

use kubernetes::Object;
use serde_json::Value;

/// A pod as the API server has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pod<'a>(pub(crate) &'a Object);

/// What the test's container does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Container<'a> {
    /// No kubelet has said anything yet.
    Unseen,
    /// It is not running yet, for this reason.
    Waiting {
        reason: &'a str,
        message: &'a str,
    },
    Running,
    /// It ended.
    Ended {
        code: i64,
        reason: &'a str,
        message: &'a str,
    },
}

/// Where a test stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    UnderWay,
    Succeeded,
    Failed,
}

impl<'a> Pod<'a> {
    fn text(self, pointer: &str) -> &'a str {
        self.0.at(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    pub(crate) fn progress(self) -> Progress {
        match self.phase() {
            "Succeeded" => Progress::Succeeded,
            "Failed" => Progress::Failed,
            _ => Progress::UnderWay,
        }
    }

    /// `Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`.
    pub(crate) fn phase(self) -> &'a str {
        self.text("/status/phase")
    }

    /// Why the whole pod failed, where a kubelet or controller says it: `Evicted`.
    pub(crate) fn reason(self) -> &'a str {
        self.text("/status/reason")
    }

    /// The same in words.
    pub(crate) fn message(self) -> &'a str {
        self.text("/status/message")
    }

    /// The node that it was given to.
    pub(crate) fn node(self) -> Option<&'a str> {
        Some(self.text("/spec/nodeName")).filter(|name| !name.is_empty())
    }

    /// Why the scheduler finds no node for it.
    pub(crate) fn unschedulable(self) -> Option<&'a str> {
        let scheduled = self.condition("PodScheduled")?;
        let field = |name: &str| scheduled.get(name).and_then(Value::as_str).unwrap_or_default();
        (field("status") == "False").then(|| field("message"))
    }

    /// Who takes it off its node: `PreemptionByScheduler`, `DeletionByTaintManager`.
    pub(crate) fn disruption(self) -> Option<&'a str> {
        self.condition("DisruptionTarget")?.get("reason").and_then(Value::as_str)
    }

    fn condition(self, kind: &str) -> Option<&'a Value> {
        let conditions = self.0.at("/status/conditions").and_then(Value::as_array)?;
        conditions.iter().find(|condition| condition.get("type").and_then(Value::as_str) == Some(kind))
    }

    pub(crate) fn container(self) -> Container<'a> {
        let Some(state) = self.0.at("/status/containerStatuses/0/state") else { return Container::Unseen };
        let text = |pointer: &str| state.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        if let Some(ended) = state.get("terminated").filter(|ended| !ended.is_null()) {
            Container::Ended {
                code: ended.get("exitCode").and_then(Value::as_i64).unwrap_or_default(),
                reason: text("/terminated/reason"),
                message: text("/terminated/message"),
            }
        } else if state.get("running").is_some_and(|running| !running.is_null()) {
            Container::Running
        } else if state.get("waiting").is_some_and(|waiting| !waiting.is_null()) {
            Container::Waiting { reason: text("/waiting/reason"), message: text("/waiting/message") }
        } else {
            Container::Unseen
        }
    }

    /// Whether there may be a log.
    pub(crate) fn has_started(self) -> bool {
        matches!(self.container(), Container::Running | Container::Ended { .. })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;

    /// A pod with this status on node `gpu-1`.
    pub(crate) fn with_status(status: Value) -> Object {
        Object::new(json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "b"},
            "spec": {"nodeName": "gpu-1"}, "status": status,
        }))
        .unwrap()
    }

    /// The status of a container with this state.
    pub(crate) fn container(phase: &str, state: Value) -> Value {
        json!({"phase": phase, "containerStatuses": [{"name": "test", "state": state}]})
    }

    #[test]
    fn a_container_is_in_one_state() {
        for (state, expect, started) in [
            (json!({}), Container::Unseen, false),
            (
                json!({"waiting": {"reason": "ContainerCreating"}}),
                Container::Waiting { reason: "ContainerCreating", message: "" },
                false,
            ),
            (json!({"waiting": null, "running": {"startedAt": "T"}}), Container::Running, true),
            (
                json!({"terminated": {"exitCode": 9, "reason": "Error", "message": "m"}}),
                Container::Ended { code: 9, reason: "Error", message: "m" },
                true,
            ),
        ] {
            let object = with_status(container("Pending", state));
            assert_eq!(Pod(&object).container(), expect);
            assert_eq!(Pod(&object).has_started(), started);
        }
        assert_eq!(Pod(&with_status(json!({}))).container(), Container::Unseen);
    }

    #[test]
    fn a_test_ends_with_its_pod_and_not_with_its_container() {
        let ended = json!({"terminated": {"exitCode": 0}});
        for (phase, expect) in [
            ("Running", Progress::UnderWay),
            ("Unknown", Progress::UnderWay),
            ("Succeeded", Progress::Succeeded),
            ("Failed", Progress::Failed),
        ] {
            assert_eq!(Pod(&with_status(container(phase, ended.clone()))).progress(), expect, "{phase}");
        }
    }

    #[test]
    fn the_scheduler_says_why_there_is_no_node() {
        let condition = json!({"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available"});
        let object = with_status(json!({"phase": "Pending", "conditions": [condition]}));
        assert_eq!(Pod(&object).unschedulable(), Some("0/1 nodes are available"));
        let object = with_status(json!({"conditions": [{"type": "PodScheduled", "status": "True"}]}));
        assert_eq!(Pod(&object).unschedulable(), None);
    }
}
