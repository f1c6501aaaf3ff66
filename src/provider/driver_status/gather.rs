//! Asks a node for everything at once: two round trips, whatever it has.
//!
//! Nothing of the first round depends on the version or on another answer; the second asks what the first has named (each
//! GPU) or what the version decides. A file that is missing is an answer, a role that is too small is a fact.

use std::{collections::BTreeSet, time::SystemTime};

use futures_util::future::try_join_all;
use talos::{
    Error, ErrorKind, TalosVersion,
    resource::{KernelModuleSpec, KernelParamStatus, MachineStage, MachineStatus},
    version::Support,
};

use super::{
    facts::{Facts, Gpu, Seen, Service, Unseen},
    hardware::{Device, DeviceKind},
    parse::{self, Driver},
    verdict::is_guide_live,
};
use crate::{
    extensions::Extension,
    kernel_modules::{Loaded, kernel_name},
    nodes::{Running, Snapshot},
    pending::{self, Active, Pending},
    texts::{Say, failed_call},
};

/// The sysctl that containers with a GPU needed up to Talos 1.12.
pub(super) const BPF_JIT_HARDEN: &str = "net.core.bpf_jit_harden";

/// The controller whose log says why a module does not load (talos-api facts, K.1.3).
const MODULE_CONTROLLER: &str = "runtime.KernelModuleSpecController";

/// How much of the controllers' log is looked at.
const LOG_LINES: u32 = 500;

/// Why there are no facts.
pub(super) enum NoAnswer {
    Call(Error),
    /// The tag is no version.
    NotAVersion(String),
    /// Older than the oldest supported version.
    TooOld(String),
}

impl NoAnswer {
    /// Says it as an error.
    pub(super) fn say(&self, say: &mut Say<'_>) {
        match self {
            Self::Call(error) => say.status_failed(error),
            Self::NotAVersion(tag) => say.status_without_version(tag),
            Self::TooOld(tag) => say.too_old(tag),
        }
    }
}

impl From<Error> for NoAnswer {
    fn from(error: Error) -> Self {
        Self::Call(error)
    }
}

/// What a call brought. An error is left only for what concerns the node as a whole: then nothing else needs waiting for.
fn seen<T>(outcome: Result<T, Error>) -> Result<Seen<T>, Error> {
    match outcome {
        Ok(value) => Ok(Ok(value)),
        Err(error) => match error.kind() {
            ErrorKind::Permission { needed, held } => Ok(Err(Unseen::Role { needed: *needed, held: held.clone() })),
            ErrorKind::Certificate(_) => Err(error),
            _ if error.is_unreachable() => Err(error),
            _ => Ok(Err(Unseen::Failed(failed_call(&error)))),
        },
    }
}

/// Everything about a node's driver.
pub(super) async fn gather(snapshot: &Snapshot) -> Result<Facts, NoAnswer> {
    let first = First::ask(snapshot).await?;
    let version = first.running.version.clone().ok_or_else(|| NoAnswer::NotAVersion(first.running.tag.clone()))?;
    if version.support() == Support::TooOld {
        return Err(NoAnswer::TooOld(first.running.tag));
    }
    let second = Second::ask(snapshot, &version, &first).await?;
    Ok(facts(version, first, second))
}

/// What can be asked before anything is known.
struct First {
    running: Running,
    stage: Seen<MachineStage>,
    extensions: Seen<Vec<Extension>>,
    devices: Seen<Vec<Device>>,
    services: Seen<Vec<Service>>,
    configured: Seen<BTreeSet<String>>,
    /// Whether there is an active configuration that can be compared.
    active: Seen<bool>,
    modules: Seen<Loaded>,
    driver: Seen<Option<Driver>>,
    taken: Seen<BTreeSet<String>>,
    jit_harden: Seen<Option<String>>,
    cdi: Seen<Vec<String>>,
}

