//! What somebody does between our edits.

use super::*;

/// Applies, lets somebody change the text, mends, takes back; returns the mended text and what is left.
fn drift(before: &str, desired: &Desired, backend: Backend, somebody: impl Fn(&str) -> String) -> (String, String) {
    let first = edit(before.as_bytes(), desired, &Record::default(), backend).unwrap();
    let changed = somebody(std::str::from_utf8(&first.bytes).unwrap());
    assert_ne!(changed.as_bytes(), first.bytes, "nobody did anything");
    let mended =
        edit(changed.as_bytes(), desired, &first.record, backend).unwrap_or_else(|error| panic!("{error}\n{changed}"));
    let back = edit(&mended.bytes, &Desired::default(), &mended.record, backend).unwrap();
    assert!(back.record.is_empty(), "{:?}", back.record);
    (String::from_utf8(mended.bytes).unwrap(), String::from_utf8(back.bytes).unwrap())
}

const BARE: &str = "machine:\n  type: worker\n";

#[test]
fn what_somebody_removed_of_ours_is_mended_and_taken_back() {
    let (mended, back) = drift(BARE, &guide(), Backend::V1Alpha1, |text| text.replace("      - name: nvidia\n", ""));
    assert!(mended.contains("- name: nvidia\n"), "{mended}");
    assert_eq!(back, BARE);
    let (_, back) = drift(BARE, &one_module(), Backend::V1Alpha1, |text| text.replace("      - name: nvidia\n", ""));
    assert_eq!(back, BARE);
    let (_, back) = drift(BARE, &guide(), Backend::V1Alpha1, |_| BARE.to_owned());
    assert_eq!(back, BARE);
    let (_, back) = drift(BARE, &guide(), Backend::Documents, |_| BARE.to_owned());
    assert_eq!(back, BARE);
}

#[test]
fn what_somebody_added_stays() {
    let (_, back) = drift(BARE, &guide(), Backend::V1Alpha1, |text| {
        text.replace("      - name: nvidia\n", "      - name: theirs # x\n      - name: nvidia\n")
    });
    assert_eq!(back, format!("{BARE}  kernel:\n    modules:\n      - name: theirs # x\n"));
    let (_, back) =
        drift(BARE, &guide(), Backend::V1Alpha1, |text| text.replace("  kernel:\n", "  kernel:\n    # why\n"));
    assert_eq!(back, format!("{BARE}    # why\n"));
    let (_, back) =
        drift(BARE, &one_sysctl(), Backend::Documents, |text| text.replace("params:\n", "params:\n    a.b: c\n"));
    assert_eq!(back, format!("{BARE}---\napiVersion: v1alpha1\nkind: SysctlConfig\nparams:\n    a.b: c\n"));
    let (_, back) =
        drift(BARE, &one_module(), Backend::Documents, |text| text.replace("name: nvidia\n", "name: nvidia # why\n"));
    assert_eq!(back, format!("{BARE}# why\n"));
}

#[test]
fn a_prior_value_is_remembered_once() {
    let before = "machine:\n  sysctls:\n    net.core.bpf_jit_harden: 2 # a\n";
    let (mended, back) = drift(before, &one_sysctl(), Backend::V1Alpha1, |text| text.replace("\"1\"", "'0'"));
    assert_eq!(mended, before.replace('2', "\"1\""));
    assert_eq!(back, before);
}

#[test]
fn an_override_by_somebody_is_mended_and_given_back() {
    let over = "---\napiVersion: v1alpha1\nkind: SysctlConfig\nparams:\n  net.core.bpf_jit_harden: '0'\n";
    let (mended, back) = drift(BARE, &one_sysctl(), Backend::V1Alpha1, |text| format!("{text}{over}"));
    assert_eq!(view(mended.as_bytes(), CRI).unwrap().sysctls["net.core.bpf_jit_harden"], "1");
    assert_eq!(back, format!("{BARE}{over}"));
    let over = "---\napiVersion: v1alpha1\nkind: CRICustomizationConfig\nname: zz\ncontent: |\n  [plugins.'io.containerd.cri.v1.runtime'.containerd]\n  default_runtime_name = 'runc'\n";
    let (mended, back) = drift(BARE, &default_runtime(), Backend::Documents, |text| format!("{text}{over}"));
    assert_eq!(view(mended.as_bytes(), CRI).unwrap().default_runtime.as_deref(), Some("nvidia"));
    assert_eq!(back, format!("{BARE}{over}"));
    let (mended, back) = drift(BARE, &with_parameters(&["a"]), Backend::V1Alpha1, |text| {
        format!("{text}      - name: nvidia\n        parameters: [ b ]\n")
    });
    assert_eq!(view(mended.as_bytes(), CRI).unwrap().modules["nvidia"].parameters, ["a"]);
    assert_eq!(back, format!("{BARE}  kernel:\n    modules:\n      - name: nvidia\n        parameters: [ b ]\n"));
}

