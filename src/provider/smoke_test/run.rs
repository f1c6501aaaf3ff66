//! One run of a test: the pod is made, watched to its end and taken away, and what it printed is read in between.
//!
//! Whatever happens after the pod was made, it is deleted before this returns: the watch ends with the pod, the deadline
//! or Ctrl-C, and nothing after it does. A call that Terraform drops goes on all the same (the server sees to that).

use std::{
    ops::ControlFlow,
    pin::pin,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use kubernetes::{Cluster, Error, ErrorKind, Event, Kind, Limits, LogOptions, Object, ObjectRef, Selection};
use plugin::{Applied, ApplyRequest, Context, Diagnostics, Value};
use tokio::time::Instant;

use super::{
    cleanup::{self, Removed},
    log, manifest,
    model::{Memory, Test},
    nodes::NodeGpus,
    nvidia_smi::Report,
    place::{self, NotMade},
    pod::{Container, Pod, Progress},
    reason::{Evidence, of_refusal},
    timeouts,
};
use crate::{
    clusters::{Clusters, Names},
    run,
    texts::{
        cluster::SayOf,
        smoke_test::{Ending, SayTest},
    },
};

/// How often a run gives a sign of life, and looks at what the events say of a pod that does not start.
const BEAT: Duration = Duration::from_secs(3);

/// How long one such look may take.
const LOOK: Duration = Duration::from_secs(5);

/// One run.
struct Run<'a> {
    cluster: Cluster,
    test: &'a Test,
    at: ObjectRef,
    /// What it may take, `timeouts.create`.
    span: Duration,
    limits: Limits,
}

/// How the watch ended.
struct Watched {
    /// As it was last seen.
    pod: Object,
    /// None: it succeeded.
    ending: Option<Ending>,
    /// Why the pod could not be marked as in use.
    unmarked: Option<Error>,
}

/// What the cluster shows of a run once it is over.
#[derive(Default)]
struct Found {
    log: String,
    no_log: Option<Error>,
    events: Vec<Event>,
    nodes: Option<Vec<NodeGpus>>,
}

pub(super) async fn create(
    clusters: &Clusters,
    names: &Names,
    context: &Context,
    request: ApplyRequest,
    diagnostics: &mut Diagnostics,
) -> Option<Applied> {
    let planned = request.planned;
    let test = Test::from(&planned)?;
    let at = test.pod();
    let cluster = match clusters.cluster() {
        Ok(cluster) => cluster,
        Err(why) => {
            SayOf { object: &at, at: "name", diagnostics }.no_cluster(&why);
            return None;
        }
    };
    let mut say = SayTest { test: &test, diagnostics };
    let span = timeouts(&planned).create;
    let limits = Limits::patient(span, &context.stop);
    let name = names.of(&at);
    let _held = tokio::select! {
        () = context.stop.cancelled() => { say.stopped_before(); return None; }
        held = tokio::time::timeout_at(limits.deadline, name.lock()) => match held {
            Ok(held) => held,
            Err(_) => { say.taken(span); return None; }
        },
    };
    Run { cluster, test: &test, at, span, limits }.carried_out(planned.clone(), &mut say).await
}

