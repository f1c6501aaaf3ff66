//! Import by node address: what of the guide's patch stands on the node becomes ours, with nothing remembered before it.

use plugin::{Diagnostics, Imported, Path, Value};
use talos::machine_config::{View, adopt, view};

use super::{
    check,
    check::gather,
    memory::{Memory, new_instance},
    model::{BPF_JIT_HARDEN, CRI_PLUGIN, RUNTIME, Wanted, WantedModule, default_sysctls},
    observe::{self, Observed},
    schema,
};
use crate::{
    kernel_modules::{GUIDE, kernel_name},
    nodes::Nodes,
    texts::Say,
};

pub(super) async fn import(nodes: &Nodes, id: &str, diagnostics: &mut Diagnostics) -> Option<Imported> {
    if let Err(why) = schema::node(id) {
        diagnostics.error(
            Path::root(),
            "Invalid import id",
            format!("A node patch is imported by the node's address. {why}"),
        );
        return None;
    }
    let mut say = Say { node: id, diagnostics };
    let snapshot = match nodes.snapshot(id, None) {
        Ok(snapshot) => snapshot,
        Err(why) => {
            why.say(&mut say);
            return None;
        }
    };
    let facts = match gather(&snapshot).await {
        Ok(facts) => facts,
        Err(why) => {
            why.say("Importing", &mut say);
            return None;
        }
    };
    let bytes = facts.active.bytes.expose();
    let read = view(bytes, CRI_PLUGIN).and_then(|view| {
        let stands = of_the_guide(&view);
        adopt(bytes, &stands.desired()).map(|record| (view, stands, record))
    });
    let (view, applied, record) = match read {
        Ok(read) => read,
        Err(error) => {
            say.cannot_edit(check::attribute_of(&error), &error);
            return None;
        }
    };
    if applied == Wanted::default() {
        say.nothing_to_import();
        return None;
    }
    let default_sysctls =
        if applied.sysctls.is_empty() { default_sysctls(&facts.version) } else { applied.sysctls.clone() };
    let memory = Memory { default_sysctls, ..Memory::new(new_instance(), facts.machine.clone(), record, applied) };
    let observed = Observed { version: &facts.version, tag: &facts.tag, view: &view, loaded: &facts.loaded };
    Some(Imported { state: observe::state(&blank(id), &memory, &observed), private: memory.to_private() })
}

/// The guide's modules, sysctl and runtime, as far as they stand in a configuration.
fn of_the_guide(view: &View) -> Wanted {
    let modules = GUIDE
        .iter()
        .filter(|name| view.modules.contains_key(&kernel_name(name)))
        .map(|name| WantedModule { name: (*name).to_owned(), parameters: None })
        .collect();
    let sysctls = view.sysctls.get_key_value(BPF_JIT_HARDEN).map(|(k, v)| (k.clone(), v.clone())).into_iter().collect();
    Wanted { modules, sysctls, default_runtime: view.default_runtime.as_deref() == Some(RUNTIME) }
}

/// An object with every attribute that a configuration may leave out at its default.
fn blank(node: &str) -> Value {
    let mut object = Value::object([("node", Value::from(node))]);
    for attribute in schema::schema().attributes {
        if attribute.name != "node" {
            object.set(attribute.name, attribute.default.unwrap_or(Value::Null));
        }
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_of_the_guide_is_taken_and_nothing_else() {
        let text = "version: v1alpha1\nmachine:\n  kernel:\n    modules:\n      - name: nvidia-uvm\n      - name: zfs\n      - name: nvidia\n        parameters: [a=1]\n  sysctls:\n    a.b: \"1\"\n    net.core.bpf_jit_harden: 1\ncluster: {}\n";
        let found = view(text.as_bytes(), CRI_PLUGIN).map(|view| of_the_guide(&view));
        let names: Vec<&str> = found.iter().flat_map(|w| w.modules.iter().map(|m| m.name.as_str())).collect();
        assert_eq!(names, ["nvidia", "nvidia_uvm"]);
        assert_eq!(found.map(|w| w.sysctls), Ok([(BPF_JIT_HARDEN.to_owned(), "1".to_owned())].into()));
    }

    #[test]
    fn an_imported_object_has_the_defaults_of_the_schema() {
        let object = blank("10.0.0.5");
        assert_eq!(object.get("on_destroy"), &Value::from("revert"));
        assert_eq!(object.get("wait_for_modules"), &Value::from(true));
        assert!(object.get("timeouts").is_null());
    }
}
