//! What is known of a node's driver, as values: what `verdict` judges and `report` shows.

use std::collections::BTreeSet;

use talos::{TalosVersion, error::Role, resource::MachineStage};

use super::{
    hardware::Device,
    parse::{Driver, Information},
};
use crate::{extensions::Extension, kernel_modules::Loaded, pending::Pending};

/// A fact, or why it is not known.
pub(super) type Seen<T> = Result<T, Unseen>;

/// Why a fact is not known although the node answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unseen {
    /// The client certificate's role is too small for it.
    Role {
        /// The smallest role that may see it.
        needed: Role,
        /// The roles that the certificate has.
        held: Vec<String>,
    },
    /// The call failed; its error and what to do about it.
    Failed(String),
    /// Another fact that it depends on is not known: that one is named already.
    Depends,
}

/// The node at one moment.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    /// Such as `v1.13.9`.
    pub(super) tag: String,
    pub(super) version: TalosVersion,
    pub(super) stage: Seen<MachineStage>,
    pub(super) extensions: Seen<Vec<Extension>>,
    /// The modules in the kernel.
    pub(super) modules: Seen<Loaded>,
    /// The modules that the configuration asks for, by kernel name.
    pub(super) configured: Seen<BTreeSet<String>>,
    /// What the controller that loads modules said when it failed, oldest first; not asked for while all are live.
    pub(super) failures: Seen<Vec<String>>,
    /// The running driver; `None` while none is loaded.
    pub(super) driver: Seen<Option<Driver>>,
    /// NVIDIA's devices on the PCI bus, in order of their addresses.
    pub(super) devices: Seen<Vec<Device>>,
    /// Addresses of the GPUs that the driver has taken.
    pub(super) taken: Seen<BTreeSet<String>>,
    /// The GPUs, from both.
    pub(super) gpus: Vec<Gpu>,
    /// NVIDIA's services.
    pub(super) services: Seen<Vec<Service>>,
    /// The kernel's value of `net.core.bpf_jit_harden`; `None` where it has none.
    pub(super) jit_harden: Seen<Option<String>>,
    /// The files below `/run/cdi`.
    pub(super) cdi: Seen<Vec<String>>,
    pub(super) pending: Seen<Pending>,
    /// What could not be seen, by name.
    pub(super) unseen: Vec<(&'static str, Unseen)>,
}

/// A GPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gpu {
    /// `0000:01:00.0`.
    pub(crate) address: String,
    /// Its name in the PCI database; empty when only the driver tells of it.
    pub(crate) product: String,
    /// The driver that it is bound to at this moment.
    pub(super) driver: Seen<Option<String>>,
    /// What the driver says of it; `None` when the driver has not taken it.
    pub(super) information: Seen<Option<Information>>,
}

/// A service of NVIDIA's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Service {
    pub(crate) id: String,
    pub(crate) state: String,
    /// `None` where it has no health check.
    pub(crate) healthy: Option<bool>,
    /// What it waits for, or what is wrong with it, in Talos's words.
    pub(crate) message: String,
}
