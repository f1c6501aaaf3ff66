//! Deliveries and removals, decided on small configurations.

use std::collections::BTreeMap;

use super::super::model::WantedModule;
use super::*;

const CONFIG: &str = "version: v1alpha1\nmachine:\n  type: worker\ncluster: {}\n";

fn fact(text: &str, version: u64) -> ConfigFact {
    ConfigFact { bytes: text.as_bytes().to_vec().into(), version, updated: SystemTime::UNIX_EPOCH }
}

fn facts(tag: &str, active: &str, persisted: Option<&str>) -> Facts {
    Facts {
        tag: tag.into(),
        version: tag.parse().unwrap(),
        active: fact(active, 2),
        persisted: persisted.map_or(PersistedFact::NotSince, |text| PersistedFact::Resource(fact(text, 1))),
        extensions: vec![
            Extension { name: "nvidia-container-toolkit-lts".into(), version: "580.1-v1.19.1".into() },
            Extension { name: "nvidia-open-gpu-kernel-modules-lts".into(), version: format!("580.1-{tag}") },
        ],
        loaded: States::new(),
        machine: None,
        gpus: 1,
    }
}

fn wanted(modules: &[(&str, Option<&str>)], default_runtime: bool) -> Wanted {
    let module = |(name, parameter): &(&str, Option<&str>)| WantedModule {
        name: (*name).into(),
        parameters: parameter.map(|p| vec![p.to_owned()]),
    };
    Wanted { modules: modules.iter().map(module).collect(), sysctls: BTreeMap::new(), default_runtime }
}

fn decide(mode: ApplyMode, facts: &Facts, wanted: &Wanted, before: Option<&Wanted>, due: bool) -> Delivery {
    let prospect = prospect(facts, wanted, &Record::default(), before).unwrap();
    delivery(mode, facts, &prospect, wanted, due)
}

#[test]
fn modules_go_live_in_every_version() {
    for tag in ["v1.8.0", "v1.13.9", "v1.14.1"] {
        let facts = facts(tag, CONFIG, None);
        let wanted = wanted(&[("nvidia", None)], false);
        assert_eq!(decide(ApplyMode::NoReboot, &facts, &wanted, None, false), Delivery::Live, "{tag}");
        assert_eq!(decide(ApplyMode::Reboot, &facts, &wanted, None, false), Delivery::Live, "{tag}");
        assert_eq!(decide(ApplyMode::Staged, &facts, &wanted, None, false), Delivery::Staged, "{tag}");
    }
}

#[test]
fn the_default_runtime_needs_a_reboot_up_to_1_13_and_is_live_from_1_14() {
    let wanted = wanted(&[("nvidia", None)], true);
    let old = facts("v1.13.9", CONFIG, None);
    assert_eq!(decide(ApplyMode::NoReboot, &old, &wanted, None, false), Delivery::Refused);
    assert_eq!(decide(ApplyMode::Reboot, &old, &wanted, None, false), Delivery::StagedAndReboot);
    let new = facts("v1.14.1", CONFIG, None);
    assert_eq!(decide(ApplyMode::NoReboot, &new, &wanted, None, false), Delivery::Live);
}

#[test]
fn nothing_is_sent_to_a_node_that_has_it() {
    let has_it =
        format!("{}\n", CONFIG.replace("type: worker", "type: worker\n  kernel:\n    modules:\n      - name: nvidia"));
    let facts = facts("v1.13.9", &has_it, Some(&has_it));
    let wanted = wanted(&[("nvidia", None)], false);
    for mode in [ApplyMode::NoReboot, ApplyMode::Staged, ApplyMode::Reboot] {
        assert_eq!(decide(mode, &facts, &wanted, None, false), Delivery::Nothing, "{mode:?}");
    }
    assert_eq!(decide(ApplyMode::Reboot, &facts, &wanted, None, true), Delivery::RebootOnly);
}

#[test]
fn new_parameters_of_a_loaded_module_wait_for_a_boot() {
    let mut facts = facts("v1.13.9", CONFIG, None);
    facts.loaded = States::from([("nvidia".to_owned(), ModuleState::Live)]);
    let wanted = wanted(&[("nvidia", Some("NVreg_X=1"))], false);
    let prospect = prospect(&facts, &wanted, &Record::default(), None).unwrap();
    assert_eq!(prospect.at_next_boot.len(), 1);
    assert_eq!(delivery(ApplyMode::NoReboot, &facts, &prospect, &wanted, false), Delivery::Live);
    assert_eq!(delivery(ApplyMode::Reboot, &facts, &prospect, &wanted, false), Delivery::StagedAndReboot);
}

