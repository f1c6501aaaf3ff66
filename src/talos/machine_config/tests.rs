//! Tables: a configuration before and after, and back.

use std::collections::BTreeMap;

use super::{Backend, Desired, Module, Record, edit, view};

const CRI: &str = "io.containerd.cri.v1.runtime";

fn guide() -> Desired {
    Desired {
        modules: ["nvidia", "nvidia_uvm"].map(|name| Module { name: name.into(), parameters: None }).to_vec(),
        sysctls: BTreeMap::from([("net.core.bpf_jit_harden".into(), "1".into())]),
        default_runtime: None,
    }
}

/// Applies, applies again, takes back; returns the text in between.
fn round_trip(before: &str, desired: &Desired, backend: Backend) -> String {
    let first = edit(before.as_bytes(), desired, &Record::default(), backend).unwrap();
    let text = String::from_utf8(first.bytes.clone()).unwrap();
    let again = edit(&first.bytes, desired, &first.record, backend).unwrap();
    assert_eq!(String::from_utf8(again.bytes).unwrap(), text, "a second edit changes nothing");
    assert_eq!(again.changes, [], "a second edit changes nothing");
    assert_eq!(again.record, first.record, "a second edit changes nothing");
    let seen = view(&first.bytes, CRI).unwrap();
    for module in &desired.modules {
        assert!(seen.modules.contains_key(&module.name), "{text}");
    }
    let back = edit(&first.bytes, &Desired::default(), &first.record, backend).unwrap();
    assert_eq!(String::from_utf8(back.bytes).unwrap(), before, "after taking back from:\n{text}");
    assert!(back.record.is_empty(), "{:?}", back.record);
    text
}

fn check(before: &str, after: &str) {
    assert_eq!(round_trip(before, &guide(), Backend::V1Alpha1), after);
}

#[test]
fn a_bare_configuration_gets_the_containers() {
    check(
        "version: v1alpha1\nmachine:\n    type: worker\n    certSANs: []\ncluster: {}\n",
        "version: v1alpha1\nmachine:\n    type: worker\n    certSANs: []\n    kernel:\n        modules:\n            - name: nvidia\n            - name: nvidia_uvm\n    sysctls:\n        net.core.bpf_jit_harden: \"1\"\ncluster: {}\n",
    );
}

#[test]
fn documents_are_appended_where_nothing_stands() {
    let before = "machine:\n  type: worker";
    let after = "machine:\n  type: worker\n---\napiVersion: v1alpha1\nkind: KernelModuleConfig\nname: nvidia\n---\napiVersion: v1alpha1\nkind: KernelModuleConfig\nname: nvidia_uvm\n---\napiVersion: v1alpha1\nkind: SysctlConfig\nparams:\n    net.core.bpf_jit_harden: \"1\"";
    assert_eq!(round_trip(before, &guide(), Backend::Documents), after);
}
