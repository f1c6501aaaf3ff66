//! What is said about a change before it is made: at plan where the node answers, and again in the apply before
//! anything is sent. Diagnostics only; no planned value comes from here.

use std::time::SystemTime;

use plugin::{Diagnostic, Diagnostics, Severity, Value};
use talos::{
    machine_config::{EditError, Record, Subject},
    version::Support,
};

use super::{
    Target,
    memory::{Former, Memory},
    model::{ApplyMode, ExtensionCheck, Wanted, default_sysctls},
    plan::Decision,
    prospect::{Delivery, Facts, Prospect, delivery, prospect},
};
use crate::{
    extensions,
    nodes::{NoNode, Nodes, Snapshot},
    pending::Pending,
    texts::Say,
};

/// When a check is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    Plan,
    Apply,
}

/// Why the facts of a node could not be had.
pub(super) enum NoFacts {
    Call(talos::Error),
    /// The tag is no version.
    NotAVersion(String),
    /// Older than the oldest supported version: its other answers would only confuse.
    TooOld(String),
    /// The node has no machine configuration.
    NoConfiguration,
}

impl NoFacts {
    /// Says it as an error about `what` was being done.
    pub(super) fn say(&self, what: &str, say: &mut Say<'_>) {
        match self {
            Self::Call(error) => say.failed(what, error),
            Self::NotAVersion(tag) => say.version_not_read(tag),
            Self::TooOld(tag) => say.too_old(tag),
            Self::NoConfiguration => say.no_configuration(),
        }
    }

    /// The call that failed, if one did.
    pub(super) fn call(&self) -> Option<&talos::Error> {
        match self {
            Self::Call(error) => Some(error),
            Self::NotAVersion(_) | Self::TooOld(_) | Self::NoConfiguration => None,
        }
    }
}

impl From<talos::Error> for NoFacts {
    fn from(error: talos::Error) -> Self {
        Self::Call(error)
    }
}

/// Everything that a change depends on, in two round trips.
pub(super) async fn gather(snapshot: &Snapshot) -> Result<Facts, NoFacts> {
    let (running, active) = tokio::try_join!(snapshot.running(), snapshot.active())?;
    let version = running.version.clone().ok_or_else(|| NoFacts::NotAVersion(running.tag.clone()))?;
    if version.support() == Support::TooOld {
        return Err(NoFacts::TooOld(running.tag.clone()));
    }
    let active = active.cloned().ok_or(NoFacts::NoConfiguration)?;
    let (persisted, loaded, extensions, machine, gpus) = tokio::try_join!(
        snapshot.persisted(&version),
        snapshot.loaded(&version),
        snapshot.extensions(),
        snapshot.machine(),
        snapshot.gpus(),
    )?;
    Ok(Facts {
        tag: running.tag.clone(),
        version: version.clone(),
        active,
        persisted: persisted.clone(),
        extensions: extensions.clone(),
        loaded: loaded.clone(),
        machine: machine.cloned(),
        gpus,
    })
}

/// A resource that does not change: warns of what the refresh has seen, without a call. No machine was asked for.
pub(super) fn unchanged(nodes: &Nodes, decision: &Decision, diagnostics: &mut Diagnostics) -> Option<String> {
    let target = Target::from(&decision.planned)?;
    if ExtensionCheck::from(&decision.planned) == ExtensionCheck::Off {
        return None;
    }
    if let Ok(snapshot) = nodes.snapshot(&target.node, target.endpoint.as_deref())
        && let Some((running, extensions)) = snapshot.known_extensions()
        && decision.wanted.as_ref().is_some_and(|wanted| !wanted.modules.is_empty())
    {
        let problems = extensions::problems(extensions, &running.tag);
        Say { node: &target.node, diagnostics }.extensions_no_longer_fit(&running.tag, &problems);
    }
    None
}

