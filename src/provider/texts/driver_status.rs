//! The sentences of `nvidia_driver_status`: each says what is, what should be, and what to do, and is whole by itself,
//! since it is read in an output or an alert, without its neighbours.

use std::time::Duration;

use plugin::Path;
use talos::resource::MachineStage;

use super::{Say, failed_call, list, on, span, summary_of};
use crate::{
    driver_status::{Gpu, NeedsFabricManager, Problem, Service, TooOld},
    extensions::{Extension, Misfit},
    kernel_modules::{LoadCause, ModuleState},
    pending::Pending,
};

/// The sentence of a problem on a node that runs the Talos `tag`.
pub(crate) fn sentence(problem: &Problem<'_>, tag: &str) -> String {
    match problem {
        Problem::Extensions(misfit) => extensions(misfit, tag),
        Problem::NoToolkit { modules } => format!(
            "No container toolkit extension is installed and there should be one of driver {} beside {}: without it containers get no GPU, so add nvidia-container-toolkit with the same suffix (-lts or -production) to the schematic and upgrade the node.",
            driver(modules),
            modules.full_name()
        ),
        Problem::OtherDriverRuns { running, modules } => format!(
            "The running driver is {running} and should be {}, that of the installed {}: the modules in the kernel are not those of the extension, so reboot the node.",
            driver(modules),
            modules.full_name()
        ),
        Problem::NotConfigured { modules } => format!(
            "{} not loaded and not in the machine configuration, and should be both: NVIDIA's extensions blacklist their modules, so that only those load that are named there; add {} to the `kernel_modules` of the node's talos_nvidia_node_patch, or create that resource.",
            these_modules(modules, "is", "are"),
            if modules.len() == 1 { "it" } else { "them" }
        ),
        Problem::NotLoaded { modules, why: Some((text, cause)) } => format!(
            "{} not loaded and should be live: Talos says `{text}`, which means that {}.",
            these_modules(modules, "is", "are"),
            meaning(*cause, tag)
        ),
        Problem::NotLoaded { modules, why: None } => format!(
            "{} not loaded although configured, and should be live: Talos's log gives no reason, so look at `talosctl dmesg` and `talosctl logs controller-runtime` of the node.",
            these_modules(modules, "is", "are")
        ),
        Problem::Moving { modules, state } => format!(
            "{} {} and should be live: {}.",
            these_modules(modules, "is", "are"),
            if *state == ModuleState::Unloading { "being unloaded" } else { "still loading" },
            if *state == ModuleState::Unloading {
                "Talos never unloads one, so look at what does, with `talosctl dmesg` of the node"
            } else {
                "that takes seconds, so read again, and if it stays so look at `talosctl dmesg` of the node for lines with NVRM"
            }
        ),
        Problem::GoneAtNextBoot { modules, toolkit } => gone_at_next_boot(modules, *toolkit),
        Problem::NoGpu { toolkit: Some(toolkit) } => format!(
            "No NVIDIA GPU is on the PCI bus, and with {} installed there should be one: its services wait for a driver that finds none, so each boot of the node fails after 70 minutes and starts again; give the node its GPU (passed through to it, if it is a virtual machine), or upgrade it to a schematic without NVIDIA's extensions.",
            toolkit.full_name()
        ),
        Problem::NoGpu { toolkit: None } => "No NVIDIA GPU is on the PCI bus and there should be at least one: check that this is the right node, and that the GPU is there and, if it is a virtual machine, passed through to it.".to_owned(),
        Problem::OldGpu { gpu, why, driver } => old_gpu(gpu, *why, driver),
        Problem::OtherDriverBound { gpu, driver } => format!(
            "{} is bound to the driver {driver} and should be bound to nvidia: take its PCIDriverRebindConfig or the module {} out of the machine configuration (and its id out of the kernel arguments), then reboot the node.",
            this_gpu(gpu),
            driver.replace('-', "_")
        ),
        Problem::Unbound { gpu } => format!(
            "{} is bound to no driver although the module nvidia is loaded, and should be bound to nvidia: the driver refused it, so look for lines with NVRM and {} in `talosctl dmesg` of the node.",
            this_gpu(gpu),
            gpu.address
        ),
        Problem::NotTaken { gpu } => format!(
            "{} is bound to nvidia and the driver does not list it, so it did not start up, and it should be listed under /proc/driver/nvidia/gpus: look for lines with NVRM and GSP in `talosctl dmesg` of the node, and power the machine off and on if its firmware does not start.",
            this_gpu(gpu)
        ),
        Problem::Excluded { gpu } => format!(
            "{} is excluded from use and should not be: take its UUID out of the parameter NVreg_ExcludedGpus of the module nvidia, then reboot the node.",
            this_gpu(gpu)
        ),
        Problem::NoFabricManager { why, driver } => no_fabric_manager(why, *driver),
        Problem::Waiting { services, for_the_module } => waiting(services, *for_the_module),
        Problem::Service { service, should } => service_state(service, should),
        Problem::Unhealthy { service } => format!(
            "Service {} runs and its health check fails{}, and should pass: look at `talosctl logs {}` of the node.",
            service.id,
            said(service),
            service.id
        ),
        Problem::NoService { id, toolkit } => format!(
            "Service {id} is not there, and {} should have brought it: check with `talosctl get extensions` that the extension is whole, and upgrade the node to its schematic again.",
            toolkit.full_name()
        ),
        Problem::NoCdi => format!(
            "No CDI specification of NVIDIA's is in /run/cdi, and on Talos {tag} ext-nvidia-cdi-gen should have written /run/cdi/nvidia.yaml: without it containers get no GPU, so look at `talosctl service ext-nvidia-cdi-gen` and `talosctl logs ext-nvidia-cdi-gen` of the node."
        ),
        Problem::JitHarden { value } => format!(
            "The sysctl net.core.bpf_jit_harden is {} and should be 1 on Talos up to 1.12, or containers with a GPU do not start: set it with the `sysctls` of the node's talos_nvidia_node_patch, whose default it is, and where it is set there already, somebody has changed it in the running kernel since, so reboot the node or write it back.",
            value.unwrap_or("not there")
        ),
        Problem::Pending(waits) => pending(*waits),
        Problem::Stage(stage) => format!(
            "The machine is in stage {} and should be Running: wait until it is and read again, and if it stays so look at `talosctl dmesg` and `talosctl services` of the node.",
            words(*stage)
        ),
        Problem::Role { what, needed, held } => format!(
            "With the role {} these could not be seen: {}; ready is true only when all of it was seen and is well, so use a client certificate with the role {needed}.",
            if held.is_empty() { "(none)".to_owned() } else { list(held) },
            what.join("; ")
        ),
        Problem::Failed { what, why } => {
            format!("{} could not be read, and should be: {}", capital(what), why)
        }
    }
}