#[test]
fn what_is_wanted_no_longer_is_taken_back_and_the_rest_stays() {
    let first = edit(BARE.as_bytes(), &guide(), &Record::default(), Backend::V1Alpha1).unwrap();
    let second = edit(&first.bytes, &one_sysctl(), &first.record, Backend::V1Alpha1).unwrap();
    assert_eq!(
        String::from_utf8(second.bytes.clone()).unwrap(),
        format!("{BARE}  sysctls:\n    net.core.bpf_jit_harden: \"1\"\n")
    );
    let back = edit(&second.bytes, &Desired::default(), &second.record, Backend::V1Alpha1).unwrap();
    assert_eq!(back.bytes, BARE.as_bytes());
}

#[test]
fn an_upgrade_to_the_other_back_end_changes_nothing() {
    let mut desired = guide();
    desired.default_runtime = default_runtime().default_runtime;
    let first = edit(BARE.as_bytes(), &desired, &Record::default(), Backend::V1Alpha1).unwrap();
    let second = edit(&first.bytes, &desired, &first.record, Backend::Documents).unwrap();
    assert_eq!(second.changes, []);
    assert_eq!(second.bytes, first.bytes);
    let back = edit(&second.bytes, &Desired::default(), &second.record, Backend::Documents).unwrap();
    assert_eq!(back.bytes, BARE.as_bytes());
}

#[test]
fn a_rewrite_of_the_whole_text_by_somebody_is_survived() {
    // What `talosctl patch mc` does: everything encoded anew, comments gone, flow style gone.
    let before = "machine:\n  type: worker # c\n  kernel: {}\n  sysctls: {net.core.bpf_jit_harden: 2}\n";
    let rewritten = "machine:\n    type: worker\n    kernel:\n        modules:\n            - name: nvidia\n            - name: nvidia_uvm\n    sysctls:\n        net.core.bpf_jit_harden: \"1\"\n";
    let first = edit(before.as_bytes(), &guide(), &Record::default(), Backend::V1Alpha1).unwrap();
    let back = edit(rewritten.as_bytes(), &Desired::default(), &first.record, Backend::V1Alpha1).unwrap();
    assert_eq!(
        String::from_utf8(back.bytes).unwrap(),
        "machine:\n    type: worker\n    kernel: {}\n    sysctls:\n        net.core.bpf_jit_harden: 2\n"
    );
}

#[test]
fn an_import_takes_what_stands_there_for_ours() {
    let before = "machine:\n  kernel:\n    modules:\n      - name: nvidia\n      - name: other\n      - name: nvidia\n  sysctls:\n    net.core.bpf_jit_harden: \"1\"\n    a.b: c\n";
    let record = super::super::adopt(before.as_bytes(), &guide()).unwrap();
    assert!(record.found().is_empty());
    let back = edit(before.as_bytes(), &Desired::default(), &record, Backend::V1Alpha1).unwrap();
    assert_eq!(
        String::from_utf8(back.bytes).unwrap(),
        "machine:\n  kernel:\n    modules:\n      - name: other\n  sysctls:\n    a.b: c\n"
    );
}

#[test]
fn an_import_of_all_that_a_container_holds_takes_the_container_for_ours_too() {
    let before = "machine:\n  kernel:\n    modules:\n      - name: nvidia\n      - name: nvidia_uvm\n  sysctls:\n    net.core.bpf_jit_harden: \"1\"\n  type: worker\n";
    let record = super::super::adopt(before.as_bytes(), &guide()).unwrap();
    let back = edit(before.as_bytes(), &Desired::default(), &record, Backend::V1Alpha1).unwrap();
    assert_eq!(String::from_utf8(back.bytes).unwrap(), BARE);
    let commented = before.replace("    modules:\n", "    modules:\n      # theirs\n");
    let back = edit(commented.as_bytes(), &Desired::default(), &record, Backend::V1Alpha1).unwrap();
    assert!(String::from_utf8(back.bytes).unwrap().contains("# theirs"));
}

