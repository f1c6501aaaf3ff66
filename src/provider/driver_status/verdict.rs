//! What is wrong with a node's driver: a pure function of the facts. A node is ready when nothing is.
//!
//! A cause is said once: what follows from a missing extension or a missing GPU is not said again for each module.

use std::collections::BTreeSet;

use talos::{TalosVersion, error::Role, resource::MachineStage};

use super::{
    facts::{Facts, Gpu, Service, Unseen},
    hardware::{self, DeviceKind, NeedsFabricManager, TooOld},
    parse::Flavor,
};
use crate::{
    extensions::{self, Extension, Misfit, Part},
    kernel_modules::{GUIDE, LoadCause, Loaded, ModuleState, load_failure},
    pending::Pending,
};

/// The service that keeps the driver awake; the other ones of NVIDIA's wait for it.
const PERSISTENCED: &str = "ext-nvidia-persistenced";

/// The service that describes the devices to containers, from Talos 1.13 on.
const CDI_GEN: &str = "ext-nvidia-cdi-gen";

/// One thing that is not as it should be. Its sentence stands in `texts`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Problem<'a> {
    /// The extensions do not fit together or to the node.
    Extensions(Misfit<'a>),
    /// Kernel modules without a container toolkit.
    NoToolkit { modules: &'a Extension },
    /// The driver that runs is not that of the extension.
    OtherDriverRuns { running: &'a str, modules: &'a Extension },
    /// Modules that the machine configuration does not ask for, and that are not loaded.
    NotConfigured { modules: Vec<&'static str> },
    /// Modules that it asks for and that are not loaded, with the controller's words and what they mean.
    NotLoaded { modules: Vec<&'static str>, why: Option<(String, LoadCause)> },
    /// Modules on their way in or out.
    Moving { modules: Vec<&'static str>, state: ModuleState },
    /// Modules that are loaded and that the next boot will not load.
    GoneAtNextBoot { modules: Vec<&'static str>, toolkit: Option<&'a Extension> },
    /// No GPU, with the toolkit that then keeps the node from booting.
    NoGpu { toolkit: Option<&'a Extension> },
    /// A GPU that the driver does not support.
    OldGpu { gpu: &'a Gpu, why: TooOld, driver: String },
    /// A GPU that has another driver.
    OtherDriverBound { gpu: &'a Gpu, driver: &'a str },
    /// A GPU that has none although the module is loaded.
    Unbound { gpu: &'a Gpu },
    /// A GPU that is bound to the driver, which does not list it.
    NotTaken { gpu: &'a Gpu },
    /// A GPU that a parameter of the module keeps from being used.
    Excluded { gpu: &'a Gpu },
    /// The GPUs cannot work without a fabric manager.
    NoFabricManager { why: NeedsFabricManager, driver: Option<&'a str> },
    /// Services wait, for the module or for something else.
    Waiting { services: Vec<&'a Service>, for_the_module: bool },
    /// A service is not in the state that it should have.
    Service { service: &'a Service, should: &'static str },
    /// A service runs and its health check fails.
    Unhealthy { service: &'a Service },
    /// A service that the toolkit brings is not there.
    NoService { id: &'static str, toolkit: &'a Extension },
    /// There is no description of the devices for containers.
    NoCdi,
    /// The sysctl of the guide up to Talos 1.12.
    JitHarden { value: Option<&'a str> },
    /// Another configuration waits.
    Pending(Pending),
    /// The machine does not run.
    Stage(MachineStage),
    /// What the role may not see.
    Role { what: Vec<&'static str>, needed: Role, held: &'a [String] },
    /// What could not be asked.
    Failed { what: &'static str, why: &'a str },
}

/// Everything that keeps the node from being ready, the most telling first.
pub(super) fn verdict(facts: &Facts) -> Vec<Problem<'_>> {
    let mut problems = Vec::new();
    stage(facts, &mut problems);
    extensions(facts, &mut problems);
    gpus(facts, &mut problems);
    modules(facts, &mut problems);
    fabric_manager(facts, &mut problems);
    services(facts, &mut problems);
    cdi(facts, &mut problems);
    jit_harden(facts, &mut problems);
    pending(facts, &mut problems);
    unseen(facts, &mut problems);
    problems
}

/// Whether the kernel modules, the toolkit, the fabric manager, the running driver and Talos are of one release; `None`
/// when the extensions could not be seen.
pub(super) fn version_match(facts: &Facts) -> Option<bool> {
    let extensions = facts.extensions.as_ref().ok()?;
    let runs_another = other_driver(facts).is_some();
    Some(!runs_another && extensions::misfits(extensions, &facts.tag).is_empty())
}

/// Whether all modules of the guide are in the kernel.
pub(super) fn is_guide_live(loaded: &Loaded) -> bool {
    GUIDE.iter().all(|name| state_of(loaded, name) == ModuleState::Live)
}

/// The state of a module.
pub(super) fn state_of(loaded: &Loaded, name: &str) -> ModuleState {
    loaded.get(name).map_or(ModuleState::NotLoaded, |module| module.state)
}

pub(super) fn has_cdi(version: &TalosVersion) -> bool {
    version.minor() >= (1, 13)
}

fn stage<'a>(facts: &'a Facts, problems: &mut Vec<Problem<'a>>) {
    // A boot that waits for a service of NVIDIA's is told by that service.
    let waits = facts.services.iter().flatten().any(|service| service.state == "Waiting");
    match facts.stage {
        Ok(MachineStage::Running) | Err(_) => {}
        Ok(MachineStage::Booting) if waits => {}
        Ok(stage) => problems.push(Problem::Stage(stage)),
    }
}

fn extensions<'a>(facts: &'a Facts, problems: &mut Vec<Problem<'a>>) {
    let Ok(extensions) = &facts.extensions else { return };
    problems.extend(extensions::misfits(extensions, &facts.tag).into_iter().map(Problem::Extensions));
    if let Some(modules) = extensions::only_modules(extensions)
        && extensions::toolkit(extensions).is_none()
    {
        problems.push(Problem::NoToolkit { modules });
    }
    problems.extend(other_driver(facts));
}

fn other_driver(facts: &Facts) -> Option<Problem<'_>> {
    let running = facts.driver.as_ref().ok()?.as_ref()?;
    let modules = extensions::only_modules(facts.extensions.as_ref().ok()?)?;
    let differs = modules.driver() != Some(running.version.as_str());
    differs.then_some(Problem::OtherDriverRuns { running: &running.version, modules })
}

fn toolkit(facts: &Facts) -> Option<&Extension> {
    facts.extensions.as_ref().ok().and_then(|extensions| extensions::toolkit(extensions))
}

fn has_no_gpu(facts: &Facts) -> bool {
    facts.gpus.is_empty() && facts.devices.is_ok()
}

fn gpus<'a>(facts: &'a Facts, problems: &mut Vec<Problem<'a>>) {
    if has_no_gpu(facts) {
        problems.push(Problem::NoGpu { toolkit: toolkit(facts) });
    }
    for gpu in &facts.gpus {
        problems.extend(old_gpu(facts, gpu).or_else(|| binding(facts, gpu)));
    }
}

/// The extension decides what will run, whatever does now.
fn old_gpu<'a>(facts: &'a Facts, gpu: &'a Gpu) -> Option<Problem<'a>> {
    let device = facts.devices.as_ref().ok()?.iter().find(|device| device.address == gpu.address)?;
    let modules = extensions::only_modules(facts.extensions.as_ref().ok()?)?;
    let flavor = if modules.part() == Some(Part::OpenModules) { Flavor::Open } else { Flavor::Proprietary };
    let driver = modules.driver().unwrap_or_default().to_owned();
    hardware::too_old(device, flavor, &driver).map(|why| Problem::OldGpu { gpu, why, driver })
}

fn binding<'a>(facts: &'a Facts, gpu: &'a Gpu) -> Option<Problem<'a>> {
    let is_loaded = facts.modules.as_ref().is_ok_and(|loaded| state_of(loaded, "nvidia") == ModuleState::Live);
    match gpu.driver.as_ref().ok()?.as_deref() {
        Some("nvidia") => {}
        Some(driver) => return Some(Problem::OtherDriverBound { gpu, driver }),
        // Without the module no GPU has its driver, and the module is what is said.
        None => return is_loaded.then_some(Problem::Unbound { gpu }),
    }
    if facts.taken.as_ref().is_ok_and(|taken| !taken.contains(&gpu.address)) {
        return Some(Problem::NotTaken { gpu });
    }
    let is_excluded = gpu.information.as_ref().ok()?.as_ref()?.excluded;
    is_excluded.then_some(Problem::Excluded { gpu })
}

fn modules<'a>(facts: &'a Facts, problems: &mut Vec<Problem<'a>>) {
    let Ok(loaded) = &facts.modules else { return };
    for state in [ModuleState::Loading, ModuleState::Unloading] {
        let modules: Vec<_> = GUIDE.into_iter().filter(|name| state_of(loaded, name) == state).collect();
        if !modules.is_empty() {
            problems.push(Problem::Moving { modules, state });
        }
    }
    let has_none_to_load =
        facts.extensions.as_ref().is_ok_and(|all| extensions::misfits(all, &facts.tag).contains(&Misfit::NoModules));
    let missing: Vec<&'static str> =
        GUIDE.into_iter().filter(|name| state_of(loaded, name) == ModuleState::NotLoaded).collect();
    let (wanted, unwanted): (Vec<_>, Vec<_>) = missing.into_iter().partition(|name| is_configured(facts, name));
    if !has_none_to_load {
        if !unwanted.is_empty() {
            problems.push(Problem::NotConfigured { modules: unwanted });
        }
        not_loaded(facts, &wanted, problems);
    }
    let gone: Vec<&'static str> = GUIDE
        .into_iter()
        .filter(|name| state_of(loaded, name) == ModuleState::Live && !is_configured(facts, name))
        .collect();
    if !gone.is_empty() {
        let toolkit = toolkit(facts).filter(|_| gone.contains(&"nvidia"));
        problems.push(Problem::GoneAtNextBoot { modules: gone, toolkit });
    }
}

/// Where it cannot be seen what is configured, nothing is said against it.
fn is_configured(facts: &Facts, name: &str) -> bool {
    facts.configured.as_ref().map_or(true, |configured| configured.contains(name))
}

/// Modules that fail for the same reason are one problem.
fn not_loaded<'a>(facts: &'a Facts, wanted: &[&'static str], problems: &mut Vec<Problem<'a>>) {
    type Why = Option<(String, LoadCause)>;
    let mut groups: Vec<(Vec<&'static str>, Why)> = Vec::new();
    for name in wanted {
        let failures = facts.failures.iter().flatten().rev();
        let why = failures.filter_map(|error| load_failure(name, error)).next().map(|f| (f.text, f.cause));
        let cause = |why: &Why| why.as_ref().map(|(_, cause)| *cause);
        match groups.iter_mut().find(|(_, other)| cause(other) == cause(&why)) {
            Some((modules, _)) => modules.push(name),
            None => groups.push((vec![name], why)),
        }
    }
    // A missing GPU and an extension of another Talos are said already, and this is what a module makes of them.
    let is_foreign = facts
        .extensions
        .iter()
        .any(|all| extensions::misfits(all, &facts.tag).iter().any(|misfit| matches!(misfit, Misfit::OtherTalos(_))));
    let follows = |why: &Why| match why {
        Some((_, LoadCause::NoDevice)) => has_no_gpu(facts),
        Some((_, LoadCause::KeyRejected | LoadCause::OtherKernel)) => is_foreign,
        _ => false,
    };
    groups.retain(|(_, why)| !follows(why));
    problems.extend(groups.into_iter().map(|(modules, why)| Problem::NotLoaded { modules, why }));
}

fn fabric_manager<'a>(facts: &'a Facts, problems: &mut Vec<Problem<'a>>) {
    let (Ok(extensions), Ok(devices)) = (&facts.extensions, &facts.devices) else { return };
    let is_there = extensions.iter().any(|extension| extension.part() == Some(Part::FabricManager));
    let has_gpu = devices.iter().any(|device| device.kind == DeviceKind::Gpu);
    if let Some(why) = hardware::needs_fabric_manager(devices).filter(|_| !is_there && has_gpu) {
        let driver = extensions::only_modules(extensions).and_then(Extension::driver);
        problems.push(Problem::NoFabricManager { why, driver });
    }
}

fn services<'a>(facts: &'a Facts, problems: &mut Vec<Problem<'a>>) {
    let Ok(services) = &facts.services else { return };
    // What waits for a service that waits is said with it; persistenced stands first, since the others wait for it.
    let mut waiting: Vec<&Service> = services.iter().filter(|service| service.state == "Waiting").collect();
    waiting.sort_by_key(|service| service.id != PERSISTENCED);
    let is_live = |loaded: &Loaded| state_of(loaded, "nvidia") == ModuleState::Live;
    let for_the_module = !facts.modules.as_ref().is_ok_and(is_live);
    // Where there is no GPU, that is what is waited for in vain, and is said with what it leads to.
    let is_said = for_the_module && has_no_gpu(facts);
    if !waiting.is_empty() && !is_said {
        problems.push(Problem::Waiting { services: waiting, for_the_module });
    }
    for service in services.iter().filter(|service| service.state != "Waiting") {
        let should = wanted_state(&service.id);
        if !should.contains(&service.state.as_str()) {
            problems.push(Problem::Service { service, should: should.first().copied().unwrap_or("Running") });
        } else if service.healthy == Some(false) {
            problems.push(Problem::Unhealthy { service });
        }
    }
    let Some(toolkit) = toolkit(facts) else { return };
    let mut brings = vec![PERSISTENCED];
    if has_cdi(&facts.version) {
        brings.push(CDI_GEN);
    }
    brings.retain(|id| !services.iter().any(|service| service.id == *id));
    problems.extend(brings.into_iter().map(|id| Problem::NoService { id, toolkit }));
}

/// The states in which a service is as it should be, the usual one first.
fn wanted_state(id: &str) -> &'static [&'static str] {
    match id {
        CDI_GEN | "ext-nvidia-gdrdrv-device" => &["Finished"],
        PERSISTENCED | "ext-nvidia-fabricmanager" => &["Running"],
        // One that this release does not know may be of either kind.
        _ => &["Running", "Finished"],
    }
}

fn cdi<'a>(facts: &'a Facts, problems: &mut Vec<Problem<'a>>) {
    let Ok(files) = &facts.cdi else { return };
    let is_there = files.iter().any(|file| file.contains("nvidia"));
    // While the service that writes it is not done, or is not there, that is what is said.
    let is_written = facts
        .services
        .as_ref()
        .map_or(true, |services| services.iter().any(|service| service.id == CDI_GEN && service.state == "Finished"));
    if has_cdi(&facts.version) && !is_there && is_written {
        problems.push(Problem::NoCdi);
    }
}

fn jit_harden<'a>(facts: &'a Facts, problems: &mut Vec<Problem<'a>>) {
    let Ok(value) = &facts.jit_harden else { return };
    if facts.version.minor() <= (1, 12) && value.as_deref() != Some("1") {
        problems.push(Problem::JitHarden { value: value.as_deref() });
    }
}

fn pending<'a>(facts: &'a Facts, problems: &mut Vec<Problem<'a>>) {
    match &facts.pending {
        // What changed some minutes ago and was perhaps only tried is in force at this moment.
        Ok(Pending::Nothing | Pending::MaybeTried(_) | Pending::LongAgo(_)) | Err(_) => {}
        Ok(waits) => problems.push(Problem::Pending(*waits)),
    }
}

fn unseen<'a>(facts: &'a Facts, problems: &mut Vec<Problem<'a>>) {
    let mut hidden: Vec<(&'static str, Role, &'a [String])> = Vec::new();
    let mut named = BTreeSet::new();
    for (what, why) in &facts.unseen {
        match why {
            _ if !named.insert(*what) => {}
            Unseen::Role { needed, held } => hidden.push((what, *needed, held)),
            Unseen::Failed(why) => problems.push(Problem::Failed { what, why }),
            Unseen::Depends => {}
        }
    }
    if let Some((_, _, held)) = hidden.first().copied() {
        let needed = hidden.iter().map(|(_, needed, _)| *needed).max().unwrap_or(Role::Admin);
        problems.push(Problem::Role { what: hidden.iter().map(|(what, ..)| *what).collect(), needed, held });
    }
}

#[cfg(test)]
mod tests;