impl Run<'_> {
    async fn carried_out(&self, planned: Value, say: &mut SayTest<'_>) -> Option<Applied> {
        let began = Instant::now();
        let made = match self.made().await {
            Ok(made) => made,
            Err(why) => {
                self.say_not_made(&why, say);
                return None;
            }
        };
        let watched = self.watched(made).await;
        let took = began.elapsed();
        let found = self.found(&watched).await;
        let removed = cleanup::remove(&self.cluster, &self.at, watched.pod.uid(), &cleanup::limits()).await;

        if let Some(error) = &watched.unmarked {
            say.no_sign_of_life(error);
        }
        let pod = Pod(&watched.pod);
        let succeeded = match (&watched.ending, &found.no_log) {
            (Some(ending), _) => {
                say.failed(ending, &self.evidence(pod, &found));
                false
            }
            (None, Some(error)) => {
                say.no_log(pod.node(), error);
                false
            }
            (None, None) => true,
        };
        match &removed {
            Removed::Gone => {}
            Removed::Going => say.pod_left(None, succeeded),
            Removed::Failed(error) => say.pod_left(Some(error), succeeded),
        }
        if !succeeded {
            return None;
        }
        let left = (!matches!(removed, Removed::Gone)).then(|| watched.pod.uid().to_owned());
        let private = Memory { version: 1, left }.to_private();
        Some(Applied { state: result(planned, pod, &found.log, took, say), private })
    }

    async fn made(&self) -> Result<Object, NotMade> {
        let run = run::id();
        // An object with a name and a kind is one.
        let pod = manifest::pod(self.test, &run, self.span).map_err(|_| NotMade::Foreign)?;
        place::make(&self.cluster, &self.at, &pod, &run, &self.limits).await
    }

    fn say_not_made(&self, why: &NotMade, say: &mut SayTest<'_>) {
        match why {
            NotMade::Refused(error) => say.not_made(error, of_refusal(error.kind()).as_ref()),
            NotMade::Foreign => say.foreign_pod(),
            NotMade::Taken => say.taken(self.span),
            NotMade::Interrupted => say.stopped_before(),
        }
    }

    /// Watches the pod until it has ended, or why not.
    async fn watched(&self, made: Object) -> Watched {
        let uid = made.uid().to_owned();
        let last = Mutex::new(made);
        let mut unmarked = None;
        let ending = {
            let follow = self.cluster.wait_for(&self.at, &self.limits, |pod| {
                let Some(pod) = pod.filter(|pod| pod.uid() == uid) else { return ControlFlow::Break(None) };
                *lock(&last) = pod.clone();
                match Pod(pod).progress() {
                    Progress::UnderWay => ControlFlow::Continue(()),
                    ended => ControlFlow::Break(Some(ended)),
                }
            });
            let mut follow = pin!(follow);
            let mut beats = 0;
            loop {
                beats += 1;
                tokio::select! {
                    biased;
                    ended = &mut follow => break self.ending(ended, lock(&last).is_going()),
                    looked = self.beat_and_look(&uid, beats, &last, unmarked.is_none()) => match looked {
                        Look::GoOn => {}
                        Look::Unmarked(error) => unmarked = Some(error),
                        Look::Hopeless => break Some(Ending::Hopeless),
                    },
                }
            }
        };
        Watched { pod: last.into_inner().unwrap_or_else(PoisonError::into_inner), ending, unmarked }
    }

    /// After a while: the sign of life, and whether the pod can start at all.
    async fn beat_and_look(&self, uid: &str, beats: u64, last: &Mutex<Object>, marks: bool) -> Look {
        tokio::time::sleep(BEAT).await;
        let limits = Limits::brief(LOOK, &self.limits.stop);
        if marks {
            let mark = manifest::beat(uid, beats);
            let marked = self.cluster.patch(&self.at, manifest::MANAGER, &mark, &limits).await;
            // A cluster that does not answer now may do so at the next beat; a right that is missing stays missing.
            if let Err(error) = marked
                && matches!(error.kind(), ErrorKind::Forbidden { .. } | ErrorKind::Admission { .. })
            {
                return Look::Unmarked(error);
            }
        }
        let seen = lock(last).clone();
        let pod = Pod(&seen);
        if pod.has_started() {
            return Look::GoOn;
        }
        let events = self.cluster.events(&self.at, Some(uid), &limits).await.unwrap_or_default();
        let evidence = Evidence { test: self.test, pod, events: &events, log: "", nodes: None };
        if evidence.is_hopeless() { Look::Hopeless } else { Look::GoOn }
    }

    fn ending(&self, ended: Result<Option<Progress>, Error>, is_going: bool) -> Option<Ending> {
        match ended {
            Ok(Some(Progress::Succeeded)) => None,
            // A kubelet ends the container of a pod that was deleted, and only then lets it go.
            Ok(Some(_)) if is_going => Some(Ending::Vanished),
            Ok(Some(_)) => Some(Ending::Failed),
            Ok(None) => Some(Ending::Vanished),
            Err(error) => Some(match error.kind() {
                ErrorKind::Interrupted => Ending::Interrupted,
                ErrorKind::DeadlineExceeded => Ending::TimedOut(self.span),
                _ => Ending::Lost(error),
            }),
        }
    }

    /// Reads what there is, before the pod goes. What cannot be read is left out of the message.
    async fn found(&self, watched: &Watched) -> Found {
        let limits = cleanup::limits();
        let pod = Pod(&watched.pod);
        let mut found = Found::default();
        if pod.has_started() {
            match self.log(&limits).await {
                Ok(log) => found.log = log,
                Err(error) => found.no_log = Some(error),
            }
        }
        if found.log.is_empty()
            && let Container::Ended { message, reason: "Error" | "Completed", .. } = pod.container()
        {
            // The end of it, which the kubelet keeps in the status of a container that failed.
            found.log = message.to_owned();
        }
        if watched.ending.is_some() {
            found.events = self.cluster.events(&self.at, Some(watched.pod.uid()), &limits).await.unwrap_or_default();
        }
        if matches!(watched.ending, Some(Ending::TimedOut(_) | Ending::Vanished)) {
            let nodes = self.cluster.list(&Selection::all(Kind::NODE, None), &limits).await;
            found.nodes = nodes.ok().map(|nodes| nodes.items.iter().map(NodeGpus::of).collect());
        }
        found
    }

    /// The end of the log, which may be longer than what is kept.
    async fn log(&self, limits: &Limits) -> Result<String, Error> {
        let mut lines = log::LINES;
        loop {
            let options = LogOptions {
                container: Some(manifest::CONTAINER.to_owned()),
                tail_lines: Some(lines),
                limit_bytes: Some(log::ANSWER),
                previous: false,
            };
            let text = self.cluster.logs(&self.at, &options, limits).await?;
            match log::fewer(lines, &text) {
                Some(fewer) => lines = fewer,
                None => return Ok(text),
            }
        }
    }

    fn evidence<'a>(&'a self, pod: Pod<'a>, found: &'a Found) -> Evidence<'a> {
        let nodes = found.nodes.as_deref();
        Evidence { test: self.test, pod, events: &found.events, log: &found.log, nodes }
    }
}

