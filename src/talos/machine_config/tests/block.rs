//! Block style.

use super::*;

#[test]
fn a_bare_configuration_gets_the_containers() {
    check(
        "version: v1alpha1\nmachine:\n    type: worker\n    certSANs: []\ncluster: {}\n",
        &guide(),
        "version: v1alpha1\nmachine:\n    type: worker\n    certSANs: []\n    kernel:\n        modules:\n            - name: nvidia\n            - name: nvidia_uvm\n    sysctls:\n        net.core.bpf_jit_harden: \"1\"\ncluster: {}\n",
    );
}

#[test]
fn siblings_set_the_indentation_and_comments_stay_where_they_are() {
    check(
        BUSY,
        &guide(),
        &BUSY
            .replace("br_netfilter\n", "br_netfilter\n      - name: nvidia\n      - name: nvidia_uvm\n")
            .replace("'262144'\n", "'262144'\n    net.core.bpf_jit_harden: \"1\"\n"),
    );
}

#[test]
fn dashes_may_stand_below_their_key_or_far_from_their_item() {
    check(
        "machine:\n  kernel:\n    modules:\n    -   name: a\n        parameters:\n        - x\n",
        &with_parameters(&["p=1", "q=2"]),
        "machine:\n  kernel:\n    modules:\n    -   name: a\n        parameters:\n        - x\n    -   name: nvidia\n        parameters:\n        - p=1\n        - q=2\n",
    );
    check(
        "machine:\n  kernel:\n    modules:\n      - # odd\n        name: a\n",
        &one_module(),
        "machine:\n  kernel:\n    modules:\n      - # odd\n        name: a\n      - name: nvidia\n",
    );
}

#[test]
fn the_last_line_end_may_be_missing() {
    check(
        "machine:\n  kernel:\n    modules:\n      - name: a",
        &one_module(),
        "machine:\n  kernel:\n    modules:\n      - name: a\n      - name: nvidia",
    );
    check("machine:", &one_module(), "machine:\n    kernel:\n        modules:\n            - name: nvidia");
    check("machine: # c", &one_sysctl(), "machine: # c\n    sysctls:\n        net.core.bpf_jit_harden: \"1\"");
}

#[test]
fn carriage_returns_are_kept_and_copied() {
    check(
        "machine:\r\n  type: worker\r\ncluster: {}\r\n",
        &one_module(),
        "machine:\r\n  type: worker\r\n  kernel:\r\n    modules:\r\n      - name: nvidia\r\ncluster: {}\r\n",
    );
    check(
        "machine:\r\n  type: worker",
        &one_sysctl(),
        "machine:\r\n  type: worker\r\n  sysctls:\r\n    net.core.bpf_jit_harden: \"1\"",
    );
}

#[test]
fn nothing_null_and_a_tilde_are_given_back_as_they_were() {
    check(
        "machine:\n  kernel:\n  type: worker\n",
        &one_module(),
        "machine:\n  kernel:\n    modules:\n      - name: nvidia\n  type: worker\n",
    );
    check(
        "machine:\n  kernel: # c\n    modules: # d\n  type: worker\n",
        &one_module(),
        "machine:\n  kernel: # c\n    modules: # d\n      - name: nvidia\n  type: worker\n",
    );
    check("machine:\n  kernel: null # c\n", &one_module(), "machine:\n  kernel: {modules: [{name: nvidia}]} # c\n");
    check("machine:\n  sysctls:   ~\n", &one_sysctl(), "machine:\n  sysctls:   {net.core.bpf_jit_harden: \"1\"}\n");
}

#[test]
fn a_byte_order_mark_and_document_marks_stay() {
    check(
        "\u{feff}---\nmachine:\n  type: worker\n...\n---\n# empty\n",
        &one_sysctl(),
        "\u{feff}---\nmachine:\n  type: worker\n  sysctls:\n    net.core.bpf_jit_harden: \"1\"\n...\n---\n# empty\n",
    );
    check(
        "\u{feff}machine:\n  type: worker\n",
        &one_sysctl(),
        "\u{feff}machine:\n  type: worker\n  sysctls:\n    net.core.bpf_jit_harden: \"1\"\n",
    );
}