#[test]
fn a_node_with_the_toolkit_is_not_rebooted_without_the_module_nvidia() {
    let first = facts("v1.13.9", CONFIG, None);
    let before = wanted(&[("nvidia", None)], false);
    let applied = prospect(&first, &before, &Record::default(), None).unwrap().edited;
    let mut facts = facts("v1.13.9", std::str::from_utf8(&applied.bytes).unwrap(), None);
    facts.loaded = States::from([("nvidia".to_owned(), ModuleState::Live)]);
    let nothing = wanted(&[], false);
    let prospect = prospect(&facts, &nothing, &applied.record, Some(&before)).unwrap();
    assert_eq!(prospect.at_next_boot.len(), 1);
    assert_eq!(delivery(ApplyMode::Reboot, &facts, &prospect, &nothing, true), Delivery::Live);
}

#[test]
fn a_node_whose_nvidia_cannot_load_is_not_rebooted_into_a_boot_that_waits_for_it() {
    let mut facts = facts("v1.13.9", CONFIG, None);
    let wanted = wanted(&[("nvidia", None)], true);
    facts.gpus = 0;
    assert_eq!(decide(ApplyMode::Reboot, &facts, &wanted, None, false), Delivery::Staged);
    facts.gpus = 1;
    facts.extensions.pop();
    assert_eq!(decide(ApplyMode::Reboot, &facts, &wanted, None, false), Delivery::Staged);
}

#[test]
fn a_staged_change_that_waits_already_is_not_staged_again_and_one_that_is_taken_back_is() {
    let node = facts("v1.13.9", CONFIG, None);
    let with = wanted(&[("nvidia", None)], false);
    let staged = prospect(&node, &with, &Record::default(), None).unwrap().edited;
    let text = std::str::from_utf8(&staged.bytes).unwrap();
    let waiting = facts("v1.13.9", CONFIG, Some(text));
    let again = prospect(&waiting, &with, &staged.record, None).unwrap();
    assert_eq!(delivery(ApplyMode::Staged, &waiting, &again, &with, true), Delivery::Nothing);
    assert_eq!(delivery(ApplyMode::NoReboot, &waiting, &again, &with, true), Delivery::Live);
    let without = wanted(&[], false);
    let back = prospect(&waiting, &without, &staged.record, Some(&with)).unwrap();
    assert_eq!(delivery(ApplyMode::Staged, &waiting, &back, &without, true), Delivery::Staged);
    assert_eq!(waiting.pending(&staged.record, None, SystemTime::UNIX_EPOCH), Pending::Ours);
}

#[test]
fn a_destroy_up_to_1_13_takes_the_modules_at_once_and_stages_the_file() {
    let node = facts("v1.13.9", CONFIG, None);
    let both = wanted(&[("nvidia", None)], true);
    let applied = prospect(&node, &both, &Record::default(), None).unwrap().edited;
    let text = std::str::from_utf8(&applied.bytes).unwrap();
    let removal_of = |tag: &str| removal(&facts(tag, text, None), &applied.record).unwrap();

    let removal = removal_of("v1.13.9");
    let live = view(&removal.live.bytes, CRI_PLUGIN).unwrap();
    assert!(live.modules.is_empty() && !removal.live.touches_files);
    assert_eq!(live.default_runtime.as_deref(), Some("nvidia"));
    assert_eq!(removal.staged.unwrap().bytes, CONFIG.as_bytes());

    let removal = removal_of("v1.14.1");
    assert!(removal.staged.is_none());
    assert_eq!(removal.live.bytes, CONFIG.as_bytes());
}

#[test]
fn a_create_before_the_boot_that_an_earlier_destroy_waits_for_is_worked_out_on_what_that_boot_takes() {
    let both = wanted(&[("nvidia", None)], true);
    let first = prospect(&facts("v1.13.9", CONFIG, None), &both, &Record::default(), None).unwrap().edited;
    let removal = removal(&facts("v1.13.9", std::str::from_utf8(&first.bytes).unwrap(), None), &first.record).unwrap();
    let live = String::from_utf8(removal.live.bytes).unwrap();
    let node = facts("v1.13.9", &live, Some(CONFIG));
    assert_ne!(node.pending(&Record::default(), None, SystemTime::UNIX_EPOCH), Pending::Ours, "no memory tells it");
    let again = prospect(&node, &both, &Record::default(), None).unwrap();
    assert_eq!(again.edited.bytes, first.bytes);
    assert_eq!(again.edited.record, first.record, "what an earlier patch left is not taken for somebody's");
    for mode in [ApplyMode::NoReboot, ApplyMode::Reboot] {
        assert_eq!(delivery(mode, &node, &again, &both, false), Delivery::Live, "the file is there already: {mode:?}");
    }
    assert_eq!(delivery(ApplyMode::Staged, &node, &again, &both, false), Delivery::Staged);

    let theirs = format!("{CONFIG}# theirs\n");
    let node = facts("v1.13.9", &live, Some(&theirs));
    assert!(node.waiting_removal(&both, &Record::default()).is_none(), "somebody's staged change is not ours");
    let node = facts("v1.13.9", &live, Some(CONFIG));
    assert!(node.waiting_removal(&wanted(&[("nvidia", None)], false), &Record::default()).is_none());
}
