//! What this provider says to operators: all of it in one place, so that it reads as one voice.
//!
//! A summary is one line without names (Terraform folds equal ones together); a detail names the object, the place and
//! the next step. Texts never hold a value of somebody's configuration.

pub(crate) mod cluster;
pub(crate) mod device_plugin_release;
pub(crate) mod driver_status;
pub(crate) mod runtime_class;
pub(crate) mod smoke_test;
pub(crate) mod two_addresses;

use std::{error::Error as _, time::Duration};

use plugin::{Diagnostics, Path};
use talos::config::ConfigProblem;

/// The attributes that messages point at.
fn on(attribute: &str) -> Path {
    Path::attribute(attribute)
}

/// What ends the advice where a part of the provider block that would say more is not there.
pub(crate) const MISSPELT: &str = " If the provider block names it already, check its spelling: Terraform drops a name that is not known there without a word.";

/// A call to a node that failed, with its cause and the next step.
pub(crate) fn failed_call(error: &talos::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    let stop = if text.ends_with('.') { "" } else { "." };
    format!("{text}{stop} {}", error.next_step())
}

/// `90 s`, `10 min`.
pub(crate) fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        _ if seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        _ => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn list<T: AsRef<str>>(items: &[T]) -> String {
    match items {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [rest @ .., last] => {
            format!("{} and {}", rest.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", "), last.as_ref())
        }
    }
}

/// Diagnostics about one node, worded once for plan, read and apply.
pub(crate) struct Say<'a> {
    pub(crate) node: &'a str,
    pub(crate) diagnostics: &'a mut Diagnostics,
}

