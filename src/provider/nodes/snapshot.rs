//! What one walk knows of one node: each fact asked for once, however many want it.
//!
//! A failed call is not remembered, so the next reader asks again; a fact is.

use talos::{
    Error, Node, TalosVersion,
    client::ConfigId,
    resource::{ExtensionStatus, Found, KernelModuleStatus, LoadedKernelModule, ModuleState as Word, PciDevice},
};
use tokio::sync::OnceCell;

use crate::{
    extensions::Extension,
    kernel_modules::{self, Loaded, LoadedModule, ModuleState, States, kernel_name, parse_proc_modules},
    node_patch::prospect::{ConfigFact, PersistedFact},
};

/// The vendor id of NVIDIA on the PCI bus.
const NVIDIA_VENDOR: &str = "0x10de";

/// Where Talos up to 1.9 keeps the configuration that the next boot takes.
const STATE_FILE: &str = "/system/state/config.yaml";

/// The version that a node runs.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    /// As the node says it, such as `v1.13.9`.
    pub(crate) tag: String,
    /// `None` when the tag is no version.
    pub(crate) version: Option<TalosVersion>,
}

/// One node as this walk knows it.
pub(crate) struct Snapshot {
    node: Node,
    running: OnceCell<Running>,
    active: OnceCell<Option<ConfigFact>>,
    persisted: OnceCell<PersistedFact>,
    proc_modules: OnceCell<Loaded>,
    modules: OnceCell<Loaded>,
    loaded: OnceCell<States>,
    extensions: OnceCell<Vec<Extension>>,
    machine: OnceCell<Option<String>>,
    devices: OnceCell<Vec<Found<PciDevice>>>,
    boot: OnceCell<Option<String>>,
}

impl Snapshot {
    pub(crate) fn new(node: Node) -> Self {
        Self {
            node,
            running: OnceCell::new(),
            active: OnceCell::new(),
            persisted: OnceCell::new(),
            proc_modules: OnceCell::new(),
            modules: OnceCell::new(),
            loaded: OnceCell::new(),
            extensions: OnceCell::new(),
            machine: OnceCell::new(),
            devices: OnceCell::new(),
            boot: OnceCell::new(),
        }
    }

    /// The way to the node, for calls that no snapshot remembers.
    pub(crate) fn node(&self) -> &Node {
        &self.node
    }

    pub(crate) async fn running(&self) -> Result<&Running, Error> {
        self.running.get_or_try_init(|| running(&self.node)).await
    }

    /// The active configuration; `None` on a node that has none.
    pub(crate) async fn active(&self) -> Result<Option<&ConfigFact>, Error> {
        Ok(self.active.get_or_try_init(|| active(&self.node)).await?.as_ref())
    }

    /// The configuration that the next boot takes.
    pub(crate) async fn persisted(&self, version: &TalosVersion) -> Result<&PersistedFact, Error> {
        self.persisted.get_or_try_init(|| persisted(&self.node, version)).await
    }

    /// The modules in the kernel.
    pub(crate) async fn loaded(&self, version: &TalosVersion) -> Result<&States, Error> {
        self.loaded.get_or_try_init(|| async { Ok(kernel_modules::states(self.modules(version).await?)) }).await
    }

    /// The modules in the kernel with all that the version tells of them to the smallest role.
    pub(crate) async fn modules(&self, version: &TalosVersion) -> Result<&Loaded, Error> {
        if has_modules_as_resource(version) {
            self.modules.get_or_try_init(|| modules(&self.node, version)).await
        } else {
            self.proc_modules().await
        }
    }

    /// The modules in the kernel as `/proc/modules` has them, on every version; for an administrator.
    pub(crate) async fn proc_modules(&self) -> Result<&Loaded, Error> {
        self.proc_modules.get_or_try_init(|| proc_modules(&self.node)).await
    }

    pub(crate) async fn extensions(&self) -> Result<&Vec<Extension>, Error> {
        self.extensions.get_or_try_init(|| extensions(&self.node)).await
    }

    /// What is known of the extensions without a call.
    pub(crate) fn known_extensions(&self) -> Option<(&Running, &Vec<Extension>)> {
        Some((self.running.get()?, self.extensions.get()?))
    }

    /// The machine's uuid.
    pub(crate) async fn machine(&self) -> Result<Option<&String>, Error> {
        Ok(self.machine.get_or_try_init(|| machine(&self.node)).await?.as_ref())
    }

    /// What is known of the machine's uuid without a call.
    pub(crate) fn known_machine(&self) -> Option<&String> {
        self.machine.get()?.as_ref()
    }

    /// The id of the present boot, where the version is one that can be read.
    pub(crate) async fn boot(&self) -> Result<Option<&String>, Error> {
        let boot = self.boot.get_or_try_init(|| async {
            match &self.running().await?.version {
                Some(version) => boot_id(&self.node, version).await,
                None => Ok(None),
            }
        });
        Ok(boot.await?.as_ref())
    }