impl First {
    async fn ask(snapshot: &Snapshot) -> Result<Self, Error> {
        let node = snapshot.node();
        let (
            running,
            stage,
            extensions,
            devices,
            services,
            configured,
            active,
            modules,
            driver,
            taken,
            jit_harden,
            cdi,
        ) = tokio::try_join!(
            async { snapshot.running().await.cloned() },
            async { seen(node.get::<MachineStatus>("machine").await) },
            async { seen(snapshot.extensions().await.cloned()) },
            async { seen(snapshot.devices().await.map(|found| found.iter().map(Device::from).collect())) },
            async { seen(node.services().await) },
            async { seen(node.list::<KernelModuleSpec>().await) },
            async { seen(snapshot.active().await.map(|active| active.is_some())) },
            async { seen(snapshot.proc_modules().await.cloned()) },
            async { seen(node.read_file("/proc/driver/nvidia/version").await) },
            async { seen(node.list_directory("/proc/driver/nvidia/gpus").await) },
            async { seen(node.read_file("/proc/sys/net/core/bpf_jit_harden").await) },
            async { seen(node.list_directory("/run/cdi").await) },
        )?;
        Ok(Self {
            running,
            stage: stage.map(|found| found.map_or(MachineStage::Unknown, |found| found.spec.stage)),
            extensions,
            devices,
            services: services.map(|all| all.into_iter().filter_map(service).collect()),
            configured: configured.map(|all| all.iter().map(|found| kernel_name(&found.spec.name)).collect()),
            active,
            modules,
            driver: driver.map(|text| text.as_deref().and_then(parse::driver)),
            taken: taken.map(|found| parse::names(&found.unwrap_or_default()).map(ToOwned::to_owned).collect()),
            jit_harden: jit_harden.map(|text| text.map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned())),
            cdi: cdi.map(|found| cdi_files(&found.unwrap_or_default())),
        })
    }

    /// Addresses of all GPUs: those on the bus, and those that the driver has, since Talos looks at the bus once a boot.
    fn gpus(&self) -> BTreeSet<String> {
        let on_the_bus = self.devices.iter().flatten().filter(|d| d.kind == DeviceKind::Gpu).map(|d| d.address.clone());
        on_the_bus.chain(self.taken.iter().flatten().cloned()).collect()
    }
}

/// The services that NVIDIA's extensions bring.
fn service(info: talos::client::ServiceInfo) -> Option<Service> {
    if !info.id.starts_with("ext-nvidia-") {
        return None;
    }
    let (healthy, said) = info.health.map_or((None, String::new()), |health| (Some(health.healthy), health.message));
    // An ailing service's health check says more than its last event.
    let message = if healthy == Some(false) && !said.is_empty() { said } else { info.last_event };
    Some(Service { id: info.id, state: info.state, healthy, message })
}

/// The specifications of devices in the folder.
fn cdi_files(listing: &[talos::client::FileInfo]) -> Vec<String> {
    let is_specification = |name: &&str| [".yaml", ".yml", ".json"].iter().any(|end| name.ends_with(end));
    parse::names(listing).filter(is_specification).map(|name| format!("/run/cdi/{name}")).collect()
}

/// What the first answers name, or the version decides.
struct Second {
    gpus: Vec<Gpu>,
    pending: Seen<Pending>,
    /// Only where `/proc/modules` could not be read.
    modules: Option<Seen<Loaded>>,
    failures: Seen<Vec<String>>,
    /// Only where the kernel's own value could not be read.
    jit_harden: Option<Seen<Option<String>>>,
}

impl Second {
    async fn ask(snapshot: &Snapshot, version: &TalosVersion, first: &First) -> Result<Self, Error> {
        let node = snapshot.node();
        let addresses = first.gpus();
        let (gpus, pending, modules, failures, jit_harden) = tokio::try_join!(
            try_join_all(addresses.into_iter().map(|address| gpu(snapshot, first, address))),
            waiting(snapshot, version, first),
            async {
                let is_hidden = matches!(first.modules, Err(Unseen::Role { .. }));
                if is_hidden { seen(snapshot.modules(version).await.cloned()).map(Some) } else { Ok(None) }
            },
            async {
                if first.modules.as_ref().is_ok_and(is_guide_live) {
                    return Ok(Ok(Vec::new()));
                }
                let log = seen(node.controller_log(LOG_LINES).await)?;
                let of_modules = |log: Vec<talos::ControllerFailure>| {
                    log.into_iter().filter(|f| f.controller == MODULE_CONTROLLER).map(|f| f.error).collect()
                };
                Ok(log.map(of_modules))
            },
            async {
                if !matches!(first.jit_harden, Err(Unseen::Role { .. })) {
                    return Ok(None);
                }
                let written = node.get::<KernelParamStatus>(&format!("proc.sys.{BPF_JIT_HARDEN}")).await;
                seen(written.map(|found| found.map(|found| found.spec.current))).map(Some)
            },
        )?;
        Ok(Self { gpus, pending, modules, failures, jit_harden })
    }
}