impl Say<'_> {
    fn error(&mut self, path: Path, summary: &str, detail: String) {
        self.diagnostics.error(path, summary, detail);
    }

    fn warn(&mut self, path: Path, summary: &str, detail: String) {
        self.diagnostics.warn(path, summary, detail);
    }

    /// An error in an apply, a warning in a plan: for what the node shows at the moment.
    fn momentary(&mut self, is_error: bool, path: Path, summary: &str, detail: String) {
        if is_error { self.error(path, summary, detail) } else { self.warn(path, summary, detail) }
    }

    // The provider block.

    pub(crate) fn no_talos_block(&mut self) {
        let node = self.node;
        self.error(
            Path::root(),
            "The provider has no talos block",
            format!("Node {node} is reached over the Talos API, and the provider block does not say how. Write `provider \"nvidia\" {{ talos = {{}} }}` to use the talosconfig of the environment (TALOSCONFIG, ~/.talos/config), or name config_path or client_configuration in it."),
        );
    }

    pub(crate) fn bad_client_configuration(&mut self, error: &talos::config::ConfigError) {
        let node = self.node;
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        self.error(
            Path::root(),
            "The Talos client configuration cannot be used",
            format!(
                "Node {node} cannot be asked: {text}. {}{}",
                error.next_step(),
                if matches!(error.problem(), ConfigProblem::NotFound { .. }) { MISSPELT } else { "" }
            ),
        );
    }

    pub(crate) fn not_refreshed_unknown(&mut self, attribute: &str) {
        let node = self.node;
        self.warn(
            on("node"),
            "The node was not refreshed",
            format!("`{attribute}` of the provider block is known only after apply, so node {node} could not be asked; its state is kept as it was. Drift on it shows once the value is known."),
        );
    }

    pub(crate) fn needs_known_configuration(&mut self, attribute: &str) {
        let node = self.node;
        self.error(
            Path::root(),
            "The provider configuration is not known yet",
            format!("`{attribute}` of the provider block is still unknown, so node {node} cannot be reached. Apply what it depends on first."),
        );
    }

    // Reaching a node.

    pub(crate) fn failed(&mut self, what: &str, error: &talos::Error) {
        let node = self.node;
        self.error(on("node"), summary_of(error), format!("{what} node {node}: {}", failed_call(error)));
    }

    pub(crate) fn unreachable_at_last_endpoint(&mut self, error: &talos::Error) {
        let node = self.node;
        self.error(
            on("node"),
            summary_of(error),
            format!("Reading node {node}: {} A refresh goes through the endpoint that was applied last: if `endpoint` is another one in the configuration now, apply once with -refresh=false.", failed_call(error)),
        );
    }

    pub(crate) fn kept_unreachable(&mut self, error: &talos::Error) {
        let node = self.node;
        self.warn(
            on("node"),
            "The node cannot be reached",
            format!("Node {node} does not answer, so its state is kept as it was (on_unreachable = \"warn\"); drift on it is not seen. {}", failed_call(error)),
        );
    }

    pub(crate) fn forgotten_unreachable(&mut self, error: &talos::Error) {
        let node = self.node;
        self.warn(
            on("node"),
            "The node cannot be reached and is forgotten",
            format!("Node {node} does not answer, so nothing was taken back on it (on_unreachable = \"warn\"). If it comes back, it still carries the patch: take the modules, sysctls and the default runtime out of its machine configuration by hand, or import it. {}", failed_call(error)),
        );
    }

    pub(crate) fn checks_come_at_apply(&mut self, error: &talos::Error) {
        let node = self.node;
        self.warn(
            on("node"),
            "The node could not be checked at plan",
            format!("Node {node} does not answer yet; if it is made in this same apply, that is as it should be. Version, extensions and configuration are checked when the apply reaches it. {}", failed_call(error)),
        );
    }

    pub(crate) fn not_checked(&mut self, error: &talos::Error) {
        let node = self.node;
        self.warn(
            on("node"),
            "The node could not be checked at plan",
            format!("Node {node} does not answer, so version, extensions and configuration are checked when the apply reaches it. {}", failed_call(error)),
        );
    }

    pub(crate) fn interrupted(&mut self, what: &str) {
        let node = self.node;
        self.error(
            on("node"),
            "Interrupted",
            format!("The operation was interrupted while the provider {what} on node {node}. The state holds what is known; plan again to see what is left to do."),
        );
    }

    pub(crate) fn too_slow(&mut self, is_warning: bool, what: &str, limit: Duration) {
        let node = self.node;
        self.momentary(
            !is_warning,
            on("timeouts"),
            "The node does not answer in time",
            format!("{what} node {node} took more than {}. Its state is kept as it was. Check the node (`talosctl -n {node} version`), or raise the timeout.", span(limit)),
        );
    }

    pub(crate) fn no_configuration(&mut self) {
        let node = self.node;
        self.error(
            on("node"),
            "The node has no machine configuration",
            format!("Node {node} answers and has no v1alpha1 machine configuration to patch: it is in maintenance mode or not installed yet. Apply its base configuration first."),
        );
    }

    pub(crate) fn nothing_to_import(&mut self) {
        let node = self.node;
        self.error(
            Path::root(),
            "There is nothing to import",
            format!("The machine configuration of node {node} holds none of the NVIDIA modules, nor the sysctl or the default runtime of the guide. Create the resource instead of importing it."),
        );
    }

    // Versions.

    pub(crate) fn too_old(&mut self, tag: &str) {
        let node = self.node;
        let (major, minor) = talos::version::OLDEST;
        self.error(
            on("node"),
            "The Talos version is not supported",
            format!(
                "Node {node} runs Talos {tag}; the oldest supported version is {major}.{minor}. Upgrade the node first."
            ),
        );
    }

    pub(crate) fn newer_than_known(&mut self, tag: &str) {
        let node = self.node;
        let (major, minor) = talos::version::NEWEST;
        self.warn(
            on("node"),
            "The Talos version is newer than this provider knows",
            format!("Node {node} runs Talos {tag}; the newest version that this release was tested with is {major}.{minor}. It is treated like {major}.{minor}. Look for a newer release of the provider."),
        );
    }

    pub(crate) fn version_not_read(&mut self, tag: &str) {
        let node = self.node;
        self.error(
            on("node"),
            "The Talos version cannot be read",
            format!("Node {node} says that it runs \"{tag}\", which is not a version such as v1.13.9, so it cannot be told how to patch it. Run a released version of Talos."),
        );
    }

    pub(crate) fn upgraded_since_plan(&mut self, planned: &str, found: &str) {
        let node = self.node;
        self.error(
            on("node"),
            "The node was upgraded after the plan",
            format!(
                "The plan was made for Talos {planned} and node {node} now runs {found}. Nothing was sent. Plan again."
            ),
        );
    }

    // Checks of a change.

    pub(crate) fn extensions(&mut self, is_error: bool, tag: &str, problems: &[String]) {
        let node = self.node;
        for problem in problems {
            self.momentary(
                is_error,
                on("extension_check"),
                "The NVIDIA extensions do not fit",
                format!(
                    "Node {node} (Talos {tag}): {problem} (extension_check = \"warn\" or \"off\" goes on all the same.)"
                ),
            );
        }
    }

    pub(crate) fn extensions_no_longer_fit(&mut self, tag: &str, problems: &[String]) {
        let node = self.node;
        for problem in problems {
            self.warn(
                on("extension_check"),
                "The NVIDIA extensions do not fit",
                format!(
                    "Node {node} (Talos {tag}): {problem} Nothing is to change on the node, so this stops nothing."
                ),
            );
        }
    }

    pub(crate) fn no_gpu(&mut self) {
        let node = self.node;
        self.warn(
            on("node"),
            "No NVIDIA GPU is seen on the node",
            format!("Node {node} lists no PCI device of NVIDIA (vendor 0x10de), so its modules will not load. Check that this is the right node, and that the GPU is there and passed through."),
        );
    }

    pub(crate) fn cannot_edit(&mut self, attribute: &str, error: &talos::machine_config::EditError) {
        let node = self.node;
        self.error(
            on(attribute),
            "The machine configuration cannot be edited exactly",
            format!("Machine configuration of node {node}: {error}. Nothing was sent."),
        );
    }

    pub(crate) fn needs_reboot(&mut self, tag: &str) {
        let node = self.node;
        self.error(
            on("apply_mode"),
            "The change needs a reboot",
            format!("`default_runtime` of node {node} stands in machine.files, which Talos {tag} applies only with a reboot, and apply_mode is \"no_reboot\". Set apply_mode = \"staged\" to have it at the next boot, or \"reboot\" to reboot the node in the apply."),
        );
    }

    pub(crate) fn will_reboot(&mut self, reasons: &[String]) {
        let node = self.node;
        self.warn(
            on("apply_mode"),
            "The node will be rebooted",
            format!("The apply stages the change and reboots node {node}, because of {}. Its pods stop; it is not drained first. (apply_mode = \"reboot\")", list(reasons)),
        );
    }

    pub(crate) fn staged_for_safety(&mut self) {
        let node = self.node;
        self.warn(
            on("apply_mode"),
            "The change is staged and the node is not rebooted",
            format!("Node {node} has the container toolkit installed, and nothing says that the module nvidia will load at its next boot (not wanted, no GPU, or extensions that do not fit): such a boot waits for it and fails after 70 minutes. The change takes effect at the next boot; mend what keeps the module from loading before you reboot the node."),
        );
    }

    pub(crate) fn created_before_destroyed(&mut self) {
        let node = self.node;
        self.error(
            on("node"),
            "The old object is still on the node",
            format!("This replacement puts a patch on node {node} before the old one is taken back, and the destroy would then take the new one out. Nothing was sent. Remove `create_before_destroy` from the resource's lifecycle."),
        );
    }

    pub(crate) fn at_next_boot(&mut self, reasons: &[String]) {
        let node = self.node;
        self.warn(
            on("kernel_modules"),
            "Part of the change waits for the next boot",
            format!("On node {node} the next boot is needed for {}: Talos takes the change now and the kernel at boot. pending_reboot stays true until then.", list(reasons)),
        );
    }

    pub(crate) fn pending(&mut self, is_error: bool, what: &str) {
        let node = self.node;
        self.momentary(
            is_error,
            on("node"),
            "Another configuration is pending on the node",
            format!("Node {node}: {what} Applying now would overwrite it, so the apply refuses. Reboot the node or apply that configuration for good, or take it back, then apply again."),
        );
    }

    pub(crate) fn maybe_tried_long_ago(&mut self, age: Duration) {
        let node = self.node;
        self.warn(
            on("node"),
            "A tried configuration may have been pending",
            format!("The configuration of node {node} changed {} ago and was not persisted since boot; if it was tried with a very long timeout, this apply makes an end of that.", span(age)),
        );
    }

    pub(crate) fn another_machine(&mut self, expected: &str, found: &str) {
        let node = self.node;
        self.error(
            on("node"),
            "Another machine answers at the node's address",
            format!("The state was made on the machine with uuid {expected}, and {found} answers at {node}. Nothing was sent. If the machine was replaced, remove the resource from the state (`terraform state rm`) and create it anew; else correct the address."),
        );
    }

    pub(crate) fn owned_twice(&mut self, keys: &[String], other: Option<&str>) {
        let node = self.node;
        let names = other.map(|other| format!(" (it is one machine with node {other})")).unwrap_or_default();
        self.error(
            on("node"),
            "Two resources own the same part of a node",
            format!("On node {node}{names}, {} would belong to two talos_nvidia_node_patch resources in this plan or go from one to the other, and each would undo the other: Terraform says of neither which comes first. Name it in one resource alone. To move it, take it out of the one resource and apply, then add it to the other and apply. A resource that was renamed needs a `moved` block, and nodes that change places in a list need for_each with the node's address as key. Where a replacement with `create_before_destroy` came to this, the state holds its old object beside the new one and every plan ends here: remove the resource from the configuration, apply, and add it again without `create_before_destroy`.", list(keys)),
        );
    }

    pub(crate) fn perhaps_one_machine(&mut self, other: &str) {
        let node = self.node;
        self.warn(
            on("node"),
            "Two nodes may be one machine",
            format!("Nodes {node} and {other} report the same machine uuid, their resources name the same modules or sysctls, and the ids of their boots, which would tell, cannot be read. If they are one machine, keep one resource for it; if they are clones, nothing is wrong."),
        );
    }

    pub(crate) fn newer_memory(&mut self, form: u32) {
        let node = self.node;
        self.error(
            on("node"),
            "The resource was last applied by a newer release of the provider",
            format!("What the private state of the resource for node {node} remembers has form {form}, and this release of the provider knows none newer than 1. Nothing was read and nothing was sent. Use the release that wrote it, or a newer one."),
        );
    }

    pub(crate) fn unfinished(&mut self) {
        let node = self.node;
        self.warn(
            on("node"),
            "An earlier apply did not get to its end",
            format!("The last apply to node {node} ended before it was seen on the node, which may hold all, part or nothing of it. This update brings the node to what the configuration says."),
        );
    }

    pub(crate) fn was_there(&mut self, keys: &[String]) {
        let node = self.node;
        self.warn(
            on("node"),
            "Part of the patch stood on the node already",
            format!("On node {node}, {} stood in the machine configuration before this resource, and destroy leaves that there, with the value that it had. If an interrupted apply of this resource put it there, import the node instead.", list(keys)),
        );
    }

    // Applying.

    pub(crate) fn keeps_changing(&mut self, tries: u32) {
        let node = self.node;
        self.error(
            on("node"),
            "Somebody else keeps changing the node's configuration",
            format!("The machine configuration of node {node} was changed by somebody else during each of {tries} attempts to apply. Nothing of theirs is lost. Find the other writer (siderolabs/talos, talosctl, Omni), let it finish, and apply again."),
        );
    }

    pub(crate) fn may_have_overwritten(&mut self) {
        let node = self.node;
        self.warn(
            on("node"),
            "Somebody else wrote at the same moment",
            format!("The machine configuration of node {node} was applied by somebody else while this resource wrote, and the node no longer tells what theirs was. If they used `talosctl patch` or siderolabs/talos, check that their change still stands."),
        );
    }

    pub(crate) fn out_of_time(&mut self, what: &str) {
        let node = self.node;
        self.error(
            on("timeouts"),
            "The operation took too long",
            format!("The deadline passed while the provider {what} on node {node}. The state holds what is known. Plan again, or raise the timeout."),
        );
    }

    pub(crate) fn module_failed(&mut self, module: &str, state: &str, reason: &str, next: &str) {
        let node = self.node;
        self.error(
            on("kernel_modules"),
            "A kernel module does not load",
            format!("Module {module} of node {node} is {state}: {reason}{next}"),
        );
    }

    pub(crate) fn starts_over(&mut self) {
        let node = self.node;
        self.warn(
            on("node"),
            "The next apply starts over",
            format!("The create did not get to its end, so the resource is tainted: the next apply takes the patch of node {node} back and puts it there again, without a reboot of its own. To go on from what is there instead: `terraform untaint`, then apply."),
        );
    }

    pub(crate) fn not_booted(&mut self, why: &str) {
        let node = self.node;
        self.error(
            on("timeouts"),
            "The node did not come back in time",
            format!("Node {node}: {why} The configuration was applied. Look at `talosctl dmesg -n {node}`; plan again when the node is up, or raise the timeout."),
        );
    }

    pub(crate) fn no_boot_id(&mut self) {
        let node = self.node;
        self.error(
            on("apply_mode"),
            "The node was not rebooted",
            format!("Node {node} does not tell the id of its present boot, so a reboot could not be waited for. The change is staged: reboot the node by hand (`talosctl reboot -n {node}`), then plan again."),
        );
    }

    pub(crate) fn nothing_remembered(&mut self) {
        let node = self.node;
        self.error(
            Path::root(),
            "What was put on the node is not known",
            format!("The private state of this resource, which holds what it put on node {node}, is missing (Terraform gives none to the destroy of a tainted object that was planned with -refresh=false). Nothing was sent. Plan again with a refresh; or `terraform untaint` the resource and use -replace; or, to leave the node as it is, `terraform state rm`."),
        );
    }

    pub(crate) fn not_settled(&mut self, stage: &str) {
        let node = self.node;
        self.error(
            on("timeouts"),
            "The node did not finish its boot in time",
            format!("Node {node} answers and is in stage {stage}, so its extensions are not known yet. Nothing was sent. Look at `talosctl dmesg -n {node}`; apply again when it runs, or raise timeouts.create."),
        );
    }

    pub(crate) fn other_version_after_boot(&mut self, before: &str, after: &str) {
        let node = self.node;
        self.error(
            on("node"),
            "The node came back with another Talos version",
            format!("Node {node} ran Talos {before} before the reboot and runs {after} now. The patch is applied. Plan again to see whether it fits that version."),
        );
    }

    // Destroying.

    pub(crate) fn stays_loaded(&mut self, modules: &[String]) {
        let node = self.node;
        self.warn(
            on("kernel_modules"),
            "Modules stay loaded until the next boot",
            format!(
                "Talos does not unload modules: {} of node {node} stay in the kernel until it is rebooted.",
                list(modules)
            ),
        );
    }

    pub(crate) fn boot_hazard(&mut self, extension: &str) {
        let node = self.node;
        self.warn(
            on("kernel_modules"),
            "The next boot of the node may not finish",
            format!("Extension {extension} is still installed on node {node}, and the module nvidia is no longer configured: at its next boot the NVIDIA services wait for that module, and after 70 minutes the boot fails and starts again. Upgrade the node to a schematic without the NVIDIA extensions before it is rebooted, or configure the module again. It was not rebooted."),
        );
    }

    pub(crate) fn staged_removal(&mut self, tag: &str) {
        let node = self.node;
        self.warn(
            on("default_runtime"),
            "The default runtime is taken back at the next boot",
            format!("Talos {tag} writes machine.files at boot only, so taking back the default runtime of node {node} was staged: it is in force after the next boot. A destroy never reboots."),
        );
    }

    pub(crate) fn kept(&mut self) {
        let node = self.node;
        self.warn(
            on("on_destroy"),
            "The patch is left on the node",
            format!("Node {node} keeps its modules, sysctls and runtime (on_destroy = \"keep\"); nothing manages them any more."),
        );
    }

    pub(crate) fn lost_memory(&mut self) {
        let node = self.node;
        self.warn(
            on("node"),
            "What stood on the node before is not known",
            format!("The private state of this resource, which holds what node {node} had before, is missing. It is treated like an import: a destroy removes the modules, sysctls and runtime that it lists."),
        );
    }
}

/// The one-line summary for a failed call, by its cause.
fn summary_of(error: &talos::Error) -> &'static str {
    use talos::ErrorKind as Kind;
    match error.kind() {
        Kind::Unreachable(_) | Kind::DeadlineExceeded => "The node cannot be reached",
        Kind::Certificate(_) => "The Talos API refuses the connection",
        Kind::Permission { .. } => "The role is too small",
        Kind::Busy | Kind::UpdateConflict | Kind::Rebooting => "The node is busy",
        Kind::Invalid(_) | Kind::TooLarge { .. } => "The node refuses the machine configuration",
        Kind::NeedsReboot => "The change needs a reboot",
        Kind::NoForwarding | Kind::InvalidTarget(_) => "The endpoint does not reach the node",
        _ => "The Talos API call failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_lists_read_as_words() {
        assert_eq!(span(Duration::from_secs(90)), "90 s");
        assert_eq!(span(Duration::from_secs(600)), "10 min");
        assert_eq!(span(Duration::from_secs(615)), "10 min 15 s");
        assert_eq!(list::<&str>(&[]), "");
        assert_eq!(list(&["a"]), "a");
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
    }
}
