//! The default runtime.

use super::*;

const SET: &str = "[plugins.\"io.containerd.cri.v1.runtime\".containerd]";

#[test]
fn a_file_is_added_where_there_is_no_part() {
    let edited =
        edit(b"machine:\n    type: worker\n", &default_runtime(), &Record::default(), Backend::V1Alpha1).unwrap();
    assert!(edited.touches_files);
    check(
        "machine:\n    type: worker\n",
        &default_runtime(),
        &format!(
            "machine:\n    type: worker\n    files:\n        - content: |\n              {SET}\n                default_runtime_name = \"nvidia\"\n          permissions: 0o600\n          path: /etc/cri/conf.d/20-customization.part\n          op: create\n"
        ),
    );
    check(
        "machine: {type: worker}\n",
        &default_runtime(),
        "machine: {type: worker, files: [{content: \"[plugins.\\\"io.containerd.cri.v1.runtime\\\".containerd]\\n  default_runtime_name = \\\"nvidia\\\"\\n\", permissions: 0o600, path: /etc/cri/conf.d/20-customization.part, op: create}]}\n",
    );
}

#[test]
fn a_document_is_added_from_1_14_on() {
    check_documents(
        "machine: {}\n",
        &default_runtime(),
        &format!(
            "machine: {{}}\n---\napiVersion: v1alpha1\nkind: CRICustomizationConfig\nname: nvidia-default-runtime\ncontent: |\n    {SET}\n      default_runtime_name = \"nvidia\"\n"
        ),
    );
}

/// A part in the given form of content, and a key behind it.
fn part(content: &str) -> String {
    format!(
        "machine:\n  files:\n    - path: /etc/cri/conf.d/20-customization.part\n      content: {content}\n      op: create\ncluster: {{}}\n"
    )
}

#[test]
fn a_part_that_is_there_is_merged_and_its_toml_kept() {
    for header in ["|", "|-", "|+", "| # c", "|2"] {
        check(
            &part(&format!("{header}\n        # mine\n        [plugins.'x']\n          a = 1 # b\n")),
            &default_runtime(),
            &part(&format!(
                "{header}\n        # mine\n        [plugins.'x']\n          a = 1 # b\n        {SET}\n          default_runtime_name = \"nvidia\"\n"
            )),
        );
        check(
            &part(&format!(
                "{header}\n        {SET} # t\n          snapshotter = \"x\"\n\n        [other]\n          a = 1"
            )),
            &default_runtime(),
            &part(&format!(
                "{header}\n        {SET} # t\n          default_runtime_name = \"nvidia\"\n          snapshotter = \"x\"\n\n        [other]\n          a = 1"
            )),
        );
        check(
            &part(&format!("{header}\n        {SET}\n          default_runtime_name = 'runc' # why\n")),
            &default_runtime(),
            &part(&format!("{header}\n        {SET}\n          default_runtime_name = \"nvidia\" # why\n")),
        );
    }
}

