//! Flow style.

use super::*;

#[test]
fn flow_style_stays_flow_style() {
    check("machine: {}\n", &one_module(), "machine: {kernel: {modules: [{name: nvidia}]}}\n");
    check(
        "machine: { type: worker, sysctls: { a.b: c, }, }\n",
        &one_sysctl(),
        "machine: { type: worker, sysctls: { a.b: c, net.core.bpf_jit_harden: \"1\", }, }\n",
    );
    check(
        "machine:\n  kernel: {modules: [ { name: a } ]} # c\n",
        &guide(),
        "machine:\n  kernel: {modules: [ { name: a }, {name: nvidia}, {name: nvidia_uvm} ]} # c\n  sysctls:\n    net.core.bpf_jit_harden: \"1\"\n",
    );
}

#[test]
fn empty_brackets_keep_what_is_in_them() {
    check("machine: {  }\n", &one_sysctl(), "machine: {sysctls: {net.core.bpf_jit_harden: \"1\"}  }\n");
    check(
        "machine:\n  sysctls: { # why\n  }\n",
        &one_sysctl(),
        "machine:\n  sysctls: {net.core.bpf_jit_harden: \"1\" # why\n  }\n",
    );
}

#[test]
fn json_stays_json() {
    check(
        r#"{"machine":{"type":"worker","kernel":{"modules":[{"name":"a"}]}},"cluster":{}}"#,
        &guide(),
        r#"{"machine":{"type":"worker","kernel":{"modules":[{"name":"a"}, {"name": "nvidia"}, {"name": "nvidia_uvm"}]}, "sysctls": {"net.core.bpf_jit_harden": "1"}},"cluster":{}}"#,
    );
}

#[test]
fn nothing_within_flow_style_is_given_back() {
    check(
        "machine: {kernel: , type: worker}\n",
        &one_module(),
        "machine: {kernel: {modules: [{name: nvidia}]} , type: worker}\n",
    );
    check("machine: {kernel: null}\n", &one_module(), "machine: {kernel: {modules: [{name: nvidia}]}}\n");
    check(
        "machine: {sysctls: {net.core.bpf_jit_harden: }}\n",
        &one_sysctl(),
        "machine: {sysctls: {net.core.bpf_jit_harden: \"1\" }}\n",
    );
}

#[test]
fn several_lines_and_comments_within_flow_style_stay() {
    check(
        "machine:\n  sysctls: {\n    a.b: c, # one\n    d.e: f # two\n  }\n",
        &one_sysctl(),
        "machine:\n  sysctls: {\n    a.b: c, # one\n    d.e: f, net.core.bpf_jit_harden: \"1\" # two\n  }\n",
    );
}

#[test]
fn a_colon_with_nothing_behind_it_does_not_become_part_of_its_key() {
    // To Talos's parser `a.b:,` is the key `a.b:`.
    check(
        "machine: {sysctls: {a.b: }}\n",
        &one_sysctl(),
        "machine: {sysctls: {a.b: , net.core.bpf_jit_harden: \"1\" }}\n",
    );
    let two = Desired {
        sysctls: BTreeMap::from([("kernel.panic".into(), "1".into()), ("net.core.bpf_jit_harden".into(), "1".into())]),
        ..Desired::default()
    };
    round_trip("machine: {sysctls: {kernel.panic:  }}\n", &two, Backend::V1Alpha1);
    let seen = view(b"machine: {sysctls: {a.b:, c.d:}}\n", CRI).unwrap();
    assert_eq!(seen.sysctls.keys().collect::<Vec<_>>(), ["a.b:", "c.d:"]);
}

#[test]
fn a_comma_behind_the_last_one_goes_with_it() {
    let before = "machine: {kernel: {modules: [ {name: nvidia} , ],}, type: worker}\n";
    let record = super::super::adopt(before.as_bytes(), &one_module()).unwrap();
    let back = edit(before.as_bytes(), &Desired::default(), &record, Backend::V1Alpha1).unwrap();
    assert_eq!(String::from_utf8(back.bytes).unwrap(), "machine: {type: worker}\n");
}