fn driver(extension: &Extension) -> &str {
    extension.driver().unwrap_or_default()
}

/// `Module nvidia is`, `Modules nvidia and nvidia_uvm are`.
fn these_modules(names: &[&str], one: &str, several: &str) -> String {
    match names {
        [name] => format!("Module {name} {one}"),
        names => format!("Modules {} {several}", list(names)),
    }
}

/// `GPU 0000:01:00.0 (GH100 [H100 PCIe])`.
fn this_gpu(gpu: &Gpu) -> String {
    if gpu.product.is_empty() {
        format!("GPU {}", gpu.address)
    } else {
        format!("GPU {} ({})", gpu.address, gpu.product)
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn extensions(misfit: &Misfit<'_>, tag: &str) -> String {
    match misfit {
        Misfit::NoModules => format!(
            "No NVIDIA kernel module extension is installed and there should be exactly one: add nvidia-open-gpu-kernel-modules or nonfree-kmod-nvidia (-lts or -production) and nvidia-container-toolkit with the same suffix to the Image Factory schematic, and upgrade the node to its installer for {tag}."
        ),
        Misfit::SeveralModules(several) => format!(
            "{} kernel module extensions are installed ({}) and there should be exactly one, since they hold the same modules: keep one of them in the schematic and upgrade the node.",
            several.len(),
            list(&several.iter().map(|e| e.full_name()).collect::<Vec<_>>())
        ),
        Misfit::OtherTalos(modules) => format!(
            "{} was built for Talos {} and should be built for {tag}, which the node runs, or the kernel refuses its modules: upgrade the node with the installer of its schematic for {tag}.",
            modules.full_name(),
            modules.built_for().unwrap_or("of an unknown version")
        ),
        Misfit::OtherDriver { modules, other, what } => format!(
            "The {what} is of driver {} ({}) and should be of {}, that of the kernel modules ({}), since they only work together when both are the same: give both extensions the same suffix (-lts or -production) in the schematic and upgrade the node.",
            driver(other),
            other.full_name(),
            driver(modules),
            modules.full_name()
        ),
    }
}

fn meaning(cause: LoadCause, tag: &str) -> String {
    match cause {
        LoadCause::NotFound => format!("no installed extension holds it: install NVIDIA's kernel module extension for {tag} and upgrade the node"),
        LoadCause::NoDevice => "it found no GPU that it can drive: check that the GPU is there and not bound to another driver (vfio-pci), and take nonfree-kmod-nvidia for a GPU older than Turing".to_owned(),
        LoadCause::KeyRejected => format!("the kernel does not trust its signature, because the extension is of another build of Talos: upgrade the node with the installer of its schematic for {tag}"),
        LoadCause::OtherKernel => format!("it was built for another kernel: upgrade the node with the installer of its schematic for {tag}"),
        LoadCause::Refused => "the kernel refused it or one of its parameters: check its `parameters` in the machine configuration and `talosctl dmesg` of the node".to_owned(),
        LoadCause::Unknown => "it may yet load when Talos tries again: if it stays so, look at `talosctl dmesg` and `talosctl logs controller-runtime` of the node".to_owned(),
    }
}

fn gone_at_next_boot(modules: &[&str], toolkit: Option<&Extension>) -> String {
    let what = these_modules(modules, "is", "are");
    match toolkit {
        Some(toolkit) => format!(
            "{what} live and no longer in the machine configuration, and should be in it: the next boot does not load nvidia, so the services of {} wait for it and the boot fails after 70 minutes; configure the module again with talos_nvidia_node_patch, or upgrade the node to a schematic without NVIDIA's extensions before it reboots.",
            toolkit.full_name()
        ),
        None => format!(
            "{what} live and no longer in the machine configuration, and should be in it: the next boot does not load {}, so add {} to the `kernel_modules` of the node's talos_nvidia_node_patch.",
            if modules.len() == 1 { "it" } else { "them" },
            if modules.len() == 1 { "it" } else { "them" }
        ),
    }
}

fn old_gpu(gpu: &Gpu, why: TooOld, driver: &str) -> String {
    let what = this_gpu(gpu);
    match why {
        TooOld::ForTheOpenModules => format!(
            "{what} is older than Turing and the open kernel modules ({driver}) drive Turing and newer alone, so it should have the proprietary ones: put nonfree-kmod-nvidia-lts of driver 580 or older into the schematic in their place and upgrade the node."
        ),
        TooOld::ForDriversAfter580 => format!(
            "{what} is older than Turing and driver {driver} no longer supports it, so it should have driver 580 or older: put nonfree-kmod-nvidia-lts and nvidia-container-toolkit-lts of such a driver into the schematic and upgrade the node."
        ),
    }
}

fn no_fabric_manager(why: &NeedsFabricManager, driver: Option<&str>) -> String {
    let why = match why {
        NeedsFabricManager::Switches(1) => "an NVSwitch".to_owned(),
        NeedsFabricManager::Switches(count) => format!("{count} NVSwitches"),
        NeedsFabricManager::Model { count, product } => {
            format!("{count} GPUs that are joined by NVSwitches ({product})")
        }
    };
    let version = driver.map(|driver| format!(" of driver {driver}")).unwrap_or_default();
    format!(
        "The machine has {why} and no fabric manager is installed, and there should be one{version}, or CUDA does not start on these GPUs: add nvidia-fabricmanager with the suffix of the other extensions to the schematic and upgrade the node."
    )
}

/// ` (Waiting for …)`; nothing when the service has not said anything.
fn said(service: &Service) -> String {
    let message = service.message.trim().trim_end_matches('.');
    if message.is_empty() { String::new() } else { format!(" ({message})") }
}

fn waiting(services: &[&Service], for_the_module: bool) -> String {
    let ids: Vec<&str> = services.iter().map(|service| service.id.as_str()).collect();
    let (who, are, they) = match ids.as_slice() {
        [id] => (format!("Service {id}"), "is", "it is"),
        ids => (format!("Services {}", list(ids)), "are", "they are"),
    };
    let message = services.first().map(|service| said(service)).unwrap_or_default();
    let what = format!("{who} {are} Waiting{message} and should have started");
    if for_the_module {
        format!(
            "{what}: the module nvidia, which is waited for, is not loaded, and while it is not, each boot of the node fails after 70 minutes and starts again; mend what keeps the module from loading."
        )
    } else {
        format!(
            "{what}: the module nvidia is loaded, so read again, and if it stays so see with `talosctl service {}` what {they} waiting for.",
            ids.first().unwrap_or(&"")
        )
    }
}

fn service_state(service: &Service, should: &str) -> String {
    let Service { id, state, .. } = service;
    let what = format!("Service {id} is {state}{} and should be {should}", said(service));
    match state.as_str() {
        "Initialized" | "Preparing" | "Starting" | "Running" => format!(
            "{what}: after a boot or a change that takes seconds, so read again, and if it stays so look at `talosctl logs {id}` of the node."
        ),
        "Failed" => format!("{what}: look at `talosctl logs {id}` of the node for why it failed."),
        _ => format!(
            "{what}: look at `talosctl service {id}` of the node, and start it with `talosctl service {id} start`."
        ),
    }
}

fn pending(waits: Pending) -> String {
    match waits {
        Pending::Tried => "A machine configuration is being tried and Talos is about to take it back, and none should wait: what is said here holds only until then, so apply that configuration for good, or read again after the rollback.".to_owned(),
        Pending::Differs => "The machine configuration on disk is not the active one and should be: one was staged for the next boot or is being tried, so reboot the node to have the one on disk, or apply the active one again to keep it.".to_owned(),
        _ => "A machine configuration is staged and the active one is another, and none should wait: what is said here holds only until the next boot, so reboot the node to have it in force.".to_owned(),
    }
}

fn words(stage: MachineStage) -> &'static str {
    match stage {
        MachineStage::Unknown => "Unknown",
        MachineStage::Booting => "Booting",
        MachineStage::Installing => "Installing",
        MachineStage::Maintenance => "Maintenance",
        MachineStage::Running => "Running",
        MachineStage::Rebooting => "Rebooting",
        MachineStage::ShuttingDown => "Shutting down",
        MachineStage::Resetting => "Resetting",
        MachineStage::Upgrading => "Upgrading",
    }
}

/// Why there is no status. All calls go out at once, and on a node that cannot be reached all of them fail: which of
/// them was the first to is chance, and none is named.
fn failure(error: &talos::Error) -> String {
    if !error.is_unreachable() {
        return failed_call(error);
    }
    let reason = error.kind().to_string();
    let last = error.endpoint().map(|endpoint| (endpoint, reason.as_str()));
    let tried: Vec<String> =
        error.also_tried().chain(last).map(|(endpoint, why)| format!("endpoint {endpoint}: {why}")).collect();
    let tried = if tried.is_empty() { reason } else { tried.join("; ") };
    let stop = if tried.ends_with('.') { "" } else { "." };
    format!("{tried}{stop} {}", error.next_step())
}

impl Say<'_> {
    pub(crate) fn status_needs_known_configuration(&mut self, attribute: &str) {
        let node = self.node;
        self.error(
            Path::root(),
            "The provider configuration is not known yet",
            format!("`{attribute}` of the provider block is known only after apply, so node {node} cannot be asked while planning. Add `depends_on` to the data source with what the block depends on (or with the node's talos_nvidia_node_patch): Terraform then reads it in the apply."),
        );
    }

    pub(crate) fn status_failed(&mut self, error: &talos::Error) {
        let node = self.node;
        let way_on = if error.is_unreachable() {
            " To go on without it, with ready = false and this as its problem, set on_unreachable = \"warn\" in the provider block."
        } else {
            ""
        };
        self.error(
            on("node"),
            summary_of(error),
            format!("Reading the driver's status of node {node}: {}{way_on}", failure(error)),
        );
    }

    pub(crate) fn status_without_version(&mut self, tag: &str) {
        let node = self.node;
        self.error(
            on("node"),
            "The Talos version cannot be read",
            format!("Node {node} says that it runs \"{tag}\", which is not a version such as v1.13.9, so it cannot be told what it should have. Run a released version of Talos."),
        );
    }

    pub(crate) fn status_too_slow(&mut self, limit: Duration) {
        let node = self.node;
        self.error(
            on("node"),
            "The node does not answer in time",
            format!(
                "Reading the status of node {node} took more than {}. Check the node (`talosctl -n {node} version`).",
                span(limit)
            ),
        );
    }

    /// Warns of a node that cannot be reached, and answers the sentence for `problems`.
    pub(crate) fn status_of_a_silent_node(&mut self, error: &talos::Error) -> String {
        let node = self.node;
        let sentence = format!("Node {node} does not answer and should, so nothing is known of it: {}", failure(error));
        self.silent(&sentence);
        sentence
    }

    /// The same for a node that answers too slowly.
    pub(crate) fn status_of_a_slow_node(&mut self, limit: Duration) -> String {
        let node = self.node;
        let sentence = format!(
            "Node {node} did not answer within {} and should, so nothing is known of it: check it with `talosctl -n {node} version`.",
            span(limit)
        );
        self.silent(&sentence);
        sentence
    }

    fn silent(&mut self, sentence: &str) {
        self.warn(
            on("node"),
            "The node cannot be reached",
            format!("{sentence} Its status is ready = false (on_unreachable = \"warn\")."),
        );
    }
}
