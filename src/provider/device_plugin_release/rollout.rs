//! Whether a DaemonSet is rolled out, by the rules of kstatus: what is seen, updated, available and ready is all that
//! is wanted. Zero wanted is rolled out too, so the number of ready nodes is asked for on its own.

use serde_json::Value as Json;

/// What a DaemonSet says of its pods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rollout {
    /// The controller has seen the newest generation.
    pub(super) is_seen: bool,
    /// Nodes that should run a pod.
    pub(crate) desired: u64,
    pub(super) current: u64,
    /// Pods of the newest generation; all, where pods are only replaced when somebody deletes them.
    pub(crate) updated: u64,
    pub(super) available: u64,
    pub(crate) ready: u64,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// The controller has not looked at the newest generation.
    NotSeen,
    /// Pods are missing or of an older generation.
    Updating,
    /// Pods run and are not all ready and available.
    NotReady,
    /// Rolled out, on fewer nodes than are asked for.
    TooFew,
    Done,
}

impl Rollout {
    /// Of a live DaemonSet.
    pub(super) fn of(daemon_set: &Json) -> Self {
        let number = |pointer: &str| daemon_set.pointer(pointer).and_then(Json::as_u64);
        let status = |name: &str| number(&format!("/status/{name}")).unwrap_or_default();
        let on_delete = daemon_set.pointer("/spec/updateStrategy/type").and_then(Json::as_str) == Some("OnDelete");
        let current = status("currentNumberScheduled");
        Self {
            is_seen: daemon_set.pointer("/status/desiredNumberScheduled").is_some()
                && number("/status/observedGeneration") >= number("/metadata/generation"),
            desired: status("desiredNumberScheduled"),
            current,
            updated: if on_delete { current } else { status("updatedNumberScheduled") },
            available: status("numberAvailable"),
            ready: status("numberReady"),
        }
    }

    /// How far it is, with at least `least` ready nodes asked for.
    pub(super) fn progress(self, least: u64) -> Progress {
        if !self.is_seen {
            Progress::NotSeen
        } else if self.current < self.desired || self.updated < self.desired {
            Progress::Updating
        } else if self.available < self.desired || self.ready < self.desired {
            Progress::NotReady
        } else if self.ready < least {
            Progress::TooFew
        } else {
            Progress::Done
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn daemon_set(strategy: &str, generation: u64, numbers: [u64; 5]) -> Json {
        let [desired, current, updated, available, ready] = numbers;
        json!({
            "metadata": { "generation": generation },
            "spec": { "updateStrategy": { "type": strategy } },
            "status": {
                "observedGeneration": 2, "desiredNumberScheduled": desired, "currentNumberScheduled": current,
                "updatedNumberScheduled": updated, "numberAvailable": available, "numberReady": ready,
            },
        })
    }

    fn check(strategy: &str, generation: u64, numbers: [u64; 5], least: u64, expected: Progress) {
        let progress = Rollout::of(&daemon_set(strategy, generation, numbers)).progress(least);
        assert_eq!(progress, expected, "{strategy} {generation} {numbers:?} {least}");
    }

    #[test]
    fn a_rollout_is_done_when_every_number_is_the_wanted_one() {
        check("RollingUpdate", 2, [2, 2, 2, 2, 2], 1, Progress::Done);
        check("RollingUpdate", 3, [2, 2, 2, 2, 2], 1, Progress::NotSeen);
        check("RollingUpdate", 2, [2, 1, 1, 1, 1], 1, Progress::Updating);
        check("RollingUpdate", 2, [2, 2, 1, 2, 2], 1, Progress::Updating);
        check("RollingUpdate", 2, [2, 2, 2, 1, 2], 1, Progress::NotReady);
        check("RollingUpdate", 2, [2, 2, 2, 2, 1], 1, Progress::NotReady);
    }

    #[test]
    fn old_pods_stay_where_somebody_else_deletes_them() {
        check("OnDelete", 2, [2, 2, 0, 2, 2], 1, Progress::Done);
    }

    #[test]
    fn no_node_is_rolled_out_and_too_few() {
        check("RollingUpdate", 2, [0, 0, 0, 0, 0], 1, Progress::TooFew);
        check("RollingUpdate", 2, [0, 0, 0, 0, 0], 0, Progress::Done);
        check("RollingUpdate", 2, [2, 2, 2, 2, 2], 3, Progress::TooFew);
    }

    #[test]
    fn a_daemon_set_without_a_status_is_not_seen() {
        assert_eq!(Rollout::of(&json!({ "metadata": { "generation": 1 } })).progress(0), Progress::NotSeen);
    }
}
