//! Bringing a configuration to a node without losing anybody's update: read, work out, read again, apply, verify.
//!
//! Talos has no compare-and-swap for its configuration, but the resource's version grows by exactly one with each apply
//! (talos-api facts, D.6), so a write that came between shows, and the resource's history says what it was.

use std::{future::Future, time::Duration};

use plugin::Context;
use talos::{
    ConfigBytes,
    client::ApplyMode,
    machine_config::{Edited, Record},
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    Target,
    check::{NoFacts, gather},
    prospect::{Delivery, Facts},
};
use crate::{
    nodes::{Nodes, Site, Snapshot, active, boot_id, persisted},
    texts::Say,
};

/// How often a write is worked out anew because somebody else wrote.
const TRIES: u32 = 5;

/// How long one call may take.
const CALL: Duration = Duration::from_secs(30);

/// How long a node that does not answer is asked again in an update or a destroy.
const PATIENCE: Duration = Duration::from_secs(30);

/// One operation on one node: who, how long, and until when the user has not asked to stop.
pub(super) struct Job<'a> {
    pub(super) nodes: &'a Nodes,
    pub(super) target: &'a Target,
    pub(super) node_name: String,
    /// Where it is, and from its turn to write on, which machine that is.
    pub(super) site: Site,
    /// Without a deadline: for a watch, which is dropped when its time has come.
    pub(super) node: talos::Node,
    pub(super) deadline: Instant,
    /// A node that does not answer is asked again until the deadline, as one that is still being installed.
    pub(super) patient: bool,
    pub(super) stop: CancellationToken,
}

impl<'a> Job<'a> {
    /// `None` when the node cannot be asked, which is said.
    pub(super) fn new(
        nodes: &'a Nodes,
        target: &'a Target,
        context: &Context,
        deadline: Instant,
        say: &mut Say<'_>,
    ) -> Option<Self> {
        match nodes.snapshot(&target.node, target.endpoint.as_deref()) {
            Ok(snapshot) => Some(Self {
                nodes,
                target,
                node_name: target.node.clone(),
                site: Site::new(&target.node, target.endpoint.as_deref()),
                node: snapshot.node().clone(),
                deadline,
                patient: false,
                stop: context.stop.clone(),
            }),
            Err(why) => {
                why.say(say);
                None
            }
        }
    }

    /// The node for one call: no single call may use up the operation's time.
    pub(super) fn call(&self) -> talos::Node {
        self.node.clone().with_deadline(self.deadline.min(Instant::now() + CALL))
    }

    /// The outcome of a call that only reads; `None` when the user has asked to stop before it came.
    pub(super) async fn unless_stopped<T>(&self, call: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            outcome = call => Some(outcome),
        }
    }

    /// Waits before another attempt. `false`: the user has asked to stop, or the time is up.
    pub(super) async fn pause(&self, pause: Duration) -> bool {
        tokio::select! {
            () = self.stop.cancelled() => false,
            () = tokio::time::sleep_until(self.deadline) => false,
            () = tokio::time::sleep(pause) => true,
        }
    }

    /// Says why a pause did not end: the user has asked to stop, or the time is up.
    pub(super) fn say_why_it_ended(&self, what: &str, say: &mut Say<'_>) {
        if self.stop.is_cancelled() {
            say.interrupted(what);
        } else {
            say.out_of_time(what);
        }
    }

    /// What our unanswered write was written over, if it was.
    async fn found_lost(&self, sent: &Written, now: u64, say: &mut Say<'_>) -> Option<ConfigBytes> {
        match overwritten(self, sent.facts.active.version, now, &sent.step.edited.bytes).await {
            Lost::Theirs(bytes) => Some(bytes),
            Lost::Nothing => None,
            Lost::Unknown => {
                say.may_have_overwritten();
                None
            }
        }
    }

    /// The node's facts, asked for anew.
    pub(super) async fn facts(&self) -> Result<Facts, NoFacts> {
        self.nodes.forget(&self.target.node);
        let snapshot = Snapshot::new(self.call());
        gather(&snapshot).await
    }
}

/// Pauses between attempts: short at first, two seconds at most.
pub(super) fn backoff(attempt: u32) -> Duration {
    Duration::from_millis(100 << attempt.min(4)).min(Duration::from_secs(2))
}

/// What one attempt wants to do.
pub(super) struct Step {
    pub(super) edited: Edited,
    pub(super) delivery: Delivery,
    /// Part of it waits for a boot.
    pub(super) at_next_boot: bool,
}

