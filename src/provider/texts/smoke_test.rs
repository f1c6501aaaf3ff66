//! What `nvidia_smoke_test` says: why a test failed, in words and with what the cluster showed of it.

mod words;

use std::{fmt::Write as _, time::Duration};

use kubernetes::{Error, Event};
use plugin::{Diagnostics, Path};

use self::words::{place, words};
use super::{cluster::failed_call, list, on, span};
use crate::smoke_test::{
    log,
    model::Test,
    pod::{Container, Pod},
    reason::{Evidence, Reason},
};

/// How many of the last events an error shows.
const EVENTS: usize = 10;

/// Why a test has no result.
#[derive(Debug)]
pub(crate) enum Ending {
    /// Its pod failed.
    Failed,
    /// Its pod cannot start, however long it is waited for.
    Hopeless,
    /// The deadline passed.
    TimedOut(Duration),
    /// The user asked to stop.
    Interrupted,
    /// Somebody deleted the pod.
    Vanished,
    /// The cluster could not be asked how it goes on.
    Lost(Error),
}

/// Diagnostics about one test.
pub(crate) struct SayTest<'a> {
    pub(crate) test: &'a Test,
    pub(crate) diagnostics: &'a mut Diagnostics,
}

impl SayTest<'_> {
    fn error(&mut self, path: Path, summary: &str, detail: String) {
        self.diagnostics.error(path, summary, detail);
    }

    // Before there is a pod.

    pub(crate) fn not_made(&mut self, error: &Error, reason: Option<&Reason>) {
        let (pod, server) = (self.test.id(), error.server());
        let detail = match reason {
            Some(reason) => format!("Pod {pod} was not made at {server}. {}", words(reason, self.test, None)),
            None => format!("Pod {pod} was not made. {}", failed_call(error)),
        };
        let path = reason.map_or_else(Path::root, place);
        self.error(path, "The smoke test could not begin", detail);
    }

    pub(crate) fn foreign_pod(&mut self) {
        let pod = self.test.id();
        self.error(
            on("name"),
            "Another pod has this name",
            format!("There is a pod {pod} that no smoke test has made, so it was left alone and nothing was tested. Choose another `name` or `namespace`, or delete that pod if it is not needed."),
        );
    }

    pub(crate) fn taken(&mut self, waited: Duration) {
        let Test { name, namespace, .. } = self.test;
        self.error(
            on("name"),
            "Another smoke test of this name is running",
            format!("Pod {namespace}/{name} belongs to another smoke test, whose run is alive or whose pod is still being removed, and it was not gone after {}. Give this test another `name`, or wait for that one. If its node is gone for good: `kubectl delete pod {name} -n {namespace} --force`.", span(waited)),
        );
    }

    pub(crate) fn stopped_before(&mut self) {
        let pod = self.test.id();
        self.error(
            Path::root(),
            "Interrupted",
            format!("The smoke test was interrupted before pod {pod} was made. Nothing is in the state: the next apply tests again."),
        );
    }

    // After it ran.

    pub(crate) fn failed(&mut self, ending: &Ending, evidence: &Evidence<'_>) {
        let reason = evidence.reason();
        let (summary, what) = ended(ending, self.test);
        let path = match (ending, &reason) {
            (Ending::Interrupted | Ending::Vanished | Ending::Lost(_), _) => Path::root(),
            (Ending::TimedOut(_), None) => on("timeouts"),
            (_, reason) => reason.as_ref().map_or_else(Path::root, place),
        };
        let node = evidence.pod.node();
        let at = node.map(|node| format!(" on node {node}")).unwrap_or_default();
        let why = reason.map(|reason| format!(" {}", words(&reason, self.test, node))).unwrap_or_default();
        let detail = format!(
            "Pod {}{at} {what}.{why}\n\n{}\nNothing is in the state: the next apply tests again.",
            self.test.id(),
            shown(evidence)
        );
        self.error(path, summary, detail);
    }

    pub(crate) fn no_log(&mut self, node: Option<&str>, error: &Error) {
        let (pod, node) = (self.test.id(), node.unwrap_or("its node"));
        self.error(
            Path::root(),
            "The log of the smoke test cannot be read",
            format!("Pod {pod} ended well on {node}, and what it printed could not be had, so nothing is known of the GPUs. {} A log comes from the node's kubelet (port 10250) through the API server. Nothing is in the state: the next apply tests again.", failed_call(error)),
        );
    }

    pub(crate) fn failing_gpus(&mut self, node: &str, gpus: &[String]) {
        let which = if gpus.len() == 1 { "GPU" } else { "GPUs" };
        self.diagnostics.warn(
            on("detected_gpus"),
            "A GPU does not answer in full",
            format!("nvidia-smi shows ERR! for {which} {} of node {node}: such a GPU has failed or is about to. Look for Xid errors in `talosctl dmesg`, and reboot the node.", list(gpus)),
        );
    }

    // Its pod.

    pub(crate) fn pod_left(&mut self, error: Option<&Error>, remembered: bool) {
        let Test { name, namespace, .. } = self.test;
        let why = error
            .map_or_else(|| "It was told to go, and its kubelet has not confirmed it yet.".to_owned(), failed_call);
        let next =
            if remembered { "A destroy of this resource deletes it" } else { "The next test of this name removes it" };
        self.diagnostics.warn(
            Path::root(),
            "The pod of the smoke test is still there",
            format!("Pod {namespace}/{name} could not be seen to be gone. {why} {next}; by hand: `kubectl delete pod {name} -n {namespace}`."),
        );
    }

    pub(crate) fn not_removed(&mut self, error: &Error) {
        let Test { name, namespace, .. } = self.test;
        self.error(
            Path::root(),
            "The pod of the smoke test is still there",
            format!("Pod {namespace}/{name} was left by the test and could not be deleted. {} The resource stays in the state; destroy again.", failed_call(error)),
        );
    }

    pub(crate) fn no_sign_of_life(&mut self, error: &Error) {
        let pod = self.test.id();
        self.diagnostics.warn(
            Path::root(),
            "The pod of the smoke test cannot be marked as in use",
            format!("Pod {pod} ran without its mark, and without it another apply takes the test for one that was left behind and removes its pod. {}", failed_call(error)),
        );
    }
}