/// Checks a change at plan, where its node answers: with which machine, if it tells.
pub(super) async fn plan(
    nodes: &Nodes,
    decision: &Decision,
    memory: Option<&Memory>,
    replaced: &[Former],
    diagnostics: &mut Diagnostics,
) -> Option<String> {
    let target = Target::from(&decision.planned)?;
    let mut say = Say { node: &target.node, diagnostics };
    let snapshot = match nodes.snapshot(&target.node, target.endpoint.as_deref()) {
        Ok(snapshot) => snapshot,
        Err(NoNode::Unknown(_)) => return None,
        Err(why) => {
            why.say(&mut say);
            return None;
        }
    };
    let facts = match gather(&snapshot).await {
        Ok(facts) => facts,
        Err(why) => {
            match why.call().filter(|error| may_still_come(error)) {
                Some(error) if memory.is_none() => say.checks_come_at_apply(error),
                Some(error) => say.not_checked(error),
                None => why.say("Checking", &mut say),
            }
            return None;
        }
    };
    let Some(mut wanted) = decision.wanted.clone() else { return facts.machine };
    if decision.chooses_sysctls {
        wanted.sysctls = default_sysctls(&facts.version);
    }
    let mut found = Diagnostics::new();
    let goes: Vec<Subject> = replaced
        .iter()
        .filter(|former| former.is_at(&target.node, facts.machine.as_ref()))
        .flat_map(|former| former.memory.record.brought())
        .collect();
    judge(
        &facts,
        &wanted,
        memory,
        &goes,
        &decision.planned,
        Moment::Plan,
        &mut Say { node: &target.node, diagnostics: &mut found },
    );
    if memory.is_some_and(|memory| memory.unverified) {
        Say { node: &target.node, diagnostics: &mut found }.unfinished();
    }
    // The configuration asks for nothing new: what stands in the way of mending the node is an error in the apply, and
    // must not keep anybody from a destroy, which begins with such a plan.
    let mends = memory.is_some_and(|memory| memory.applied.same(&wanted));
    for one in found {
        let severity = if mends { Severity::Warning } else { one.severity };
        diagnostics.add(Diagnostic { severity, ..one });
    }
    facts.machine
}

/// Whether a node that answers so may be one that is still being installed: no answer, or maintenance mode.
pub(super) fn may_still_come(error: &talos::Error) -> bool {
    error.heals()
        || matches!(error.kind(), talos::ErrorKind::Certificate(talos::error::CertificateProblem::MaintenanceMode))
}

/// Says everything that is wrong with, or worth knowing of, a change on the node as it is. Answers how it would be
/// made; `None` when it cannot be. Whether it may be made is told by the absence of errors. `goes` is what stands there
/// now and goes before, with the object that this one replaces.
pub(super) fn judge(
    facts: &Facts,
    wanted: &Wanted,
    memory: Option<&Memory>,
    goes: &[Subject],
    planned: &Value,
    moment: Moment,
    say: &mut Say<'_>,
) -> Option<(Prospect, Delivery)> {
    version(facts, say);
    machine(facts, memory, say);
    if !wanted.modules.is_empty() {
        fit(facts, ExtensionCheck::from(planned), say);
    }
    let blank = Record::default();
    let record = memory.map_or(&blank, |memory| &memory.record);
    let before = memory.and_then(|memory| memory.staged_over.as_ref());
    if facts.waiting_removal(wanted, record).is_none() {
        waiting(facts.pending(record, before, SystemTime::now()), moment, say);
    }
    let prospect = match prospect(facts, wanted, record, memory.map(|memory| &memory.applied)) {
        Ok(prospect) => prospect,
        Err(error) => {
            say.cannot_edit(attribute_of(&error), &error);
            return None;
        }
    };
    let boot_due = memory.is_some_and(|memory| memory.pending.is_some());
    let delivery = delivery(ApplyMode::from(planned), facts, &prospect, wanted, boot_due);
    consequences(facts, &prospect, (ApplyMode::from(planned), delivery), moment, say);
    if memory.is_some_and(|memory| memory.applied.has_module("nvidia"))
        && !wanted.has_module("nvidia")
        && let Some(toolkit) = extensions::toolkit(&facts.extensions)
    {
        say.boot_hazard(&toolkit.name);
    }
    found(&prospect, record, goes, say);
    Some((prospect, delivery))
}

fn version(facts: &Facts, say: &mut Say<'_>) {
    if facts.version.support() == Support::Newer {
        say.newer_than_known(&facts.tag);
    }
}