#[test]
fn the_last_of_ours_can_be_taken_out_of_a_container_that_somebody_else_emptied() {
    let before = "machine:\n  kernel:\n    modules:\n      - name: theirs\n  sysctls:\n    a.b: c\n  type: worker\n";
    let (_, back) = drift(before, &guide(), Backend::V1Alpha1, |text| {
        text.replace("      - name: theirs\n", "").replace("    a.b: c\n", "")
    });
    assert_eq!(back, "machine:\n  kernel:\n    modules:\n  sysctls:\n  type: worker\n");
}

#[test]
fn what_stood_there_before_us_and_was_taken_out_since_is_ours_once_it_is_mended() {
    let before = "machine:\n  kernel:\n    modules:\n      - name: nvidia\n  sysctls:\n    net.core.bpf_jit_harden: \"2\"\n  type: worker\n";
    for (backend, left) in
        [(Backend::V1Alpha1, "machine:\n  type: worker\n"), (Backend::Documents, "machine:\n  type: worker\n")]
    {
        let (mended, back) = drift(before, &guide(), backend, |text| {
            let at = text.find("machine:").unwrap();
            let end = text.find("  type: worker\n").unwrap();
            format!("{}machine:\n{}", &text[..at], &text[end..])
        });
        assert!(mended.contains("net.core.bpf_jit_harden: \"1\""), "{mended}");
        assert_eq!(back, left, "{backend:?}");
    }
}

#[test]
fn a_comment_that_stays_is_not_taken_in_by_the_text_before() {
    let before = "machine: {}\n---\nkind: Other\ntext: |\n    x\n---\napiVersion: v1alpha1\nkind: KernelModuleConfig\nname: nvidia\nparameters:\n    - a # why\n---\nkind: Other\n";
    let record = super::super::adopt(before.as_bytes(), &one_module()).unwrap();
    let back = edit(before.as_bytes(), &Desired::default(), &record, Backend::Documents).unwrap();
    assert_eq!(
        String::from_utf8(back.bytes).unwrap(),
        "machine: {}\n---\nkind: Other\ntext: |\n    x\n# why\n---\nkind: Other\n"
    );
}

#[test]
fn the_line_end_that_a_text_lacked_stays_lacking_behind_a_block_scalar() {
    let before = "machine: {}\n---\nkind: Other\ntext: |-\n    x\n---\napiVersion: v1alpha1\nkind: KernelModuleConfig\nname: nvidia";
    let record = super::super::adopt(before.as_bytes(), &one_module()).unwrap();
    let back = edit(before.as_bytes(), &Desired::default(), &record, Backend::Documents).unwrap();
    assert_eq!(String::from_utf8(back.bytes).unwrap(), "machine: {}\n---\nkind: Other\ntext: |-\n    x");
    let clipped = before.replace("|-", "|");
    let back = edit(clipped.as_bytes(), &Desired::default(), &record, Backend::Documents).unwrap();
    assert_eq!(String::from_utf8(back.bytes).unwrap(), "machine: {}\n---\nkind: Other\ntext: |\n    x\n");
}

#[test]
fn two_owners_in_one_container_give_it_back_in_any_order_when_each_knows_who_made_it() {
    let other = Desired { modules: vec![module("gdrdrv")], ..Desired::default() };
    for before in [BARE, "machine:\n  kernel: {}\n  sysctls: {}\n", "machine:\n  kernel:\n"] {
        let first = edit(before.as_bytes(), &one_module(), &Record::default(), Backend::V1Alpha1).unwrap();
        let known = Record::default().with_containers_of(&first.record);
        assert!(known.has_no_keys());
        let second = edit(&first.bytes, &other, &known, Backend::V1Alpha1).unwrap();
        for records in [[&first.record, &second.record], [&second.record, &first.record]] {
            let nothing = Desired::default();
            let once = edit(&second.bytes, &nothing, records[0], Backend::V1Alpha1).unwrap();
            let twice = edit(&once.bytes, &nothing, records[1], Backend::V1Alpha1).unwrap();
            assert_eq!(String::from_utf8(twice.bytes).unwrap(), before);
            assert!(twice.record.is_empty());
        }
    }
}
