//! What the resource wants, and how it is read from and written to Terraform's values.

use std::collections::{BTreeMap, BTreeSet};

use plugin::{Field, Value};
use serde::{Deserialize, Serialize};
use talos::{
    TalosVersion,
    machine_config::{Backend, DefaultRuntime, Desired, Module},
};

use crate::kernel_modules::kernel_name;

/// The sysctl of the guide up to Talos 1.12; from 1.13 on the guide has none.
pub(super) const BPF_JIT_HARDEN: &str = "net.core.bpf_jit_harden";

/// containerd's plugin from Talos 1.8 on (version 3 of its configuration). Another id is passed over without a word.
pub(super) const CRI_PLUGIN: &str = "io.containerd.cri.v1.runtime";

/// The runtime handler that NVIDIA's toolkit extension defines.
pub(super) const RUNTIME: &str = "nvidia";

/// A module that the resource wants loaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct WantedModule {
    pub(super) name: String,
    /// `None`: left as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) parameters: Option<Vec<String>>,
}

/// What the resource wants of a node's configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Wanted {
    pub(super) modules: Vec<WantedModule>,
    pub(super) sysctls: BTreeMap<String, String>,
    pub(super) default_runtime: bool,
}

impl Wanted {
    /// What an object says; `None` while any part of it is unknown.
    pub(super) fn from(object: &Value) -> Option<Self> {
        let modules = match object.get("kernel_modules").items() {
            Field::Unknown => return None,
            Field::Null => Vec::new(),
            // In a state a place without a name is that of a module that is missing on the node.
            Field::Known(items) => {
                items.iter().filter(|item| !item.get("name").is_null()).map(module).collect::<Option<_>>()?
            }
        };
        let sysctls = match object.get("sysctls").entries() {
            Field::Unknown => return None,
            Field::Null => BTreeMap::new(),
            Field::Known(entries) => {
                entries.iter().map(|(k, v)| Some((k.clone(), known_text(v)?))).collect::<Option<_>>()?
            }
        };
        let default_runtime = match object.get("default_runtime").boolean() {
            Field::Unknown => return None,
            Field::Null => false,
            Field::Known(value) => value,
        };
        Some(Self { modules, sysctls, default_runtime })
    }

    /// The same without regard to the order of modules.
    pub(super) fn same(&self, other: &Self) -> bool {
        let by_name = |wanted: &Self| -> BTreeMap<String, Option<Vec<String>>> {
            wanted.modules.iter().map(|m| (kernel_name(&m.name), m.parameters.clone())).collect()
        };
        by_name(self) == by_name(other)
            && self.sysctls == other.sysctls
            && self.default_runtime == other.default_runtime
    }

    /// Whether the module `name` is among them.
    pub(super) fn has_module(&self, name: &str) -> bool {
        self.modules.iter().any(|m| kernel_name(&m.name) == kernel_name(name))
    }

    /// As the editor takes it.
    pub(super) fn desired(&self) -> Desired {
        Desired {
            modules: self
                .modules
                .iter()
                .map(|m| Module { name: m.name.clone(), parameters: m.parameters.clone() })
                .collect(),
            sysctls: self.sysctls.clone(),
            default_runtime: self.default_runtime.then(runtime),
        }
    }

    /// Keys that this resource owns on the node, in words, to find two resources that own the same one.
    pub(super) fn keys(&self) -> BTreeSet<String> {
        keys(self.modules.iter().map(|m| kernel_name(&m.name)), self.sysctls.keys(), self.default_runtime)
    }
}

/// Keys in words.
pub(super) fn keys(
    modules: impl IntoIterator<Item = impl std::fmt::Display>,
    sysctls: impl IntoIterator<Item = impl std::fmt::Display>,
    default_runtime: bool,
) -> BTreeSet<String> {
    let modules = modules.into_iter().map(|name| format!("kernel module {name}"));
    let sysctls = sysctls.into_iter().map(|key| format!("sysctl {key}"));
    let runtime = default_runtime.then(|| "default runtime".to_owned());
    modules.chain(sysctls).chain(runtime).collect()
}

fn module(value: &Value) -> Option<WantedModule> {
    let parameters = match value.get("parameters").items() {
        Field::Unknown => return None,
        Field::Null => None,
        Field::Known(items) => Some(items.iter().map(known_text).collect::<Option<Vec<_>>>()?),
    };
    Some(WantedModule { name: known_text(value.get("name"))?, parameters })
}

fn known_text(value: &Value) -> Option<String> {
    value.string().known().map(ToOwned::to_owned)
}

/// `nvidia` as containerd's default.
pub(super) fn runtime() -> DefaultRuntime {
    DefaultRuntime { cri_plugin: CRI_PLUGIN.to_owned(), name: RUNTIME.to_owned() }
}

/// Where a key goes that stands nowhere yet: documents from Talos 1.14 on.
pub(super) fn backend(version: &TalosVersion) -> Backend {
    if version.minor() >= (1, 14) { Backend::Documents } else { Backend::V1Alpha1 }
}

/// The sysctls of the guide for a Talos version.
pub(super) fn default_sysctls(version: &TalosVersion) -> BTreeMap<String, String> {
    if version.minor() <= (1, 12) {
        BTreeMap::from([(BPF_JIT_HARDEN.to_owned(), "1".to_owned())])
    } else {
        BTreeMap::new()
    }
}

/// How a change is brought to the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ApplyMode {
    NoReboot,
    Staged,
    Reboot,
}

impl ApplyMode {
    /// The attribute `apply_mode`; the validators have refused any other word.
    pub(super) fn from(object: &Value) -> Self {
        match object.get("apply_mode").string() {
            Field::Known("staged") => Self::Staged,
            Field::Known("reboot") => Self::Reboot,
            _ => Self::NoReboot,
        }
    }
}

/// What extensions that do not fit mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ExtensionCheck {
    Error,
    Warn,
    Off,
}

impl ExtensionCheck {
    /// The attribute `extension_check`.
    pub(super) fn from(object: &Value) -> Self {
        match object.get("extension_check").string() {
            Field::Known("warn") => Self::Warn,
            Field::Known("off") => Self::Off,
            _ => Self::Error,
        }
    }
}

/// Whether the apply waits for the modules.
pub(super) fn waits(object: &Value) -> bool {
    !matches!(object.get("wait_for_modules").boolean(), Field::Known(false))
}

/// `sysctls` as a value.
pub(super) fn sysctls_value(sysctls: &BTreeMap<String, String>) -> Value {
    Value::map(sysctls.iter().map(|(k, v)| (k.clone(), Value::from(v.as_str()))))
}

/// A module of `kernel_modules` as a value.
pub(super) fn module_value(module: &WantedModule) -> Value {
    let texts = |list: &Vec<String>| Value::List(list.iter().map(|p| Value::from(p.as_str())).collect());
    let parameters = module.parameters.as_ref().map_or(Value::Null, texts);
    Value::object([("name", Value::from(module.name.as_str())), ("parameters", parameters)])
}
