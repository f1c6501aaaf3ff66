//! What is refused, and with which line.

use super::*;

#[test]
fn shared_places_are_refused() {
    for text in [
        "x: &k\n  modules: []\nmachine:\n  kernel: *k\n",
        "machine:\n  type: x\n  kernel: &k\n    modules:\n      - name: a\n  udev: *k\n",
        "machine: &m\n  type: worker\n\n\n  kernel: {}\ncluster: *m\n",
        "x: &d\n  kernel: {}\nmachine:\n  <<: *d\n",
    ] {
        assert!(matches!(refused(text, &one_module()), EditError::Shared { line: 3..=4 | 1, .. }), "{text}");
    }
}

#[test]
fn an_anchor_that_nobody_uses_and_a_merge_of_other_keys_are_no_hindrance() {
    round_trip(
        "machine: &m\n  type: worker\n  kernel: &k\n    modules: &l\n      - &n\n        name: a\n",
        &guide(),
        Backend::V1Alpha1,
    );
    round_trip("x: &d {token: a}\nmachine:\n  <<: *d\n  type: worker\n", &guide(), Backend::V1Alpha1);
}

#[test]
fn what_talos_refuses_is_refused() {
    for (text, line) in [
        ("machine:\n  kernel:\n    modules: x\n", 3),
        ("machine:\n  kernel: []\n", 2),
        ("machine:\n  kernel: {}\n  type: a\n  kernel: {}\n", 4),
        ("machine: {}\n---\nmachine: {}\n", 3),
        ("machine: [\n", 1),
        ("machine:\n  ? kernel\n  : {}\n", 2),
        ("machine:\n  kernel: !!map\n", 2),
        ("a: b\u{85}\nmachine: {}\n", 1),
        ("a: b\rmachine: {}\n", 1),
    ] {
        let error = refused(text, &one_module());
        assert_eq!(error.line(), Some(line), "{text}: {error}");
    }
    assert!(matches!(refused("a: b\n", &one_module()), EditError::NoV1Alpha1 { .. }));
    assert!(matches!(
        edit(b"a: \xff", &one_module(), &Record::default(), Backend::V1Alpha1),
        Err(EditError::Encoding { line: 1, .. })
    ));
    assert!(matches!(
        edit(&vec![b'#'; 16 << 20], &one_module(), &Record::default(), Backend::V1Alpha1),
        Err(EditError::TooLarge { .. })
    ));
}

#[test]
fn the_other_spelling_of_a_sysctl_is_refused() {
    let error = refused("machine:\n  sysctls:\n    net/core/bpf_jit_harden: 1\n", &one_sysctl());
    assert!(matches!(error, EditError::Spelling { line: 3, .. }), "{error}");
}

#[test]
fn deep_nesting_is_refused_and_not_followed() {
    let text = format!("machine: {}{}\n", "[".repeat(100_000), "]".repeat(100_000));
    assert!(matches!(refused(&text, &one_module()), EditError::Syntax { .. }));
}

#[test]
fn a_slip_in_what_is_wanted_is_refused() {
    for name in ["", "a b", "nvidia;x", "../x"] {
        let desired = Desired { modules: vec![module(name)], ..Desired::default() };
        assert!(matches!(refused("machine: {}\n", &desired), EditError::Desired { .. }), "{name}");
    }
    let twice = Desired { modules: vec![module("nvidia-uvm"), module("nvidia_uvm")], ..Desired::default() };
    assert!(matches!(refused("machine: {}\n", &twice), EditError::Desired { .. }));
    for (key, value) in [("", "1"), ("a", "1"), ("a..b", "1"), ("a.b c", "1"), ("a.b", "1\n2")] {
        let desired = Desired { sysctls: BTreeMap::from([(key.into(), value.into())]), ..Desired::default() };
        assert!(matches!(refused("machine: {}\n", &desired), EditError::Desired { .. }), "{key}");
    }
}

#[test]
fn a_record_of_a_newer_version_is_refused() {
    let record: Record = serde_json::from_str(r#"{"version": 2}"#).unwrap();
    assert!(matches!(
        edit(b"machine: {}\n", &one_module(), &record, Backend::V1Alpha1),
        Err(EditError::Record { found: 2, known: 1 })
    ));
}