#[test]
fn block_scalars_before_ours_keep_their_blank_lines() {
    for chomping in ["", "-", "+"] {
        let before = format!(
            "machine:\n  files:\n    - path: /var/a\n      content: |{chomping}\n        x\n\n\ncluster: {{}}\n"
        );
        round_trip(&before, &guide(), Backend::V1Alpha1);
        let before = format!("machine:\n  token: |{chomping}\n    x\n\n  \n\n# tail\n\ncluster: {{}}\n");
        round_trip(&before, &guide(), Backend::V1Alpha1);
    }
}

#[test]
fn a_block_scalar_that_the_text_breaks_off_in_is_not_given_a_line_end() {
    check(
        "machine:\n  type: worker\n  token: |\n    x",
        &one_sysctl(),
        "machine:\n  sysctls:\n    net.core.bpf_jit_harden: \"1\"\n  type: worker\n  token: |\n    x",
    );
    check_documents(
        "machine: {}\n---\nkind: Other\ntext: |+\n  x",
        &one_module(),
        "machine: {}\n---\napiVersion: v1alpha1\nkind: KernelModuleConfig\nname: nvidia\n---\nkind: Other\ntext: |+\n  x",
    );
}

#[test]
fn a_value_is_replaced_in_place_and_comes_back_as_it_was_written() {
    for (written, now) in [
        ("2", "\"1\""),
        ("'2'", "\"1\""),
        ("\"0\"", "\"1\""),
        ("0x2", "\"1\""),
        ("1", "1"),
        ("'1'", "'1'"),
        ("&x 2", "&x \"1\""),
    ] {
        let text =
            |value: &str| format!("machine:\n  sysctls:\n    net.core.bpf_jit_harden:  {value}  # c\n    a.b: c\n");
        check(&text(written), &one_sysctl(), &text(now));
    }
    check(
        "machine:\n  sysctls:\n    net.core.bpf_jit_harden:\n",
        &one_sysctl(),
        "machine:\n  sysctls:\n    net.core.bpf_jit_harden: \"1\"\n",
    );
}

#[test]
fn quoted_keys_are_keys() {
    check(
        "\"machine\":\n  'sysctls':\n    \"net.core.bpf_jit_harden\": 0\n  \"kernel\":\n    modules:\n      - \"name\": \"nvidia\"\n",
        &guide(),
        "\"machine\":\n  'sysctls':\n    \"net.core.bpf_jit_harden\": \"1\"\n  \"kernel\":\n    modules:\n      - \"name\": \"nvidia\"\n      - name: nvidia_uvm\n",
    );
}

#[test]
fn parameters_of_a_module_that_was_there_come_back_as_they_were_written() {
    for written in [
        "",
        "\n        parameters: [a, 'b']",
        "\n        parameters:\n          - a\n          - \"b\"",
        "\n        parameters:\n        - a\n\n        - b",
        "\n        parameters: []",
        "\n        parameters:",
        "\n        parameters: ~",
    ] {
        let text = format!("machine:\n  kernel:\n    modules:\n      - name: nvidia{written}\n      - name: z\n");
        let now = round_trip(&text, &with_parameters(&["x=1", "y"]), Backend::V1Alpha1);
        assert_eq!(view(now.as_bytes(), CRI).unwrap().modules["nvidia"].parameters, ["x=1", "y"], "{now}");
        let now = round_trip(&text, &with_parameters(&[]), Backend::V1Alpha1);
        assert_eq!(view(now.as_bytes(), CRI).unwrap().modules["nvidia"].parameters, [""; 0], "{now}");
    }
}