async fn gpu(snapshot: &Snapshot, first: &First, address: String) -> Result<Gpu, Error> {
    let node = snapshot.node();
    let link = format!("/sys/bus/pci/devices/{address}/driver");
    let file = format!("/proc/driver/nvidia/gpus/{address}/information");
    let (driver, information) = tokio::try_join!(async { seen(node.list_directory(&link).await) }, async {
        // Files are for the role that could read the first one; and a GPU that the driver has not taken has none.
        match (&first.driver, &first.taken) {
            (Err(Unseen::Role { .. }), _) => Ok(Err(Unseen::Depends)),
            (_, Ok(taken)) if !taken.contains(&address) => Ok(Ok(None)),
            _ => seen(node.read_file(&file).await),
        }
    },)?;
    let device = first.devices.iter().flatten().find(|device| device.address == address);
    Ok(Gpu {
        product: device.map(|device| device.product.clone()).unwrap_or_default(),
        driver: driver.map(|listing| listing.as_deref().and_then(parse::bound_driver)),
        information: information.map(|text| text.as_deref().map(parse::information)),
        address,
    })
}

/// What waits for the next boot beside the active configuration.
async fn waiting(snapshot: &Snapshot, version: &TalosVersion, first: &First) -> Result<Seen<Pending>, Error> {
    match &first.active {
        Ok(true) => {}
        Ok(false) => return Ok(Ok(Pending::Nothing)),
        Err(unseen) => return Ok(Err(unseen.clone())),
    }
    let Some(active) = snapshot.active().await? else { return Ok(Ok(Pending::Nothing)) };
    let persisted = match seen(snapshot.persisted(version).await)? {
        Ok(persisted) => persisted,
        Err(unseen) => return Ok(Err(unseen)),
    };
    let active = Active { bytes: active.bytes.expose(), version: active.version, updated: active.updated };
    Ok(Ok(pending::judge(active, persisted.as_persisted(), SystemTime::now(), |_, _| false)))
}

fn facts(version: TalosVersion, first: First, second: Second) -> Facts {
    let unseen = unseen(&first, &second);
    Facts {
        tag: first.running.tag,
        version,
        stage: first.stage,
        extensions: first.extensions,
        modules: second.modules.unwrap_or(first.modules),
        configured: first.configured,
        failures: second.failures,
        driver: first.driver,
        devices: first.devices,
        taken: first.taken,
        gpus: second.gpus,
        services: first.services,
        jit_harden: second.jit_harden.unwrap_or(first.jit_harden),
        cdi: first.cdi,
        pending: second.pending,
        unseen,
    }
}

/// What could not be seen, each by the name that `problems` gives it.
fn unseen(first: &First, second: &Second) -> Vec<(&'static str, Unseen)> {
    fn why<T>(fact: &Seen<T>) -> Option<&Unseen> {
        fact.as_ref().err()
    }
    let modules = match &second.modules {
        Some(Ok(_)) => "the taints of the modules",
        _ => "the modules in the kernel",
    };
    // The files of the GPUs are not even asked for by a role that cannot read the driver's.
    let no_files = why(&first.driver).filter(|why| matches!(why, Unseen::Role { .. }) && !second.gpus.is_empty());
    let of_the_node = [
        ("the stage of the machine", why(&first.stage)),
        ("the extensions", why(&first.extensions)),
        ("the PCI devices", why(&first.devices)),
        ("the services", why(&first.services)),
        ("the configured modules", why(&first.configured)),
        ("the files below /run/cdi", why(&first.cdi)),
        ("the GPUs that the driver has", why(&first.taken)),
        (modules, why(&first.modules)),
        ("the version of the running driver", why(&first.driver)),
        ("the model, UUID, minor and firmware of each GPU", no_files),
        ("the kernel's own value of net.core.bpf_jit_harden", why(&first.jit_harden)),
        ("a configuration that waits for the next boot", why(&second.pending)),
        ("the log of the controllers", why(&second.failures)),
    ];
    let of_gpus = second.gpus.iter().flat_map(|gpu| {
        [
            ("the drivers that the GPUs are bound to", why(&gpu.driver)),
            ("the information of each GPU", why(&gpu.information)),
        ]
    });
    let known = |(name, why): (&'static str, Option<&Unseen>)| Some((name, why?.clone()));
    of_the_node.into_iter().chain(of_gpus).filter_map(known).filter(|(_, why)| *why != Unseen::Depends).collect()
}