/// What a look at a running test found.
enum Look {
    GoOn,
    /// The pod cannot be marked as in use.
    Unmarked(Error),
    /// It will not start.
    Hopeless,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What it holds is whole between any two statements, so a panic elsewhere spoils nothing.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The object to store.
fn result(planned: Value, pod: Pod<'_>, log: &str, took: Duration, say: &mut SayTest<'_>) -> Value {
    let report = Report::of(log);
    let node = pod.node().unwrap_or_default();
    let failing = report.failing();
    if !failing.is_empty() {
        say.failing_gpus(node, &failing);
    }
    let gpus = report.gpus.map(|gpus| Value::List(gpus.into_iter().map(|gpu| Value::from(gpu.name)).collect()));
    let mut state = planned;
    state.set("output", Value::from(log::kept(log)));
    state.set("driver_version", Value::from(report.driver_version));
    state.set("cuda_version", Value::from(report.cuda_version));
    state.set("detected_gpus", gpus.unwrap_or(Value::Null));
    state.set("node", Value::from(node));
    state.set("duration", Value::from(duration(took)));
    state
}

/// In whole seconds, as Go writes it: `12s`, `1m5s`.
fn duration(took: Duration) -> String {
    let seconds = took.as_secs_f64().round().max(1.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rounded, positive, and no test takes years"
    )]
    let seconds = seconds as u64;
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds}s"),
        (minutes, seconds) => format!("{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{
        model::tests::{object, test},
        pod::tests::with_status,
    };
    use super::*;

    fn stored(log: &str) -> (Value, usize) {
        let (test, pod) = (test(&[]), with_status(json!({"phase": "Succeeded"})));
        let mut diagnostics = Diagnostics::new();
        let mut say = SayTest { test: &test, diagnostics: &mut diagnostics };
        let state = result(object(&[]), Pod(&pod), log, Duration::from_millis(12_400), &mut say);
        (state, diagnostics.iter().count())
    }

    #[test]
    fn what_nvidia_smi_tells_is_stored() {
        let (state, said) = stored(include_str!("nvidia_smi/610.txt"));
        assert_eq!(state.get("driver_version"), &Value::from("610.57.04"));
        assert_eq!(state.get("cuda_version"), &Value::from("13.3"));
        assert_eq!(
            state.get("detected_gpus"),
            &Value::List(vec![Value::from("NVIDIA B200"), Value::from("NVIDIA B200")])
        );
        assert_eq!(state.get("node"), &Value::from("gpu-1"));
        assert_eq!(state.get("duration"), &Value::from("12s"));
        assert_eq!(said, 0);
    }

    #[test]
    fn of_another_output_only_the_output_is_stored() {
        let (state, _) = stored("Test PASSED\n");
        assert_eq!(state.get("output"), &Value::from("Test PASSED\n"));
        for name in ["driver_version", "cuda_version", "detected_gpus"] {
            assert!(state.get(name).is_null(), "{name}");
        }
    }

    #[test]
    fn a_gpu_that_fails_is_warned_of() {
        assert_eq!(stored(include_str!("nvidia_smi/failing.txt")).1, 1);
    }

    #[test]
    fn a_duration_reads_as_go_writes_it() {
        for (milliseconds, text) in [(20, "1s"), (1_600, "2s"), (59_600, "1m0s"), (125_000, "2m5s")] {
            assert_eq!(duration(Duration::from_millis(milliseconds)), text);
        }
    }
}
