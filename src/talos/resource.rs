//! The typed resources that Talos's controllers publish, one entry each in the table below: where it stands, the role that
//! may read it, and what of it is used.

use std::time::SystemTime;

use prost::Message;

use crate::error::Role;
use crate::proto::{extensions, files, hardware, runtime, v1alpha1};

pub(crate) mod sealed {
    /// Keeps the wire out of the public trait.
    pub trait Decode: Sized {
        /// Reads the specification's protobuf form.
        fn decode(proto_spec: &[u8]) -> Result<Self, String>;
    }
}

/// A kind of resource that this client reads.
pub trait Resource: sealed::Decode + Send + 'static {
    /// Its namespace: `runtime`.
    const NAMESPACE: &'static str;
    /// Its type in full: `KernelParamStatuses.runtime.talos.dev`.
    const TYPE: &'static str;
    /// The smallest role that may read it.
    const NEEDS: Role;
}

/// A resource as the node has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<R> {
    /// Its id within its kind.
    pub id: String,
    /// Grows by one with every change; starts anew at every boot.
    pub version: u64,
    /// The last change.
    pub updated: SystemTime,
    /// What it says.
    pub spec: R,
}

/// One entry: documentation, name, namespace, type, role, the message on the wire, and the fields with how they are taken
/// from it.
macro_rules! resources {
    ($(
        $(#[$doc:meta])*
        $name:ident($namespace:literal, $type:literal, $role:ident) from $message:path as $spec:ident {
            $($(#[$field_doc:meta])* $field:ident: $field_type:ty = $value:expr,)*
        }
    )*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $field_type,)*
        }

        impl Resource for $name {
            const NAMESPACE: &'static str = $namespace;
            const TYPE: &'static str = $type;
            const NEEDS: Role = Role::$role;
        }

        impl sealed::Decode for $name {
            fn decode(proto_spec: &[u8]) -> Result<Self, String> {
                let $spec = <$message>::decode(proto_spec).map_err(|error| error.to_string())?;
                Ok(Self { $($field: $value,)* })
            }
        }
    )*};
}

resources! {
    /// An installed system extension; also the pseudo-extensions `schematic` and `modules.dep`. Look for the name, never for
    /// the id, which is a number on images of the Image Factory.
    ExtensionStatus("runtime", "ExtensionStatuses.runtime.talos.dev", Reader) from extensions::Layer as spec {
        /// `nvidia-open-gpu-kernel-modules-production`.
        name: String = spec.metadata.as_ref().map(|metadata| metadata.name.clone()).unwrap_or_default(),
        /// `595.91.07-v1.13.9`.
        version: String = spec.metadata.as_ref().map(|metadata| metadata.version.clone()).unwrap_or_default(),
        /// Who made it.
        author: String = spec.metadata.as_ref().map(|metadata| metadata.author.clone()).unwrap_or_default(),
        /// What it is.
        description: String = spec.metadata.as_ref().map(|metadata| metadata.description.clone()).unwrap_or_default(),
        /// More, such as the schematic.
        extra_info: String = spec.metadata.map(|metadata| metadata.extra_info).unwrap_or_default(),
        /// The image of its layer.
        image: String = spec.image,
    }

    /// A kernel module that the configuration asks for; its id is the name as it is written there.
    KernelModuleSpec("runtime", "KernelModuleSpecs.runtime.talos.dev", Reader) from runtime::KernelModuleSpecSpec as spec {
        /// The name.
        name: String = spec.name,
        /// Its parameters: `NVreg_X=1`.
        parameters: Vec<String> = spec.parameters,
    }

    /// A module of the running kernel, built in or loaded, by its kernel name. Talos 1.14 and newer.
    KernelModuleStatus("runtime", "KernelModuleStatuses.runtime.talos.dev", Reader) from runtime::KernelModuleStatusSpec as spec {
        /// What it does.
        state: ModuleState = spec.state().into(),
        /// Bytes.
        size: u64 = unsigned(spec.size),
        /// How often it is in use.
        reference_count: i64 = spec.reference_count,
        /// The modules that use it.
        used_by: Vec<String> = spec.dependencies,
    }

    /// A loaded module, by its kernel name. Talos 1.11 to 1.13.
    LoadedKernelModule("runtime", "LoadedKernelModules.runtime.talos.dev", Reader) from runtime::LoadedKernelModuleSpec as spec {
        /// What it does.
        state: ModuleState = ModuleState::of_proc(&spec.state),
        /// Bytes.
        size: u64 = unsigned(spec.size),
        /// How often it is in use.
        reference_count: i64 = spec.reference_count,
        /// The modules that use it.
        used_by: Vec<String> = spec.dependencies,
    }

    /// A kernel parameter that the configuration asks for: `proc.sys.net.core.bpf_jit_harden`.
    KernelParamSpec("runtime", "KernelParamSpecs.runtime.talos.dev", Reader) from runtime::KernelParamSpecSpec as spec {
        /// The value.
        value: String = spec.value,
        /// Whether a kernel that does not know it is no error.
        ignore_errors: bool = spec.ignore_errors,
    }

    /// A kernel parameter that Talos wrote.
    KernelParamStatus("runtime", "KernelParamStatuses.runtime.talos.dev", Reader) from runtime::KernelParamStatusSpec as spec {
        /// What Talos wrote last; the kernel's value may be another by now.
        current: String = spec.current,
        /// What it was before Talos wrote it.
        default: String = spec.default,
        /// Whether the kernel does not know it.
        unsupported: bool = spec.unsupported,
    }

    /// A file under `/etc` that Talos wrote, by its path below it.
    EtcFileStatus("files", "EtcFileStatuses.files.talos.dev", Reader) from files::EtcFileStatusSpec as spec {
        /// The version of the specification that is written.
        spec_version: String = spec.spec_version,
    }

    /// A PCI device as it was found once after boot, by its address: `0000:01:00.0`.
    PciDevice("hardware", "PCIDevices.hardware.talos.dev", Reader) from hardware::PciDeviceSpec as spec {
        /// `Display controller`.
        class: String = spec.class,
        /// `3D controller`.
        subclass: String = spec.subclass,
        /// `NVIDIA Corporation`.
        vendor: String = spec.vendor,
        /// The product's name.
        product: String = spec.product,
        /// `0x03`.
        class_id: String = spec.class_id,
        /// `0x02`.
        subclass_id: String = spec.subclass_id,
        /// `0x10de`.
        vendor_id: String = spec.vendor_id,
        /// `0x2330`.
        product_id: String = spec.product_id,
        /// The driver that was bound at that moment, before modules may have been loaded. Talos 1.10 and newer.
        driver: String = spec.driver,
    }

    /// The machine, from its firmware; the id is `systeminformation`.
    SystemInformation("hardware", "SystemInformations.hardware.talos.dev", Reader) from hardware::SystemInformationSpec as spec {
        /// Who made it.
        manufacturer: String = spec.manufacturer,
        /// Its model.
        product_name: String = spec.product_name,
        /// Its serial number.
        serial_number: String = spec.serial_number,
        /// What tells it from every other machine.
        uuid: String = spec.uuid,
    }

    /// Where the machine is in its life; the id is `machine`.
    MachineStatus("runtime", "MachineStatuses.runtime.talos.dev", Reader) from runtime::MachineStatusSpec as spec {
        /// The stage.
        stage: MachineStage = spec.stage().into(),
        /// Whether nothing is missing in this stage: a machine that is booting can be ready too.
        ready: bool = spec.status.as_ref().is_some_and(|status| status.ready),
        /// What is missing.
        unmet_conditions: Vec<UnmetCondition> = unmet(spec.status),
    }

    /// What the machine is protected by; the id is `securitystate`.
    SecurityState("runtime", "SecurityStates.talos.dev", Reader) from runtime::SecurityStateSpec as spec {
        /// Whether it booted with Secure Boot.
        secure_boot: bool = spec.secure_boot,
        /// Whether the kernel takes signed modules alone. Talos 1.12 and newer; false before.
        module_signature_enforced: bool = spec.module_signature_enforced,
    }

    /// The boot; the id is `boot-id`. Talos 1.14 and newer.
    BootId("runtime", "BootIDs.runtime.talos.dev", Reader) from runtime::BootIdSpec as spec {
        /// Another with every boot.
        boot_id: String = spec.boot_id,
    }

    /// A service while it runs, by its name; waiting, finished and failed ones have none.
    Service("runtime", "Services.v1alpha1.talos.dev", Reader) from v1alpha1::ServiceSpec as spec {
        /// Whether it runs.
        running: bool = spec.running,
        /// Whether its health check passes.
        healthy: bool = spec.healthy,
        /// Whether its health is not known.
        unknown: bool = spec.unknown,
    }
}

