//! What a kubelet answers for the log of a container, as a function of the pod.
//!
//! The words of its refusals are a kubelet's (`validateContainerLogStatus` in `pkg/kubelet/kubelet_pods.go`), because
//! they are what a user reads.

use serde_json::Value;

/// The annotation that holds what the containers of a pod print.
pub(crate) const TEXT: &str = "pod.test/log";

/// What was asked for, of `PodLogOptions`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) follow: bool,
    pub(crate) previous: bool,
    pub(crate) timestamps: bool,
    pub(crate) tail: Option<usize>,
    pub(crate) limit: Option<usize>,
}

/// The answer at this moment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Log {
    /// There is none, and why, with the code of HTTP.
    Refused(u16, String),
    /// All that there is until now, and whether more can come.
    Printed(String, bool),
}

/// The log of a container of this pod. A pod that is `None` is gone.
pub(crate) fn log(pod: Option<&Value>, name: &str, container: &str, wanted: Wanted) -> Log {
    let Some(pod) = pod else { return Log::Refused(404, format!("pod {name:?} does not exist")) };
    if !["containers", "initContainers"].iter().any(|list| find(&pod["spec"][list], container).is_some()) {
        return Log::Refused(404, format!("container {container:?} not found in pod {name:?}"));
    }
    let refused = |why: &str| Log::Refused(400, format!("container {container:?} in pod {name:?} {why}"));
    let status =
        ["containerStatuses", "initContainerStatuses"].iter().find_map(|list| find(&pod["status"][list], container));
    let Some(status) = status else { return refused("is not available") };
    let (state, last) = (&status["state"], &status["lastState"]["terminated"]);
    if wanted.previous && last.is_null() {
        return Log::Refused(400, format!("previous terminated container {container:?} in pod {name:?} not found"));
    }
    let (since, ended) = if wanted.previous || (state["waiting"].is_object() && last.is_object()) {
        (&last["startedAt"], true)
    } else if state["terminated"].is_object() {
        (&state["terminated"]["startedAt"], true)
    } else if state["running"].is_object() {
        (&state["running"]["startedAt"], false)
    } else {
        return refused(&match state["waiting"]["reason"].as_str() {
            Some("ErrImagePull") => "is waiting to start: image can't be pulled".to_owned(),
            Some("ImagePullBackOff") => "is waiting to start: trying and failing to pull image".to_owned(),
            Some(reason) => format!("is waiting to start: {reason}"),
            None => "is waiting to start - no logs yet".to_owned(),
        });
    };
    let text = pod["metadata"]["annotations"][TEXT].as_str().unwrap_or_default();
    let since = wanted.timestamps.then(|| since.as_str().unwrap_or_default());
    Log::Printed(cut(&lines(text, wanted.tail, since), wanted.limit).to_owned(), !ended)
}

fn find<'a>(list: &'a Value, name: &str) -> Option<&'a Value> {
    list.as_array()?.iter().find(|item| item["name"] == name)
}

fn lines(text: &str, tail: Option<usize>, since: Option<&str>) -> String {
    let all: Vec<&str> = text.lines().collect();
    let first = tail.map_or(0, |tail| all.len().saturating_sub(tail));
    let line = |line: &&str| since.map_or_else(|| format!("{line}\n"), |since| format!("{since} {line}\n"));
    all[first..].iter().map(line).collect()
}

/// Whole characters, at most so many bytes.
fn cut(text: &str, limit: Option<usize>) -> &str {
    let limit = limit.unwrap_or(text.len());
    let fits = |&end: &usize| end <= limit;
    let ends = text.char_indices().map(|(start, character)| start + character.len_utf8());
    &text[..ends.take_while(fits).last().unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Log, Wanted, log};

    fn pod(state: Value) -> Value {
        json!({
            "metadata": {"annotations": {"pod.test/log": "one\ntwo\nthrée"}},
            "spec": {"containers": [{"name": "main"}]},
            "status": {"containerStatuses": [{"name": "main", "state": state}]},
        })
    }

    fn printed(text: &str, more: bool) -> Log {
        Log::Printed(text.to_owned(), more)
    }

    #[test]
    fn a_container_has_a_log_from_when_it_runs_and_the_log_ends_with_it() {
        let running = json!({"running": {"startedAt": "T"}});
        let ended = json!({"terminated": {"startedAt": "T", "exitCode": 1}});
        let whole = "one\ntwo\nthrée\n";
        let cases = [
            (&running, Wanted::default(), printed(whole, true)),
            (&ended, Wanted::default(), printed(whole, false)),
            (&ended, Wanted { tail: Some(2), ..Wanted::default() }, printed("two\nthrée\n", false)),
            (&ended, Wanted { tail: Some(9), timestamps: true, ..Wanted::default() }, {
                printed("T one\nT two\nT thrée\n", false)
            }),
            (&ended, Wanted { limit: Some(12), ..Wanted::default() }, printed("one\ntwo\nthr", false)),
            (&ended, Wanted { limit: Some(13), ..Wanted::default() }, printed("one\ntwo\nthré", false)),
        ];
        for (state, wanted, expect) in cases {
            assert_eq!(log(Some(&pod(state.clone())), "p", "main", wanted), expect, "{wanted:?}");
        }
    }

    #[test]
    fn a_container_that_waits_says_for_what() {
        for (reason, words) in [
            ("ContainerCreating", "ContainerCreating"),
            ("ImagePullBackOff", "trying and failing to pull image"),
            ("ErrImagePull", "image can't be pulled"),
        ] {
            let waiting = pod(json!({"waiting": {"reason": reason}}));
            let expect = format!("container \"main\" in pod \"p\" is waiting to start: {words}");
            assert_eq!(log(Some(&waiting), "p", "main", Wanted::default()), Log::Refused(400, expect));
        }
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        let running = pod(json!({"running": {}}));
        let refused = |pod: Option<&Value>, container: &str| match log(pod, "p", container, Wanted::default()) {
            Log::Refused(code, _) => code,
            Log::Printed(..) => 200,
        };
        assert_eq!(refused(None, "main"), 404);
        assert_eq!(refused(Some(&running), "other"), 404);
    }
}