/// The summary, and what became of the pod.
fn ended(ending: &Ending, test: &Test) -> (&'static str, String) {
    let failed = "The smoke test failed";
    match ending {
        Ending::Failed => (failed, format!("ran `{}`, which failed", test.command.join(" "))),
        Ending::Hopeless => (failed, "cannot start".to_owned()),
        Ending::TimedOut(after) => {
            ("The smoke test did not end in time", format!("had not ended after {} (`timeouts.create`)", span(*after)))
        }
        Ending::Interrupted => ("Interrupted", "was interrupted".to_owned()),
        Ending::Vanished => {
            ("The pod of the smoke test was deleted", "was deleted by somebody else before it had ended".to_owned())
        }
        Ending::Lost(error) => (
            "The smoke test was lost from sight",
            format!("could not be watched to its end: {}", failed_call(error).trim_end_matches('.')),
        ),
    }
}

/// State, events and log.
fn shown(evidence: &Evidence<'_>) -> String {
    let mut text = format!("State: {}\n", state(evidence.pod));
    let events = event_lines(evidence.events);
    if !events.is_empty() {
        text.push_str("Events:\n");
    }
    for line in &events[events.len().saturating_sub(EVENTS)..] {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "  {line}");
    }
    let (log, is_cut) = log::shown(evidence.log);
    if log.trim().is_empty() {
        text.push_str(if evidence.pod.has_started() { "The log is empty.\n" } else { "There is no log.\n" });
    } else {
        text.push_str(if is_cut { "The end of the log:\n" } else { "Log:\n" });
        for line in log.lines() {
            let _ = writeln!(text, "  {line}");
        }
    }
    text
}

/// One line for each thing that was reported, in the order in which it was last.
fn event_lines(events: &[Event]) -> Vec<String> {
    let mut lines: Vec<(&str, &str, u64)> = Vec::new();
    for event in events {
        let (reason, message) = (event.reason.as_str(), event.message.trim());
        let same = lines.iter().position(|(r, m, _)| (*r, *m) == (reason, message));
        let before = same.map_or(0, |at| lines.remove(at).2);
        lines.push((reason, message, before + event.count));
    }
    let line = |(reason, message, count): (&str, &str, u64)| match count {
        0 | 1 => format!("{reason}: {message}"),
        _ => format!("{reason} ({count} times): {message}"),
    };
    lines.into_iter().map(line).collect()
}