/// What was brought to the node.
pub(super) struct Written {
    pub(super) facts: Facts,
    pub(super) step: Step,
    /// The boot in which it was written; asked for only when something waits for another.
    pub(super) boot_id: Option<String>,
    /// It was verified. Otherwise an error was said, and the node may or may not have it.
    pub(super) complete: bool,
}

/// How one attempt ended.
enum Attempt {
    Verified,
    /// Nothing was sent: somebody wrote since the configuration was read.
    Overtaken,
    /// Nothing was done: the node is busy or does not answer.
    Busy,
    /// It was sent, and no answer came.
    Unanswered,
    /// It was sent, and somebody wrote at the same time.
    Mixed(Lost),
    /// Nothing was done, and trying again cannot help.
    Failed(talos::Error),
    /// It was sent and may have been done, and trying again cannot help.
    FailedAfterSending(talos::Error),
}

impl Attempt {
    /// For the log.
    fn word(&self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Overtaken => "overtaken",
            Self::Busy => "busy",
            Self::Unanswered => "unanswered",
            Self::Mixed(Lost::Nothing) => "mixed",
            Self::Mixed(Lost::Theirs(_)) => "mixed, with theirs to be merged",
            Self::Mixed(Lost::Unknown) => "mixed, theirs unknown",
            Self::Failed(_) => "failed",
            Self::FailedAfterSending(_) => "failed after sending",
        }
    }
}

/// What became of somebody's write at the same time.
enum Lost {
    /// It stands.
    Nothing,
    /// Ours was written over it; this is what it was.
    Theirs(ConfigBytes),
    /// The node no longer tells.
    Unknown,
}

