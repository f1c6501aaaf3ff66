//! The log of Talos's controllers (namespace `system`, id `controller-runtime`): lines with terminal colours and a tail in
//! JSON, which says why a module does not load or a file is not written.

use serde::Deserialize;

/// One failure of a controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControllerFailure {
    /// The controller's name: `runtime.KernelModuleSpecController`.
    pub controller: String,
    /// Its error, which may have several lines: one for each module that fails.
    pub error: String,
}

impl ControllerFailure {
    /// The failures in a log of the controllers, in its order; other lines are passed over.
    #[must_use]
    pub fn in_log(log: &str) -> Vec<Self> {
        failures(log)
    }
}

#[derive(Deserialize)]
struct Tail {
    controller: String,
    error: String,
}

/// The failures in a log, in its order.
pub(crate) fn failures(log: &str) -> Vec<ControllerFailure> {
    log.lines().filter_map(failure).collect()
}

/// `… controller failed {"component": …, "controller": "…", "error": "…"}`
fn failure(line: &str) -> Option<ControllerFailure> {
    let line = without_colours(line);
    let (_, after) = line.split_once("controller failed")?;
    let Tail { controller, error } = serde_json::from_str(after.trim()).ok()?;
    Some(ControllerFailure { controller, error })
}

/// A colour is ESC, `[`, parameters, and a letter.
fn without_colours(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        rest = after.trim_start_matches(|c: char| !c.is_ascii_alphabetic()).get(1..).unwrap_or_default();
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODULES: &str = "\u{1b}[34m2026-08-04T10:00:00.000Z\u{1b}[0m \u{1b}[31mERROR\u{1b}[0m controller failed {\"component\": \"controller-runtime\", \"controller\": \"runtime.KernelModuleSpecController\", \"error\": \"error loading module \\\"gdrdrv\\\": module not found\\nerror loading module \\\"nvidia_peermem\\\": load nvidia_peermem failed: invalid argument\"}";

    #[test]
    fn a_failure_is_read_out_of_its_line() {
        let log = format!(
            "\u{1b}[34mnow\u{1b}[0m controller starting {{\"component\": \"x\"}}\n{MODULES}\nno json: controller failed oops\n"
        );
        assert_eq!(failures(&log), [ControllerFailure {
            controller: "runtime.KernelModuleSpecController".to_owned(),
            error: "error loading module \"gdrdrv\": module not found\nerror loading module \"nvidia_peermem\": load nvidia_peermem failed: invalid argument".to_owned(),
        }]);
    }

    #[test]
    fn colours_are_taken_out_whole() {
        for (line, plain) in [("\u{1b}[1;31mred\u{1b}[0m", "red"), ("plain", "plain"), ("cut \u{1b}[3", "cut ")] {
            assert_eq!(without_colours(line), plain);
        }
    }
}