fn state(pod: Pod<'_>) -> String {
    let phase = if pod.phase().is_empty() { "unknown" } else { pod.phase() };
    let why = match joined(pod.reason(), pod.message()).as_str() {
        "" => String::new(),
        why => format!(" ({why})"),
    };
    let container = match pod.container() {
        Container::Unseen => match pod.unschedulable() {
            Some(said) => format!("not scheduled: {}", said.trim_end_matches('.')),
            None => "not taken up by a kubelet".to_owned(),
        },
        Container::Waiting { reason, message } => format!("container waiting: {}", joined(reason, message)),
        Container::Running => "container running".to_owned(),
        Container::Ended { code, reason, message } => {
            // Of a container that ran, the message is the end of the log, which follows.
            let message = if reason == "Error" { "" } else { message };
            format!("container ended with exit code {code} ({})", joined(reason, message))
        }
    };
    format!("{phase}{why}, {container}.")
}

fn joined(reason: &str, message: &str) -> String {
    let parts = [reason, message.trim()];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::smoke_test::{model::tests::test, pod::tests::with_status};

    fn said(ending: &Ending, status: serde_json::Value, events: &[Event], log: &str) -> (String, String) {
        let (test, object) = (test(&[]), with_status(status));
        let mut diagnostics = Diagnostics::new();
        let evidence = Evidence { test: &test, pod: Pod(&object), events, log, nodes: None };
        SayTest { test: &test, diagnostics: &mut diagnostics }.failed(ending, &evidence);
        let diagnostic = diagnostics.into_iter().next().unwrap();
        (diagnostic.summary, diagnostic.detail)
    }

    #[test]
    fn a_failure_reads_from_the_reason_to_the_log() {
        let terminated = json!({"terminated": {"exitCode": 9, "reason": "Error", "message": "as in the log"}});
        let status = json!({"phase": "Failed", "containerStatuses": [{"state": terminated}]});
        let event = |reason: &str, message: &str| Event {
            warning: false,
            reason: reason.into(),
            message: message.into(),
            count: 1,
            last_seen: String::new(),
            source: String::new(),
            about: String::new(),
        };
        let events =
            [event("Pulled", "Container image"), event("Started", "Started"), event("Pulled", "Container image")];
        let (summary, detail) = said(&Ending::Failed, status, &events, "No devices were found\n");
        assert_eq!(summary, "The smoke test failed");
        let begins = "Pod default/nvidia-smoke-test on node gpu-1 ran `nvidia-smi`, which failed. The driver of node gpu-1 runs and finds no GPU";
        assert!(detail.starts_with(begins), "{detail}");
        let ends = "State: Failed, container ended with exit code 9 (Error).\nEvents:\n  Started: Started\n  Pulled (2 times): Container image\nLog:\n  No devices were found\n\nNothing is in the state: the next apply tests again.";
        assert!(detail.ends_with(ends), "{detail}");
    }

    #[test]
    fn a_pod_that_never_ran_shows_what_it_waits_for() {
        let condition = json!({"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available."});
        let (summary, detail) = said(
            &Ending::TimedOut(Duration::from_secs(90)),
            json!({"phase": "Pending", "conditions": [condition]}),
            &[],
            "",
        );
        assert_eq!(summary, "The smoke test did not end in time");
        assert!(detail.contains("had not ended after 90 s (`timeouts.create`)."), "{detail}");
        assert!(
            detail.contains("State: Pending, not scheduled: 0/1 nodes are available.\nThere is no log.\n"),
            "{detail}"
        );
    }

    #[test]
    fn an_evicted_pod_shows_the_kubelets_words() {
        let status = json!({"phase": "Failed", "reason": "Evicted", "message": "low on memory."});
        let (_, detail) = said(&Ending::Failed, status, &[], "");
        assert!(detail.contains("State: Failed (Evicted: low on memory.), not taken up by a kubelet."), "{detail}");
        assert!(detail.contains("evicted from node gpu-1: low on memory. Run the test again"), "{detail}");
    }
}