/// Brings what `step` works out to the node. `step` says what is wrong and answers `None`, or has said an error, when
/// nothing may be sent. `None`: the node is as it was, and why was said.
pub(super) async fn write(
    job: &Job<'_>,
    record: Record,
    say: &mut Say<'_>,
    mut step: impl FnMut(&Facts, &Record, &mut Say<'_>) -> Option<Step>,
) -> Option<Written> {
    // From the first sending on, what stands on the node may be our own, so the first record is the one that counts.
    let mut known = record;
    let mut sent: Option<Written> = None;
    let mut lost: Option<ConfigBytes> = None;
    let mut unanswered = false;
    let mut tries = 0;
    for pause in 0.. {
        let Some(facts) = read(job, say).await else { return sent };
        if let Some(sent) = &sent {
            if std::mem::take(&mut unanswered) && facts.active.version > sent.facts.active.version + 1 {
                // Our answer was lost, and somebody wrote around the same time.
                lost = job.found_lost(sent, facts.active.version, say).await;
            }
            if lost.is_some() && facts.active.bytes.expose() != sent.step.edited.bytes {
                // A third one wrote over ours: what they wrote is what counts now.
                say.may_have_overwritten();
                lost = None;
            }
        }
        let base = lost.as_ref().map_or_else(|| facts.clone(), |theirs| facts.as_if_active(theirs));
        let Some(mut step) = step(&base, &known, say).filter(|_| !say.diagnostics.has_errors()) else { return sent };
        step.at_next_boot |= sent.as_ref().is_some_and(|sent| sent.step.at_next_boot);
        let boot_id = boot_of(job, &facts, &step).await;
        if lost.is_some() && !step.delivery.sends() {
            // Theirs holds what we want; the node still has ours without theirs.
            step.delivery = Delivery::Live;
        } else if !step.delivery.sends() {
            return Some(Written { facts, step, boot_id, complete: true });
        }
        let end = attempt(job, &facts, &step).await;
        tracing::info!(node = job.node_name, delivery = ?step.delivery, version = facts.active.version, end = end.word(), "wrote");
        tries += u32::from(matches!(end, Attempt::Overtaken | Attempt::Mixed(_)));
        match end {
            Attempt::Verified => return Some(Written { facts, step, boot_id, complete: true }),
            Attempt::Overtaken | Attempt::Busy => {}
            Attempt::Unanswered => {
                unanswered = true;
                known = step.edited.record.clone();
                sent = Some(Written { facts, step, boot_id, complete: false });
            }
            Attempt::Mixed(what) => {
                known = step.edited.record.clone();
                sent = Some(Written { facts, step, boot_id, complete: false });
                lost = match what {
                    Lost::Theirs(bytes) => Some(bytes),
                    Lost::Nothing => None,
                    Lost::Unknown => {
                        say.may_have_overwritten();
                        None
                    }
                };
            }
            Attempt::Failed(error) => {
                say.failed("Patching", &error);
                return sent;
            }
            Attempt::FailedAfterSending(error) => {
                say.failed("Patching", &error);
                return Some(Written { facts, step, boot_id, complete: false });
            }
        }
        if tries >= TRIES {
            say.keeps_changing(tries);
            return sent;
        }
        if !job.pause(backoff(pause)).await {
            job.say_why_it_ended("was writing the configuration", say);
            return sent;
        }
    }
    sent
}

/// The node's facts, asked for until patience ends.
async fn read(job: &Job<'_>, say: &mut Say<'_>) -> Option<Facts> {
    let patience = if job.patient { job.deadline } else { job.deadline.min(Instant::now() + PATIENCE) };
    for pause in 0.. {
        let Some(facts) = job.unless_stopped(job.facts()).await else {
            say.interrupted("was reading the configuration");
            return None;
        };
        match facts {
            Ok(facts) => return Some(facts),
            Err(why) => {
                let heals = why.call().is_some_and(talos::Error::heals) && Instant::now() < patience;
                if heals && job.pause(backoff(pause)).await {
                    continue;
                }
                if job.stop.is_cancelled() {
                    say.interrupted("was reading the configuration");
                } else {
                    why.say("Reading", say);
                }
                return None;
            }
        }
    }
    None
}

async fn boot_of(job: &Job<'_>, facts: &Facts, step: &Step) -> Option<String> {
    let needed = step.at_next_boot || step.delivery == Delivery::Staged || step.delivery.reboots();
    if needed { boot_id(&job.call(), &facts.version).await.ok().flatten() } else { None }
}

async fn attempt(job: &Job<'_>, facts: &Facts, step: &Step) -> Attempt {
    let node = job.call();
    match tokio::try_join!(active(&node), persisted(&node, &facts.version)) {
        Ok((Some(now), next))
            if now.version == facts.active.version
                && now.bytes == facts.active.bytes
                && next.bytes() == facts.persisted.bytes() => {}
        Ok(_) => return Attempt::Overtaken,
        Err(error) if error.heals() => return Attempt::Busy,
        Err(error) => return Attempt::Failed(error),
    }
    let mode = if step.delivery.stages() { ApplyMode::Staged } else { ApplyMode::NoReboot };
    let bytes = ConfigBytes::from(step.edited.bytes.clone());
    match job.call().apply_configuration(&bytes, mode, false).await {
        Ok(_) => verify(job, facts, step).await,
        Err(error) if error.may_have_been_carried_out() => Attempt::Unanswered,
        Err(error) if error.heals() => Attempt::Busy,
        Err(error) if is_refusal(&error) => Attempt::Failed(error),
        Err(error) => Attempt::FailedAfterSending(error),
    }
}

/// Whether an answer says for certain that nothing was done.
fn is_refusal(error: &talos::Error) -> bool {
    use talos::ErrorKind as Kind;
    !matches!(error.kind(), Kind::Malformed(_) | Kind::Other { .. } | Kind::NotFound(_) | Kind::NotTalos(_))
}

async fn verify(job: &Job<'_>, facts: &Facts, step: &Step) -> Attempt {
    if step.delivery.stages() {
        let node = job.call();
        return match tokio::try_join!(active(&node), persisted(&node, &facts.version)) {
            Ok((Some(now), next))
                if now.version == facts.active.version
                    && next.bytes().is_none_or(|bytes| bytes == step.edited.bytes) =>
            {
                Attempt::Verified
            }
            // Somebody's live write is not in what was staged, or took its place.
            Ok(_) => Attempt::Mixed(Lost::Nothing),
            Err(error) if error.heals() => Attempt::Unanswered,
            Err(error) => Attempt::FailedAfterSending(error),
        };
    }
    let before = facts.active.version;
    match active(&job.call()).await {
        Ok(Some(now)) if now.bytes.expose() == step.edited.bytes && now.version <= before + 1 => Attempt::Verified,
        // A smaller version is another boot, which took what was persisted.
        Ok(Some(now)) if now.version <= before + 1 => Attempt::Mixed(Lost::Nothing),
        Ok(Some(now)) => Attempt::Mixed(overwritten(job, before, now.version, &step.edited.bytes).await),
        Ok(None) => Attempt::Mixed(Lost::Nothing),
        Err(error) if error.heals() => Attempt::Unanswered,
        Err(error) => Attempt::FailedAfterSending(error),
    }
}

/// Looks in the node's history whether ours was written over somebody's write that we had not read.
async fn overwritten(job: &Job<'_>, before: u64, now: u64, ours: &[u8]) -> Lost {
    let Ok(history) = job.call().config_history(before, now).await else { return Lost::Unknown };
    match history.iter().position(|config| config.bytes.expose() == ours) {
        Some(0) => Lost::Nothing,
        Some(place) => Lost::Theirs(history[place - 1].bytes.clone()),
        None => Lost::Unknown,
    }
}