#[test]
fn quoted_and_folded_parts_are_changed_where_they_can_be() {
    check(
        &part(r#""[other]\na = 1\n""#),
        &default_runtime(),
        &part(
            r#""[other]\na = 1\n[plugins.\"io.containerd.cri.v1.runtime\".containerd]\n  default_runtime_name = \"nvidia\"\n""#,
        ),
    );
    check(
        &part(r#""[other]\na = 1""#),
        &default_runtime(),
        &part(
            r#""[other]\na = 1\n[plugins.\"io.containerd.cri.v1.runtime\".containerd]\n  default_runtime_name = \"nvidia\"""#,
        ),
    );
    check(
        &part(r#""""#),
        &default_runtime(),
        &part(r#""[plugins.\"io.containerd.cri.v1.runtime\".containerd]\n  default_runtime_name = \"nvidia\"\n""#),
    );
    check(
        &part(">\n        [other]\n\n        a = 1\n"),
        &default_runtime(),
        &part(&format!(
            ">\n        [other]\n\n        a = 1\n\n        {SET}\n\n        default_runtime_name = \"nvidia\"\n"
        )),
    );
    check(
        &part(&format!(">-\n        {SET}\n\n        default_runtime_name = \"runc\"\n")),
        &default_runtime(),
        &part(&format!(">-\n        {SET}\n\n        default_runtime_name = \"nvidia\"\n")),
    );
    check(
        &part(&format!(">\n        {SET}\n          snapshotter = \"x\"\n\n        [other]\n          a = 1\n")),
        &default_runtime(),
        &part(&format!(
            ">\n        {SET}\n\n        default_runtime_name = \"nvidia\"\n          snapshotter = \"x\"\n\n        [other]\n          a = 1\n"
        )),
    );
    assert!(matches!(refused(&part("'a = 1'"), &default_runtime()), EditError::Layout { line: 4, .. }));
}

#[test]
fn the_fragment_that_counts_is_the_one_that_is_edited() {
    let document = |name: &str, runtime: &str| {
        format!(
            "---\napiVersion: v1alpha1\nkind: CRICustomizationConfig\nname: {name}\ncontent: |\n  {SET}\n  default_runtime_name = {runtime}\n"
        )
    };
    let text = |last: &str| format!("machine: {{}}\n{}{}", document("z", last), document("a", "'runc'"));
    check_documents(&text("\"crun\""), &default_runtime(), &text("\"nvidia\""));
    check_documents(&text("'nvidia'"), &default_runtime(), &text("'nvidia'"));
    let view = view(text("'crun'").as_bytes(), CRI).unwrap();
    assert_eq!(view.default_runtime.as_deref(), Some("crun"));
    assert_eq!(view.default_runtime_places.len(), 2);
}

#[test]
fn what_cannot_be_merged_is_refused_with_its_line() {
    let broken = part("|\n        [plugins\n");
    assert!(matches!(refused(&broken, &default_runtime()), EditError::Toml { line: 3, .. }));
    let dotted = part("|\n        plugins.'io.containerd.cri.v1.runtime'.containerd.snapshotter = 'x'\n");
    assert!(matches!(refused(&dotted, &default_runtime()), EditError::Toml { line: 3, .. }));
    let two = format!(
        "{}    - path: /etc/cri/conf.d/20-customization.part\n      content: ''\n",
        part("''").replace("cluster: {}\n", "")
    );
    assert!(matches!(refused(&two, &default_runtime()), EditError::SeveralParts { line: 6, first: 3, .. }));
}

#[test]
fn an_imported_fragment_goes_whole_when_it_is_all_ours() {
    let text = format!(
        "machine:\n  type: worker\n  files:\n    - content: |\n        {SET}\n          default_runtime_name = \"nvidia\"\n      path: /etc/cri/conf.d/20-customization.part\n      permissions: 0o600\n      op: create\n    - path: /var/x\n"
    );
    let record = super::super::adopt(text.as_bytes(), &default_runtime()).unwrap();
    let back = edit(text.as_bytes(), &Desired::default(), &record, Backend::V1Alpha1).unwrap();
    assert_eq!(String::from_utf8(back.bytes).unwrap(), "machine:\n  type: worker\n  files:\n    - path: /var/x\n");
}

#[test]
fn a_table_below_does_not_make_the_table_theirs() {
    let below = part("|\n        [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.kata]\n          a = 1\n");
    round_trip(&below, &default_runtime(), Backend::V1Alpha1);
}

#[test]
fn a_setting_that_somebody_takes_out_of_our_fragment_is_mended_and_taken_back() {
    let before = "machine:\n  type: worker\n";
    for backend in [Backend::V1Alpha1, Backend::Documents] {
        for instead in ["", "x = 1"] {
            let first = edit(before.as_bytes(), &default_runtime(), &Record::default(), backend).unwrap();
            let text = String::from_utf8(first.bytes).unwrap();
            let changed = text.replace("default_runtime_name = \"nvidia\"", instead);
            assert_ne!(changed, text);
            let mended = edit(changed.as_bytes(), &default_runtime(), &first.record, backend)
                .unwrap_or_else(|error| panic!("{backend:?} {instead:?} {error}\n{changed}"));
            let back = edit(&mended.bytes, &Desired::default(), &mended.record, backend)
                .unwrap_or_else(|error| panic!("{backend:?} {instead:?} {error}"));
            assert!(back.record.is_empty(), "{:?}", back.record);
            if instead.is_empty() {
                assert_eq!(String::from_utf8(back.bytes).unwrap(), before, "{backend:?}: all that is left is ours");
            }
        }
    }
}

/// A text with a comment of somebody's in every place in and around our two lines, in several forms.
fn commented(text: &str) -> Vec<String> {
    let lines: Vec<String> = text.lines().map(|line| format!("{line}\n")).collect();
    let first = lines.iter().position(|line| line.contains(SET)).unwrap();
    let indent = " ".repeat(lines[first].len() - lines[first].trim_start().len());
    let forms = [
        "I# theirs\n",
        "I  # theirs\n",
        "I    # theirs\n",
        "\nI# theirs\n",
        "I# theirs\n\n",
        "I# theirs\nI    # and theirs\n",
    ];
    let put = |at: usize, form: &str| {
        let mut lines = lines.clone();
        lines.insert(at, form.replace('I', &indent));
        lines.concat()
    };
    let own_lines = forms.iter().flat_map(|form| (first..=first + 2).map(|at| put(at, form)));
    let behind = [first, first + 1].map(|at| {
        let mut lines = lines.clone();
        lines[at] = lines[at].replace('\n', " # theirs\n");
        lines.concat()
    });
    own_lines.chain(behind).collect()
}

/// What somebody may make of our setting: nothing, another value, a comment, no line, a blank one.
fn meddled(text: &str) -> [String; 5] {
    let setting = text.lines().find(|line| line.contains("default_runtime_name")).unwrap();
    let indent = &setting[..setting.len() - setting.trim_start().len()];
    [
        format!("{setting}\n"),
        setting.replace("nvidia", "runc") + "\n",
        setting.replace("default", "# default") + "\n",
        String::new(),
        format!("{indent}\n"),
    ]
    .map(|instead| text.replace(&format!("{setting}\n"), &instead))
}

#[test]
fn a_comment_that_somebody_puts_into_our_fragment_stays_through_every_edit() {
    for (before, backend) in [
        ("machine:\n    type: worker\n", Backend::V1Alpha1),
        ("machine:\n    type: worker\n", Backend::Documents),
        (&*part("|\n        [other]\n          a = 1\n"), Backend::V1Alpha1),
        (&*part("|\n        a = 1\n\n        [other]\n        a = 1\n"), Backend::V1Alpha1),
    ] {
        let ours = edit(before.as_bytes(), &default_runtime(), &Record::default(), backend).unwrap();
        let text = String::from_utf8(ours.bytes.clone()).unwrap();
        // A deeper comment as the first line is no YAML, and nobody's node has it.
        let readable = |text: &String| view(text.as_bytes(), CRI).is_ok();
        for changed in commented(&text).iter().flat_map(|text| meddled(text)).filter(readable) {
            let theirs = |bytes: &[u8]| String::from_utf8_lossy(bytes).matches("theirs").count();
            let edited = |from: &[u8], desired: &Desired, record: &Record| {
                let edited = edit(from, desired, record, backend)
                    .unwrap_or_else(|error| panic!("{error}\nin\n{}", String::from_utf8_lossy(from)));
                assert_eq!(theirs(&edited.bytes), theirs(changed.as_bytes()), "from\n{changed}");
                edited
            };
            let mended = edited(changed.as_bytes(), &default_runtime(), &ours.record);
            let again = edited(&mended.bytes, &default_runtime(), &mended.record);
            assert_eq!((&again.bytes, &again.record), (&mended.bytes, &mended.record));
            edited(&mended.bytes, &Desired::default(), &mended.record);
            edited(changed.as_bytes(), &Desired::default(), &ours.record);
        }
    }
}

#[test]
fn a_removal_of_ours_that_waits_is_told_from_a_change_of_somebody_s() {
    let same = |one: &str, other: &str| same_but_for(one.as_bytes(), other.as_bytes(), &default_runtime());
    for before in ["machine:\n    type: worker\n", &part("|\n        [other]\n          a = 1\n")] {
        let with = edit(before.as_bytes(), &default_runtime(), &Record::default(), Backend::V1Alpha1).unwrap();
        let with = String::from_utf8(with.bytes).unwrap();
        assert!(same(&with, before) && same(before, &with));
        for theirs in [format!("{before}# theirs\n"), before.replace("machine:\n", "machine:\n  env: {}\n")] {
            assert!(!same(&with, &theirs), "{theirs}");
        }
    }
    assert!(!same("machine: [", "machine: ["), "what cannot be read is different");
}

#[test]
fn files_are_compared_as_talos_compares_them() {
    let same = |one: &str, other: &str| same_files(one.as_bytes(), other.as_bytes());
    let block = "machine:\n  files:\n    - path: /a\n      op: create\n";
    assert!(same(block, "machine: {files: [{op: 'create', path: \"/a\"}]}\n# c\n"));
    assert!(same("machine: {}\n", "machine:\n  files: []\n"));
    for other in ["machine: {}\n", "machine: {files: [{path: /b, op: create}]}\n", "machine: ["] {
        assert!(!same(block, other), "{other}");
    }
}
