//! Tables: a configuration before and after, and back; and the guard, broken on purpose.

use std::collections::BTreeMap;

use super::guard::sabotage;
use super::splice::Splice;
use super::{Backend, DefaultRuntime, Desired, EditError, Module, Record, edit, same_but_for, same_files, view};

mod block;
mod drift;
mod flow;
mod refusals;
mod runtime;

const CRI: &str = "io.containerd.cri.v1.runtime";

fn module(name: &str) -> Module {
    Module { name: name.into(), parameters: None }
}

fn guide() -> Desired {
    Desired {
        modules: ["nvidia", "nvidia_uvm"].map(module).to_vec(),
        sysctls: BTreeMap::from([("net.core.bpf_jit_harden".into(), "1".into())]),
        default_runtime: None,
    }
}

fn one_module() -> Desired {
    Desired { modules: vec![module("nvidia")], ..Desired::default() }
}

fn one_sysctl() -> Desired {
    Desired { modules: Vec::new(), ..guide() }
}

fn with_parameters(values: &[&str]) -> Desired {
    let parameters = Some(values.iter().map(|value| (*value).to_owned()).collect());
    Desired { modules: vec![Module { name: "nvidia".into(), parameters }], ..Desired::default() }
}

fn default_runtime() -> Desired {
    let runtime = DefaultRuntime { cri_plugin: CRI.into(), name: "nvidia".into() };
    Desired { default_runtime: Some(runtime), ..Desired::default() }
}

/// Applies, applies again, takes back; returns the text in between.
fn round_trip(before: &str, desired: &Desired, backend: Backend) -> String {
    let first = edit(before.as_bytes(), desired, &Record::default(), backend)
        .unwrap_or_else(|error| panic!("{error}\n{before}"));
    let text = String::from_utf8(first.bytes.clone()).unwrap();
    let again = edit(&first.bytes, desired, &first.record, backend).unwrap();
    assert_eq!(String::from_utf8(again.bytes).unwrap(), text, "a second edit changes nothing");
    assert_eq!(again.changes, [], "a second edit changes nothing");
    assert_eq!(again.record, first.record, "a second edit changes nothing");
    let json = serde_json::to_string(&first.record).unwrap();
    let record: Record = serde_json::from_str(&json).unwrap();
    assert_eq!(record, first.record, "{json}");
    let back = edit(&first.bytes, &Desired::default(), &record, backend)
        .unwrap_or_else(|error| panic!("{error}\nwhile taking back from:\n{text}"));
    assert_eq!(String::from_utf8(back.bytes).unwrap(), before, "after taking back from:\n{text}");
    assert!(back.record.is_empty(), "{:?}", back.record);
    text
}

fn check(before: &str, desired: &Desired, after: &str) {
    assert_eq!(round_trip(before, desired, Backend::V1Alpha1), after);
}

fn check_documents(before: &str, desired: &Desired, after: &str) {
    assert_eq!(round_trip(before, desired, Backend::Documents), after);
}

fn refused(before: &str, desired: &Desired) -> EditError {
    edit(before.as_bytes(), desired, &Record::default(), Backend::V1Alpha1).unwrap_err()
}

/// A configuration with something of everything around the places that are edited.
const BUSY: &str = "\
# top
machine:
  type: worker # trailing
  kernel:
    # before
    modules:
      - name: br_netfilter
      # behind
  sysctls:
    vm.max_map_count: '262144'
cluster:
  id: \"x\"
";

#[test]
fn an_edit_that_changes_a_byte_elsewhere_is_thrown_away() {
    type Fault = fn(&mut super::session::Session);
    let faults: [(&str, Fault); 8] = [
        ("bytes outside the edits differ", |session| {
            let at = session.text.find("worker").unwrap();
            session.text.replace_range(at..=at, "W");
        }),
        ("bytes outside the edits differ", |session| session.text.push('\n')),
        ("what is not ours reads differently", |session| {
            let at = session.text.find("br_netfilter").unwrap();
            session.apply(vec![Splice::replace(at..at + 2, "xt")]);
        }),
        ("what is not ours reads differently", |session| {
            let at = session.text.find("'262144'").unwrap();
            session.apply(vec![Splice::replace(at..at + 8, "\"262144\"")]);
        }),
        ("a comment differs", |session| {
            let at = session.text.find("# behind").unwrap();
            session.apply(vec![Splice::delete(at..at + 8)]);
        }),
        ("an edit reaches into something that is not ours", |session| {
            // The same scalar, written otherwise, in the same style.
            let at = session.text.find("\"x\"").unwrap();
            session.apply(vec![Splice::replace(at..at + 3, "\"\\x78\"")]);
        }),
        ("what is not ours reads differently", |session| {
            let at = session.text.find("  sysctls:").unwrap();
            let end = session.text.find("cluster:").unwrap();
            session.apply(vec![Splice::delete(at..end)]);
        }),
        ("the result does not say what is wanted", |session| {
            let at = session.text.find("    - name: nvidia\n").unwrap();
            session.apply(vec![Splice::delete(at - 2..at + 19)]);
        }),
    ];
    for (check, fault) in faults {
        sabotage::plan(fault);
        match edit(BUSY.as_bytes(), &one_module(), &Record::default(), Backend::V1Alpha1) {
            Err(EditError::Guard { check: failed, .. }) => assert_eq!(failed, check),
            other => panic!("{check}: {other:?}"),
        }
    }
    edit(BUSY.as_bytes(), &one_module(), &Record::default(), Backend::V1Alpha1).unwrap();
}