/// Another machine at the same address is an error, not a patch.
pub(super) fn machine(facts: &Facts, memory: Option<&Memory>, say: &mut Say<'_>) {
    if let (Some(expected), Some(found)) = (memory.and_then(|memory| memory.machine.as_ref()), &facts.machine)
        && expected != found
    {
        say.another_machine(expected, found);
    }
}

fn fit(facts: &Facts, check: ExtensionCheck, say: &mut Say<'_>) {
    if check != ExtensionCheck::Off {
        let problems = extensions::problems(&facts.extensions, &facts.tag);
        say.extensions(check == ExtensionCheck::Error, &facts.tag, &problems);
    }
    if facts.gpus == 0 {
        say.no_gpu();
    }
}

/// Says what waits on the node; in an apply, what must not be overwritten is an error.
pub(super) fn waiting(pending: Pending, moment: Moment, say: &mut Say<'_>) {
    let is_error = moment == Moment::Apply;
    match pending {
        Pending::Nothing | Pending::Ours => {}
        Pending::LongAgo(age) => say.maybe_tried_long_ago(age),
        Pending::Staged => say.pending(is_error, "a configuration was staged and takes effect at the next boot."),
        Pending::Tried => say.pending(is_error, "a configuration is being tried (mode try), and the node is going to roll it back."),
        Pending::Differs => say.pending(is_error, "the configuration on disk is not the active one: one was staged or is being tried."),
        Pending::MaybeTried(age) => say.pending(
            is_error,
            &format!("the active configuration changed {} ago and was not persisted: it may be a tried one, which is rolled back (by default after a minute).", crate::texts::span(age)),
        ),
    }
}

fn consequences(
    facts: &Facts,
    prospect: &Prospect,
    (mode, delivery): (ApplyMode, Delivery),
    moment: Moment,
    say: &mut Say<'_>,
) {
    let reasons: Vec<String> = prospect.needs_reboot.iter().chain(&prospect.at_next_boot).cloned().collect();
    match delivery {
        Delivery::Refused => say.needs_reboot(&facts.tag),
        // The plan has said it; the apply does it.
        _ if delivery.reboots() && moment == Moment::Apply => {}
        _ if delivery.reboots() => {
            let due = vec!["an earlier change that waits for a boot".to_owned()];
            say.will_reboot(if reasons.is_empty() { &due } else { &reasons });
        }
        Delivery::Staged if !prospect.needs_reboot.is_empty() && mode == ApplyMode::Reboot => say.staged_for_safety(),
        Delivery::Live | Delivery::Nothing if !prospect.at_next_boot.is_empty() => {
            say.at_next_boot(&prospect.at_next_boot)
        }
        _ => {}
    }
}

/// Names what stood there before and is not remembered yet.
fn found(prospect: &Prospect, record: &Record, goes: &[Subject], say: &mut Say<'_>) {
    let known = record.found();
    let is_new = |subject: &Subject| !known.contains(subject) && !goes.contains(subject);
    let keys: Vec<String> = prospect.edited.record.found().into_iter().filter(is_new).map(subject).collect();
    if !keys.is_empty() {
        say.was_there(&keys);
    }
}

fn subject(subject: Subject) -> String {
    match subject {
        Subject::Module(name) => format!("kernel module {name}"),
        Subject::Sysctl(key) => format!("sysctl {key}"),
        Subject::DefaultRuntime => "the default runtime".to_owned(),
    }
}

/// The attribute that a refusal to edit is about.
pub(super) fn attribute_of(error: &EditError) -> &'static str {
    let about = |path: &str| {
        if path.contains("sysctl") {
            "sysctls"
        } else if path.contains("files") || path.contains("CRI") {
            "default_runtime"
        } else {
            "kernel_modules"
        }
    };
    match error {
        EditError::Spelling { .. } => "sysctls",
        EditError::SeveralParts { .. } | EditError::Toml { .. } => "default_runtime",
        EditError::Structure { path, .. }
        | EditError::Duplicate { path, .. }
        | EditError::Shared { path, .. }
        | EditError::Layout { path, .. } => about(path),
        EditError::Desired { what, .. } => about(what),
        _ => "node",
    }
}
