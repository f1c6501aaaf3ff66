//! What a read stores: the owned parts of a node's configuration as they stand, and nothing that is not owned.
//!
//! Pure. Read looks for exactly what the last apply wanted, so a fragment that somebody took away and later put back
//! is seen both times.

use plugin::Value;
use talos::{TalosVersion, machine_config::View};

use super::{
    model::{Memory, RUNTIME, Wanted, WantedModule, backend, modules_value, sysctls_value},
    patch_text,
};
use crate::kernel_modules::{self, States, kernel_name};

/// A node as read: its version, the configuration that counts, and the modules in its kernel.
pub(super) struct Observed<'a> {
    pub(super) version: &'a TalosVersion,
    pub(super) tag: &'a str,
    pub(super) view: &'a View,
    pub(super) loaded: &'a States,
}

/// The part of `applied` that stands in the configuration, with the values that stand there.
pub(super) fn standing(applied: &Wanted, view: &View) -> Wanted {
    let modules = applied
        .modules
        .iter()
        .filter_map(|module| {
            let found = view.modules.get(&kernel_name(&module.name))?;
            let parameters = module.parameters.as_ref().map(|_| found.parameters.clone());
            Some(WantedModule { name: module.name.clone(), parameters })
        })
        .collect();
    let sysctls =
        applied.sysctls.keys().filter_map(|key| Some((key.clone(), view.sysctls.get(key)?.clone()))).collect();
    let default_runtime = applied.default_runtime && view.default_runtime.as_deref() == Some(RUNTIME);
    Wanted { modules, sysctls, default_runtime }
}

/// The state to store: `state` with every owned value as the node has it.
pub(super) fn state(state: &Value, memory: &Memory, observed: &Observed<'_>) -> Value {
    let standing = standing(&memory.applied, observed.view);
    let mut new = state.clone();
    new.set("id", state.get("node").clone());
    new.set("kernel_modules", modules_value(&standing.modules));
    new.set("sysctls", sysctls_value(&standing.sysctls));
    new.set("default_runtime", Value::from(standing.default_runtime));
    new.set("talos_version", Value::from(observed.tag));
    new.set("patch", Value::from(patch_text::patch(&memory.applied, backend(observed.version))));
    new.set("pending_reboot", Value::from(memory.pending.is_some()));
    new.set("module_state", module_state(&memory.applied, observed.loaded));
    new
}

/// `module_state`: each wanted module as the kernel has it.
pub(super) fn module_state(wanted: &Wanted, loaded: &States) -> Value {
    let names = wanted.modules.iter().map(|m| m.name.as_str());
    Value::map(kernel_modules::states_of(names, loaded).into_iter().map(|(k, v)| (k, Value::from(v.as_str()))))
}
