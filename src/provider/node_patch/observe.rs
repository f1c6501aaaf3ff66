//! What a read stores: the owned parts of a node's configuration as they stand, and nothing that is not owned.
//!
//! Pure. Read looks for exactly what the last apply wanted, so a fragment that somebody took away and later put back
//! is seen both times.

use plugin::Value;
use talos::{TalosVersion, machine_config::View};

use super::{
    memory::Memory,
    model::{RUNTIME, Wanted, WantedModule, backend, module_value, sysctls_value},
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
    new.set("kernel_modules", modules_in_place(&memory.applied, &standing));
    new.set("sysctls", sysctls_value(&standing.sysctls));
    new.set("default_runtime", Value::from(standing.default_runtime));
    new.set("talos_version", Value::from(observed.tag));
    new.set("patch", Value::from(patch_text::patch(&memory.applied, backend(observed.version))));
    new.set("pending_reboot", Value::from(memory.pending.is_some()));
    new.set("module_state", module_state(&memory.applied, observed.loaded));
    new
}

/// `kernel_modules`, each in the place that the configuration gives it. Terraform compares a list place by place, so one
/// that is missing leaves its place empty, lest every module behind it shows as changed.
fn modules_in_place(applied: &Wanted, standing: &Wanted) -> Value {
    let of = |wanted: &WantedModule| {
        let found = standing.modules.iter().find(|module| module.name == wanted.name);
        found.map_or_else(no_module, module_value)
    };
    Value::List(applied.modules.iter().map(of).collect())
}

fn no_module() -> Value {
    Value::object([("name", Value::Null), ("parameters", Value::Null)])
}

/// `module_state`: each wanted module as the kernel has it.
pub(super) fn module_state(wanted: &Wanted, loaded: &States) -> Value {
    let names = wanted.modules.iter().map(|m| m.name.as_str());
    Value::map(kernel_modules::states_of(names, loaded).into_iter().map(|(k, v)| (k, Value::from(v.as_str()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(names: &[&str]) -> Wanted {
        let modules = names.iter().map(|name| WantedModule { name: (*name).into(), parameters: None }).collect();
        Wanted { modules, ..Wanted::default() }
    }

    #[test]
    fn a_module_that_is_missing_leaves_its_place_empty_and_no_other_one_moves() {
        let shown = modules_in_place(&wanted(&["a", "b", "c"]), &wanted(&["c", "a"]));
        let names: Vec<_> = shown.items().known().unwrap().iter().map(|module| module.get("name").clone()).collect();
        assert_eq!(names, [Value::from("a"), Value::Null, Value::from("c")]);
        let object = Value::object([
            ("kernel_modules", shown),
            ("sysctls", Value::map::<String>([])),
            ("default_runtime", Value::from(false)),
        ]);
        assert_eq!(Wanted::from(&object), Some(wanted(&["a", "c"])), "an empty place is no module");
    }
}