#[test]
fn taking_back_too_much_is_thrown_away() {
    let applied = edit(BUSY.as_bytes(), &guide(), &Record::default(), Backend::V1Alpha1).unwrap();
    let empty = "machine:\n  kernel: {}\n  sysctls:\n    a.b: c\n";
    let filled = edit(empty.as_bytes(), &one_module(), &Record::default(), Backend::V1Alpha1).unwrap();
    sabotage::plan(|session| {
        let at = session.text.find("  kernel: {}\n").unwrap();
        session.apply(vec![Splice::delete(at..at + 13)]);
    });
    match edit(&filled.bytes, &Desired::default(), &filled.record, Backend::V1Alpha1) {
        Err(EditError::Guard { check, .. }) => assert_eq!(check, "a container that is not ours is gone"),
        other => panic!("{other:?}"),
    }
    sabotage::plan(|session| {
        let at = session.text.find("\n  sysctls:\n").unwrap();
        session.apply(vec![Splice::insert(at, "\n      - name: nvidia")]);
    });
    match edit(&applied.bytes, &Desired::default(), &applied.record, Backend::V1Alpha1) {
        Err(EditError::Guard { check, .. }) => {
            assert_eq!(check, "a module that was taken back stands there in another number");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_record_holds_keys_and_prior_scalars_alone() {
    let before =
        "machine:\n  token: s3cret\n  sysctls:\n    net.core.bpf_jit_harden: 2 # why\n    a.b: foreign\ncluster: {}\n";
    let edited = edit(before.as_bytes(), &guide(), &Record::default(), Backend::V1Alpha1).unwrap();
    let json = serde_json::to_string(&edited.record).unwrap();
    assert!(json.contains("\"2\""), "{json}");
    for foreign in ["s3cret", "why", "foreign", "a.b"] {
        assert!(!json.contains(foreign), "{json}");
    }
}

#[test]
fn a_view_reads_both_forms_and_the_later_wins() {
    let text = "\
machine:
  kernel:
    modules:
      - name: nvidia-uvm
        parameters: [a=1]
  sysctls:
    a.b: 1
    c.d: yes
    e.f:
---
apiVersion: v1alpha1
kind: KernelModuleConfig
name: nvidia_uvm
parameters: [b=2]
---
apiVersion: v1alpha1
kind: SysctlConfig
params: {a.b: \"2\"}
";
    let view = view(text.as_bytes(), CRI).unwrap();
    assert_eq!(view.modules["nvidia_uvm"].parameters, ["b=2"]);
    assert_eq!(view.modules["nvidia_uvm"].places.len(), 2);
    assert_eq!(view.sysctls["a.b"], "2");
    assert_eq!(view.sysctls["c.d"], "yes");
    assert_eq!(view.sysctls["e.f"], "");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(2000))]

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
        let _ = view(&bytes, CRI);
        let _ = edit(&bytes, &guide(), &Record::default(), Backend::V1Alpha1);
    }

    #[test]
    fn no_text_makes_it_panic(
        parts in proptest::collection::vec(proptest::sample::select(PIECES), 0..40),
    ) {
        let text: String = parts.concat();
        let mut desired = guide();
        desired.default_runtime = default_runtime().default_runtime;
        for backend in [Backend::V1Alpha1, Backend::Documents] {
            let _ = view(text.as_bytes(), CRI);
            if let Ok(edited) = edit(text.as_bytes(), &desired, &Record::default(), backend) {
                let back = edit(&edited.bytes, &Desired::default(), &edited.record, backend);
                if let Ok(back) = back {
                    proptest::prop_assert_eq!(String::from_utf8(back.bytes).unwrap(), text.clone());
                }
            }
        }
    }
}

/// What configurations are made of, and what YAML is.
const PIECES: &[&str] = &[
    "machine:",
    "kernel:",
    "modules:",
    "sysctls:",
    "files:",
    "name: nvidia",
    "parameters:",
    "- ",
    "-\n",
    "\n",
    "\n",
    "\n  ",
    "\n    ",
    "\n      ",
    " ",
    "  ",
    "{",
    "}",
    "[",
    "]",
    ", ",
    ": ",
    "&a ",
    "*a",
    "<<: ",
    "!!str ",
    "# c\n",
    "|\n",
    ">-\n",
    "|+\n",
    "---\n",
    "...\n",
    "\"",
    "'",
    "~",
    "null",
    "{}",
    "[]",
    "? ",
    "\r\n",
    "\t",
    "\u{feff}",
    "é",
    "\u{85}",
    "kind: SysctlConfig\n",
    "kind: KernelModuleConfig\n",
    "params:",
    "net.core.bpf_jit_harden: 1",
    "apiVersion: v1alpha1\n",
    "path: /etc/cri/conf.d/20-customization.part\n",
    "content: ",
    "[plugins.\"io.containerd.cri.v1.runtime\".containerd]",
];