/// What a kernel module does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModuleState {
    /// It is loaded.
    Live,
    /// It is being loaded.
    Loading,
    /// It is being unloaded.
    Unloading,
    /// It is a part of the kernel.
    Builtin,
    /// Something this client does not know.
    Other,
}

impl ModuleState {
    /// The words of `/proc/modules`.
    #[must_use]
    pub fn of_proc(word: &str) -> Self {
        match word {
            "Live" => Self::Live,
            "Loading" => Self::Loading,
            "Unloading" => Self::Unloading,
            _ => Self::Other,
        }
    }
}

impl From<runtime::kernel_module_status_spec::State> for ModuleState {
    fn from(state: runtime::kernel_module_status_spec::State) -> Self {
        use runtime::kernel_module_status_spec::State;
        match state {
            State::Live => Self::Live,
            State::Loading => Self::Loading,
            State::Unloading => Self::Unloading,
            State::Builtin => Self::Builtin,
        }
    }
}

/// A stage of a machine's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MachineStage {
    /// Not known.
    Unknown,
    /// It boots; its services are being started.
    Booting,
    /// It is being installed.
    Installing,
    /// It has no configuration.
    Maintenance,
    /// It is up.
    Running,
    /// It is about to reboot.
    Rebooting,
    /// It is being shut down.
    ShuttingDown,
    /// It is being wiped.
    Resetting,
    /// It is being upgraded.
    Upgrading,
}

impl From<runtime::machine_status_spec::Stage> for MachineStage {
    fn from(stage: runtime::machine_status_spec::Stage) -> Self {
        use runtime::machine_status_spec::Stage;
        match stage {
            Stage::Unknown => Self::Unknown,
            Stage::Booting => Self::Booting,
            Stage::Installing => Self::Installing,
            Stage::Maintenance => Self::Maintenance,
            Stage::Running => Self::Running,
            Stage::Rebooting => Self::Rebooting,
            Stage::ShuttingDown => Self::ShuttingDown,
            Stage::Resetting => Self::Resetting,
            Stage::Upgrading => Self::Upgrading,
        }
    }
}

/// Something that keeps a machine from being ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnmetCondition {
    /// `services`, `staticPods`, `nodeReady`.
    pub name: String,
    /// In words.
    pub reason: String,
}

fn unmet(status: Option<runtime::MachineStatusStatus>) -> Vec<UnmetCondition> {
    let conditions = status.map(|status| status.unmet_conditions).unwrap_or_default();
    conditions.into_iter().map(|condition| UnmetCondition { name: condition.name, reason: condition.reason }).collect()
}

fn unsigned(size: i64) -> u64 {
    u64::try_from(size).unwrap_or(0)
}
