//! Waiting for modules: by Watch where the version has a resource for them, and with the reason when one does not come.

use std::{collections::BTreeMap, time::Duration};

use talos::{
    ControllerFailure, TalosVersion,
    resource::{KernelModuleStatus, LoadedKernelModule},
};

use super::{model::Wanted, write::Job};
use crate::{
    kernel_modules::{LoadFailure, ModuleState, States, load_failure, states_of},
    nodes::loaded,
    texts::Say,
};

/// The controller whose log says why a module does not load (talos-api facts, K.1.3).
const CONTROLLER: &str = "runtime.KernelModuleSpecController";

/// How much of the controllers' log is looked at.
const LOG_LINES: u32 = 500;

/// How often the log is looked at, and the modules too where nothing can be watched (Talos up to 1.10).
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often Talos must have failed with a reason that no retry can heal before the wait ends early.
const FAILURES: usize = 3;

/// Where the controllers' log ended before the apply: what stands above is not about it.
#[derive(Clone, Debug, Default)]
pub(super) struct LogMark(Option<String>);

impl LogMark {
    /// The end of a log.
    fn at_end_of(log: &str) -> Self {
        Self(log.lines().next_back().map(ToOwned::to_owned))
    }

    /// What was written since; all of it when the mark has been rotated out.
    fn since<'a>(&self, log: &'a str) -> &'a str {
        let Some(mark) = &self.0 else { return log };
        log.rfind(mark.as_str()).map_or(log, |at| &log[at + mark.len()..])
    }
}

/// Marks the end of the log. One that cannot be read counts as empty.
pub(super) async fn mark_log(job: &Job<'_>) -> LogMark {
    LogMark::at_end_of(&log(job).await)
}

async fn log(job: &Job<'_>) -> String {
    job.call().raw_controller_log(LOG_LINES).await.unwrap_or_default()
}

fn failures(log: &str) -> Vec<ControllerFailure> {
    ControllerFailure::in_log(log).into_iter().filter(|failure| failure.controller == CONTROLLER).collect()
}

/// Waits until every wanted module is live, and answers what is in the kernel at the end. When one does not come, that is
/// said with its reason.
pub(super) async fn modules(
    job: &Job<'_>,
    version: &TalosVersion,
    wanted: &Wanted,
    mark: LogMark,
    say: &mut Say<'_>,
) -> States {
    let mut events = Events::open(job, version).await;
    let mut last = States::new();
    loop {
        let Some(states) = job.unless_stopped(loaded(&job.call(), version)).await else {
            say.interrupted("was waiting for the modules");
            return last;
        };
        match states {
            Ok(states) => last = states,
            Err(error) if error.heals() => {}
            Err(error) => {
                say.failed("Waiting for the modules of", &error);
                return last;
            }
        }
        let missing = missing(wanted, &last);
        if missing.is_empty() {
            return last;
        }
        let log = log(job).await;
        let fresh = failures(mark.since(&log));
        if missing.keys().any(|name| is_hopeless(name, &fresh)) {
            say_missing(&missing, &fresh, "", say);
            return last;
        }
        tokio::select! {
            () = job.stop.cancelled() => {
                say.interrupted("was waiting for the modules");
                return last;
            }
            () = tokio::time::sleep_until(job.deadline) => {
                say_missing(&missing, &failures(&log), " The deadline has passed.", say);
                return last;
            }
            () = events.next() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// The wanted modules that are not live.
fn missing(wanted: &Wanted, loaded: &States) -> BTreeMap<String, ModuleState> {
    let mut states = states_of(wanted.modules.iter().map(|m| m.name.as_str()), loaded);
    states.retain(|_, state| *state != ModuleState::Live);
    states
}

/// Whether Talos has failed often enough for a reason that stays.
fn is_hopeless(module: &str, log: &[ControllerFailure]) -> bool {
    log.iter().filter(|failure| load_failure(module, &failure.error).is_some_and(|f| f.is_final)).count() >= FAILURES
}

fn say_missing(missing: &BTreeMap<String, ModuleState>, log: &[ControllerFailure], end: &str, say: &mut Say<'_>) {
    for (module, state) in missing {
        let last: Option<LoadFailure> = log.iter().rev().find_map(|failure| load_failure(module, &failure.error));
        match last {
            Some(failure) => {
                say.module_failed(module, state.as_str(), &failure.text, &format!(".{end} {}", failure.advice))
            }
            None => say.module_failed(
                module,
                state.as_str(),
                "Talos's log gives no reason",
                &format!(".{end} Look at `talosctl dmesg` and `talosctl logs controller-runtime` of the node."),
            ),
        }
    }
}

/// Changes of the modules, as far as the version tells them.
enum Events {
    Status(talos::client::Watch<KernelModuleStatus>),
    Loaded(talos::client::Watch<LoadedKernelModule>),
    /// Nothing can be watched; the clock decides.
    None,
}

impl Events {
    async fn open(job: &Job<'_>, version: &TalosVersion) -> Self {
        // A watch that cannot be opened costs a second of waiting, no more.
        match version.minor() {
            minor if minor >= (1, 14) => job.node.watch(None).await.map_or(Self::None, Self::Status),
            minor if minor >= (1, 11) => job.node.watch(None).await.map_or(Self::None, Self::Loaded),
            _ => Self::None,
        }
    }

    /// Something changed. Never comes where nothing can be watched, or any more.
    async fn next(&mut self) {
        let ended = match self {
            Self::Status(watch) => !matches!(watch.next().await, Some(Ok(_))),
            Self::Loaded(watch) => !matches!(watch.next().await, Some(Ok(_))),
            Self::None => std::future::pending().await,
        };
        if ended {
            *self = Self::None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stood_in_the_log_before_the_apply_is_not_about_it() {
        let before = "a\nb\n";
        let mark = LogMark::at_end_of(before);
        assert_eq!(mark.since("a\nb\nc\nd\n"), "\nc\nd\n");
        assert_eq!(mark.since("x\ny\n"), "x\ny\n", "rotated");
        assert_eq!(LogMark::at_end_of("").since("c\n"), "c\n");
    }

    fn log(errors: &[&str]) -> Vec<ControllerFailure> {
        errors.iter().map(|e| ControllerFailure { controller: CONTROLLER.into(), error: (*e).into() }).collect()
    }

    #[test]
    fn a_reason_that_stays_ends_the_wait_after_a_few_failures_of_that_module() {
        let no_device = "error loading module \"nvidia\": load nvidia failed: no such device";
        assert!(!is_hopeless("nvidia", &log(&[no_device, no_device])));
        assert!(is_hopeless("nvidia", &log(&[no_device, no_device, no_device])));
        assert!(!is_hopeless("nvidia_uvm", &log(&[no_device, no_device, no_device])));
        let busy = "error loading module \"nvidia\": load nvidia failed: resource busy";
        assert!(!is_hopeless("nvidia", &log(&[busy, busy, busy, busy])));
    }
}