    /// How many PCI devices of NVIDIA there are.
    pub(crate) async fn gpus(&self) -> Result<usize, Error> {
        self.devices().await.map(Vec::len)
    }

    /// The PCI devices of NVIDIA: GPUs, and the switches and sound devices that come with some.
    pub(crate) async fn devices(&self) -> Result<&Vec<Found<PciDevice>>, Error> {
        self.devices
            .get_or_try_init(|| async {
                let mut devices = self.node.list::<PciDevice>().await?;
                devices.retain(|d| d.spec.vendor_id.eq_ignore_ascii_case(NVIDIA_VENDOR));
                Ok(devices)
            })
            .await
    }
}

/// The version that the node runs.
pub(crate) async fn running(node: &Node) -> Result<Running, Error> {
    let tag = node.version().await?.tag;
    let version = tag.parse().ok();
    Ok(Running { tag, version })
}

/// The active configuration.
pub(crate) async fn active(node: &Node) -> Result<Option<ConfigFact>, Error> {
    Ok(node.machine_config(ConfigId::Active).await?.map(config_fact))
}

fn config_fact(config: talos::client::MachineConfig) -> ConfigFact {
    ConfigFact { bytes: config.bytes, version: config.version, updated: config.updated }
}

/// The configuration that the next boot takes: a resource from Talos 1.10 on, a file before.
pub(crate) async fn persisted(node: &Node, version: &TalosVersion) -> Result<PersistedFact, Error> {
    if version.minor() >= (1, 10) {
        let found = node.machine_config(ConfigId::Persistent).await?;
        return Ok(found.map_or(PersistedFact::NotSince, |config| PersistedFact::Resource(config_fact(config))));
    }
    Ok(node.read_file(STATE_FILE).await?.map_or(PersistedFact::Unseen, |bytes| PersistedFact::File(bytes.into())))
}

/// The states of the modules in the kernel.
pub(crate) async fn loaded(node: &Node, version: &TalosVersion) -> Result<States, Error> {
    Ok(kernel_modules::states(&modules(node, version).await?))
}

/// Before, `/proc/modules` is the only source.
fn has_modules_as_resource(version: &TalosVersion) -> bool {
    version.minor() >= (1, 11)
}

/// The modules in the kernel, from the source of the version that asks for the smallest role.
async fn modules(node: &Node, version: &TalosVersion) -> Result<Loaded, Error> {
    if version.minor() >= (1, 14) {
        let found = node.list::<KernelModuleStatus>().await?;
        let module = |m: KernelModuleStatus| module(m.state, m.size, m.reference_count, m.used_by);
        Ok(found.into_iter().map(|found| (kernel_name(&found.id), module(found.spec))).collect())
    } else if has_modules_as_resource(version) {
        let found = node.list::<LoadedKernelModule>().await?;
        let module = |m: LoadedKernelModule| module(m.state, m.size, m.reference_count, m.used_by);
        Ok(found.into_iter().map(|found| (kernel_name(&found.id), module(found.spec))).collect())
    } else {
        proc_modules(node).await
    }
}

async fn proc_modules(node: &Node) -> Result<Loaded, Error> {
    Ok(parse_proc_modules(&node.read_file("/proc/modules").await?.unwrap_or_default()))
}

fn module(word: Word, size: u64, references: i64, used_by: Vec<String>) -> LoadedModule {
    LoadedModule {
        state: state(word),
        size: Some(size),
        references: Some(references),
        used_by: Some(used_by),
        taints: None,
    }
}

fn state(word: Word) -> ModuleState {
    match word {
        Word::Live | Word::Builtin => ModuleState::Live,
        Word::Loading => ModuleState::Loading,
        Word::Unloading => ModuleState::Unloading,
        Word::Other => ModuleState::NotLoaded,
    }
}

/// The system extensions.
pub(crate) async fn extensions(node: &Node) -> Result<Vec<Extension>, Error> {
    let found = node.list::<ExtensionStatus>().await?;
    Ok(found.into_iter().map(|e| Extension { name: e.spec.name, version: e.spec.version }).collect())
}

/// The machine's uuid; some machines have none.
pub(crate) async fn machine(node: &Node) -> Result<Option<String>, Error> {
    let found = node.get::<talos::resource::SystemInformation>("systeminformation").await?;
    Ok(found.map(|f| f.spec.uuid).filter(|uuid| !uuid.is_empty()))
}

/// The id of the present boot: a resource from Talos 1.14 on, a file before.
pub(crate) async fn boot_id(node: &Node, version: &TalosVersion) -> Result<Option<String>, Error> {
    if version.minor() >= (1, 14) {
        return Ok(node.get::<talos::resource::BootId>("boot-id").await?.map(|f| f.spec.boot_id));
    }
    let text = node.read_file("/proc/sys/kernel/random/boot_id").await?;
    Ok(text.map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned()))
}