#[test]
fn documents_are_appended_where_nothing_stands() {
    check_documents(
        "machine:\n  type: worker",
        &guide(),
        "machine:\n  type: worker\n---\napiVersion: v1alpha1\nkind: KernelModuleConfig\nname: nvidia\n---\napiVersion: v1alpha1\nkind: KernelModuleConfig\nname: nvidia_uvm\n---\napiVersion: v1alpha1\nkind: SysctlConfig\nparams:\n    net.core.bpf_jit_harden: \"1\"",
    );
}

#[test]
fn a_key_that_stands_is_edited_where_it_stands() {
    check_documents(
        "machine:\n  sysctls:\n    net.core.bpf_jit_harden: 0\n  kernel:\n    modules:\n      - name: nvidia\n",
        &Desired { modules: with_parameters(&["a"]).modules, ..one_sysctl() },
        "machine:\n  sysctls:\n    net.core.bpf_jit_harden: \"1\"\n  kernel:\n    modules:\n      - name: nvidia\n        parameters:\n          - a\n",
    );
    check(
        "machine: {}\n---\napiVersion: v1alpha1\nkind: KernelModuleConfig\nname: nvidia\n---\napiVersion: v1alpha1\nkind: SysctlConfig\nparams:\n  net.core.bpf_jit_harden: '0'\n",
        &Desired { modules: with_parameters(&["a"]).modules, ..one_sysctl() },
        "machine: {}\n---\napiVersion: v1alpha1\nkind: KernelModuleConfig\nname: nvidia\nparameters:\n    - a\n---\napiVersion: v1alpha1\nkind: SysctlConfig\nparams:\n  net.core.bpf_jit_harden: \"1\"\n",
    );
}

#[test]
fn a_sysctl_goes_into_the_one_document_there_may_be() {
    for params in ["", "\nparams:", "\nparams: {}", "\nparams: null", "\nparams:\n  a.b: c # d"] {
        let text = format!("machine: {{}}\n---\napiVersion: v1alpha1\nkind: SysctlConfig{params}\n---\nkind: Other\n");
        let now = round_trip(&text, &one_sysctl(), Backend::Documents);
        assert_eq!(view(now.as_bytes(), CRI).unwrap().sysctls["net.core.bpf_jit_harden"], "1");
        assert_eq!(now.matches("SysctlConfig").count(), 1);
    }
}

#[test]
fn the_end_mark_of_a_document_goes_with_it() {
    let before =
        "machine: {}\n---\nkind: KernelModuleConfig\napiVersion: v1alpha1\nname: nvidia\n...\n---\nkind: Other\n";
    let record = super::super::adopt(before.as_bytes(), &one_module()).unwrap();
    let back = edit(before.as_bytes(), &Desired::default(), &record, Backend::Documents).unwrap();
    assert_eq!(String::from_utf8(back.bytes).unwrap(), "machine: {}\n---\nkind: Other\n");
    let directive = before.replace("...\n", "...\n%YAML 1.1\n");
    let error = edit(directive.as_bytes(), &Desired::default(), &record, Backend::Documents).unwrap_err();
    assert!(matches!(error, EditError::Layout { line: 6, .. }), "{error}");
}

#[test]
fn an_anchor_stays_before_what_comes_and_goes_and_a_tag_is_not_left_alone() {
    check(
        "machine:\n  kernel:\n    modules: &m\n  type: worker\n",
        &one_module(),
        "machine:\n  kernel:\n    modules: &m\n      - name: nvidia\n  type: worker\n",
    );
    let tagged = "machine:\n  kernel:\n    modules: !!seq\n      - name: nvidia\n";
    let record = super::super::adopt(tagged.as_bytes(), &one_module()).unwrap();
    let back = edit(tagged.as_bytes(), &Desired::default(), &record, Backend::V1Alpha1);
    assert!(matches!(back, Err(EditError::Layout { .. })), "{back:?}");
}
