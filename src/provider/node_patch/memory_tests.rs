//! What earlier releases have stored is still understood, and what a replacement carries finds its object.

use plugin::codec::json::from_json;
use talos::machine_config::{Desired, edit};

use super::{
    super::{
        model::{WantedModule, module_value},
        schema,
    },
    *,
};

/// The attributes as Terraform stores them and the private state as this provider wrote it, first release, schema
/// version 0, memory of form 1. What is stored in these forms must be understood for ever: these files never change.
const STATE_V0: &str = include_str!("fixtures/state_v0.json");
const MEMORY_V1: &str = include_str!("fixtures/memory_v1.json");

fn texts(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
    entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn applied_v1() -> Wanted {
    Wanted {
        modules: vec![
            WantedModule { name: "nvidia".into(), parameters: Some(vec!["NVreg_X=1".into()]) },
            WantedModule { name: "nvidia-uvm".into(), parameters: None },
        ],
        sysctls: texts(&[("net.core.bpf_jit_harden", "1"), ("vm.max_map_count", "262144")]),
        default_runtime: true,
    }
}

fn memory_v1() -> Memory {
    Memory::of(&Private(MEMORY_V1.into())).unwrap().unwrap()
}

#[test]
fn a_state_of_schema_version_0_is_read() {
    let schema = schema::schema();
    assert_eq!(schema.version, 0, "a new version needs an upgrade, and this fixture to go through it");
    let state = from_json(&serde_json::from_str(STATE_V0).unwrap(), &schema.object_type()).unwrap();
    let maps = |entries: &[(&str, &str)]| Value::map(entries.iter().map(|(k, v)| (*k, Value::from(*v))));
    let expected = [
        ("node", Value::from("10.0.0.5")),
        ("endpoint", Value::Null),
        ("kernel_modules", Value::List(applied_v1().modules.iter().map(module_value).collect())),
        ("sysctls", maps(&[("net.core.bpf_jit_harden", "1"), ("vm.max_map_count", "262144")])),
        ("default_runtime", Value::from(true)),
        ("apply_mode", Value::from("staged")),
        ("extension_check", Value::from("error")),
        ("wait_for_modules", Value::from(true)),
        ("on_destroy", Value::from("revert")),
        ("id", Value::from("10.0.0.5")),
        ("talos_version", Value::from("v1.13.9")),
        ("patch", Value::from(patch_text::patch(&applied_v1(), Backend::V1Alpha1))),
        ("pending_reboot", Value::from(true)),
        ("module_state", maps(&[("nvidia", "live"), ("nvidia-uvm", "not loaded")])),
    ];
    for (name, value) in expected {
        assert_eq!(state.get(name), &value, "{name}");
    }
    assert_eq!(state.get("timeouts").get("create"), &Value::from("20m"));
    assert_eq!(Wanted::from(&state), Some(applied_v1()));
}

#[test]
fn a_memory_of_form_1_is_read() {
    let memory = memory_v1();
    let boot = "c7aee535-e354-45b5-8967-41eb8ff18458".to_owned();
    let expected = Memory {
        default_sysctls: BTreeMap::new(),
        pending: Some(PendingReboot { kind: Waiting::Staged, boot_id: Some(boot) }),
        ..Memory::new(
            "18eaf7c314a08121-64f2-0".into(),
            Some("5efa4a56-64a7-5a2e-aa32-adc20912775d".into()),
            memory.record.clone(),
            applied_v1(),
        )
    };
    assert_eq!(memory, expected);
    assert_eq!(Memory::of(&memory.to_private()), Ok(Some(memory)), "what is written is read again");
}

#[test]
fn a_record_of_form_1_gives_back_what_stood_there() {
    let before = "machine:\n    sysctls:\n        vm.max_map_count: \"65530\" # theirs\n    kernel:\n        modules:\n            - name: nvidia\n              parameters: [a=1]\n    type: worker\n";
    let patched = edit(before.as_bytes(), &applied_v1().desired(), &Record::default(), Backend::V1Alpha1).unwrap();
    let back = edit(&patched.bytes, &Desired::default(), &memory_v1().record, Backend::V1Alpha1).unwrap();
    assert_eq!(String::from_utf8(back.bytes).unwrap(), before);
}

#[test]
fn a_memory_of_a_newer_form_is_an_error_and_what_is_no_memory_is_none() {
    for (text, expected) in [
        (r#"{"version":2,"instance":7}"#, Err(NewerForm(2))),
        (r#"{"version":1}"#, Ok(None)),
        (r#"{"e2bfb730":{"create":1}}"#, Ok(None)),
        ("garbage", Ok(None)),
        ("", Ok(None)),
    ] {
        assert_eq!(Memory::of(&Private(text.into())), expected, "{text}");
        assert_eq!(of_stored(&Value::Null, &Private(text.into())), expected, "{text}");
    }
}

#[test]
fn what_was_sent_and_never_seen_is_owned_with_what_was_applied() {
    let memory = Memory { applied: Wanted::default(), ..memory_v1() };
    let owned: Vec<String> = memory.keys().into_iter().collect();
    assert_eq!(
        owned,
        [
            "default runtime",
            "kernel module nvidia",
            "kernel module nvidia_uvm",
            "sysctl net.core.bpf_jit_harden",
            "sysctl vm.max_map_count"
        ]
    );
}

fn of(instance: &str, module: &str) -> Memory {
    let modules = vec![WantedModule { name: module.into(), parameters: None }];
    let applied = Wanted { modules, ..Wanted::default() };
    Memory::new(instance.into(), None, Record::default(), applied)
}

fn stored(node: &str, memory: &Memory, backend: Backend) -> Value {
    let patch = patch_text::patch(&memory.applied, backend);
    Value::object([("node", Value::from(node)), ("patch", Value::from(patch))])
}

#[test]
fn each_of_several_tainted_objects_finds_its_own_memory_in_what_a_create_carries() {
    let (one, two, elsewhere) = (of("1", "nvidia"), of("2", "nvidia_fs"), of("3", "nvidia"));
    let carried = carry(vec![
        ("10.0.0.5".into(), one.to_private()),
        ("10.0.0.5".into(), two.to_private()),
        ("10.0.0.6".into(), elsewhere.to_private()),
        ("10.0.0.7".into(), Private::empty()),
    ]);
    for backend in [Backend::V1Alpha1, Backend::Documents] {
        for (node, memory) in [("10.0.0.5", &one), ("10.0.0.5", &two), ("10.0.0.6", &elsewhere)] {
            assert_eq!(of_stored(&stored(node, memory, backend), &carried), Ok(Some(memory.clone())));
        }
    }
    assert_eq!(of_stored(&stored("10.0.0.7", &one, Backend::V1Alpha1), &carried), Ok(None));
    let here: Vec<Memory> =
        formers(&carried).unwrap().into_iter().filter(|f| f.is_at("10.0.0.5", None)).map(|f| f.memory).collect();
    assert_eq!(here, [one, two], "a machine without a uuid is told by its address");
}

#[test]
fn two_memories_that_fit_one_object_are_none() {
    let carried =
        carry(vec![("n".into(), of("1", "nvidia").to_private()), ("n".into(), of("2", "nvidia").to_private())]);
    assert_eq!(of_stored(&stored("n", &of("1", "nvidia"), Backend::V1Alpha1), &carried), Ok(None));
}

#[test]
fn a_create_that_replaces_nothing_carries_nothing_and_a_planned_replacement_its_own() {
    assert_eq!(carry(Vec::new()), Private::empty());
    let memory = of("1", "nvidia");
    assert_eq!(formers(&memory.to_private()), Ok(vec![Former { node: None, memory: memory.clone() }]));
    assert_eq!(of_stored(&Value::Null, &memory.to_private()), Ok(Some(memory)));
}
