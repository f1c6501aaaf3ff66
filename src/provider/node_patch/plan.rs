//! What a plan says: a pure function of configuration, prior state and private state.
//!
//! Terraform plans twice, and the second plan may only fill in what the first left unknown, so nothing that a live node
//! answers may reach a planned value (design, 2).

use plugin::{Field, PlanRequest, Value};
use talos::TalosVersion;

use super::{
    memory::Memory,
    model::{ApplyMode, Wanted, backend, sysctls_value, waits},
    patch_text,
};
use crate::kernel_modules::{ModuleState, kernel_name};

/// What an apply of the plan would do on the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing: no call is made for it, in the plan or in the apply.
    None,
    /// A new patch.
    Create,
    /// A change of the configuration, a wait for modules, or a reboot that is due.
    Change,
}

/// A planned object and what it means.
#[derive(Clone, Debug)]
pub(super) struct Decision {
    pub(super) planned: Value,
    pub(super) effect: Effect,
    /// What is wanted; `None` while part of it is unknown. Without sysctls when those are still to be chosen.
    pub(super) wanted: Option<Wanted>,
    /// The node's version chooses the sysctls.
    pub(super) chooses_sysctls: bool,
}

/// Decides a plan. `memory` is what the last apply left.
pub(super) fn decide(request: &PlanRequest, memory: Option<&Memory>) -> Decision {
    match (&request.prior, memory) {
        (Some(prior), Some(memory)) if same_node(prior, &request.planned) => update(request, prior, memory),
        // A replacement is first planned against the old object; the create that follows is planned anew.
        _ => create(request),
    }
}

fn same_node(prior: &Value, planned: &Value) -> bool {
    prior.get("node") == planned.get("node")
}

fn create(request: &PlanRequest) -> Decision {
    let mut planned = request.planned.clone();
    planned.set("id", planned.get("node").clone());
    for name in ["talos_version", "patch", "pending_reboot", "module_state"] {
        planned.set(name, Value::unknown());
    }
    let chooses_sysctls = request.config.get("sysctls").is_null();
    planned.set("sysctls", if chooses_sysctls { Value::Null } else { request.config.get("sysctls").clone() });
    let wanted = Wanted::from(&planned);
    if chooses_sysctls {
        // Depends on the node's version, which the plan of a create does not know.
        planned.set("sysctls", Value::unknown());
    }
    Decision { planned, effect: Effect::Create, wanted, chooses_sysctls }
}

fn update(request: &PlanRequest, prior: &Value, memory: &Memory) -> Decision {
    let mut planned = request.planned.clone();
    for name in ["id", "talos_version", "patch", "pending_reboot", "module_state"] {
        planned.set(name, prior.get(name).clone());
    }
    if request.config.get("sysctls").is_null() {
        planned.set("sysctls", sysctls_value(&memory.default_sysctls));
    }
    let Some(wanted) = Wanted::from(&planned) else {
        for name in ["patch", "pending_reboot", "module_state"] {
            planned.set(name, Value::unknown());
        }
        return Decision { planned, effect: Effect::Change, wanted: None, chooses_sysctls: false };
    };

    let mode = ApplyMode::from(&planned);
    let was_pending = prior.get("pending_reboot") == &Value::Bool(true);
    let edits = Wanted::from(prior).is_none_or(|observed| !observed.same(&wanted))
        || !memory.applied.same(&wanted)
        || memory.unverified;
    // A boot without `nvidia` does not finish where the toolkit is installed (talos-api facts, 0.5), so only a patch
    // that keeps it is followed by a reboot.
    let reboots = mode == ApplyMode::Reboot && was_pending && wanted.has_module("nvidia");
    // Under `reboot` a change that needs a boot is staged alone where a boot without `nvidia` would not finish.
    let may_only_stage = mode == ApplyMode::Staged || (mode == ApplyMode::Reboot && !wanted.has_module("nvidia"));
    let expects_live = waits(&planned) && !may_only_stage && (!was_pending || reboots);
    let live = live_state(&wanted);
    let waits_for_modules = expects_live && respelled(prior.get("module_state"), &wanted) != live;

    if memory.applied != wanted {
        planned.set("patch", patch_of(&wanted, prior.get("talos_version")));
    }
    if !(edits || reboots || waits_for_modules) {
        planned.set("module_state", respelled(prior.get("module_state"), &wanted));
        return Decision { planned, effect: Effect::None, wanted: Some(wanted), chooses_sysctls: false };
    }
    planned.set("module_state", if expects_live { live } else { Value::unknown() });
    planned.set("pending_reboot", if reboots && !edits { Value::Bool(false) } else { Value::unknown() });
    Decision { planned, effect: Effect::Change, wanted: Some(wanted), chooses_sysctls: false }
}

/// The same states under the names that are wanted: `nvidia-uvm` and `nvidia_uvm` are one module.
fn respelled(states: &Value, wanted: &Wanted) -> Value {
    let Field::Known(entries) = states.entries() else { return states.clone() };
    let state_of =
        |name: &str| entries.iter().find(|(key, _)| kernel_name(key) == kernel_name(name)).map(|(_, v)| v.clone());
    Value::map(wanted.modules.iter().filter_map(|m| Some((m.name.clone(), state_of(&m.name)?))))
}

/// Every wanted module live: what an apply that waits ends with.
pub(super) fn live_state(wanted: &Wanted) -> Value {
    Value::map(wanted.modules.iter().map(|m| (m.name.clone(), Value::from(ModuleState::Live.as_str()))))
}

fn patch_of(wanted: &Wanted, talos_version: &Value) -> Value {
    talos_version
        .string()
        .known()
        .and_then(|tag| tag.parse::<TalosVersion>().ok())
        .map_or_else(Value::unknown, |version| Value::from(patch_text::patch(wanted, backend(&version))))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use plugin::Private;
    use talos::machine_config::Record;

    use super::super::model::{WantedModule, module_value};
    use super::*;

    fn wanted(modules: &[&str]) -> Wanted {
        Wanted {
            modules: modules.iter().map(|m| WantedModule { name: (*m).into(), parameters: None }).collect(),
            sysctls: BTreeMap::new(),
            default_runtime: false,
        }
    }

    fn modules_value(modules: &[WantedModule]) -> Value {
        Value::List(modules.iter().map(module_value).collect())
    }

    fn memory(applied: Wanted) -> Memory {
        Memory { default_sysctls: BTreeMap::new(), ..Memory::new("a".into(), None, Record::default(), applied) }
    }

    /// A refreshed state in which `present` stand in the configuration and `live` are loaded.
    fn state(present: &[&str], live: &[(&str, &str)]) -> Value {
        Value::object([
            ("node", Value::from("10.0.0.5")),
            ("kernel_modules", modules_value(&wanted(present).modules)),
            ("sysctls", Value::map::<String>([])),
            ("default_runtime", Value::from(false)),
            ("apply_mode", Value::from("no_reboot")),
            ("wait_for_modules", Value::from(true)),
            ("id", Value::from("10.0.0.5")),
            ("talos_version", Value::from("v1.13.9")),
            ("patch", Value::from("as it was")),
            ("pending_reboot", Value::from(false)),
            ("module_state", Value::map(live.iter().map(|(k, v)| (*k, Value::from(*v))))),
        ])
    }

    fn plan(prior: Value, change: &[(&str, Value)], applied: &[&str]) -> Decision {
        let mut planned = prior.clone();
        planned.set("kernel_modules", modules_value(&wanted(applied).modules));
        for (name, value) in change {
            planned.set(name, value.clone());
        }
        let mut config = planned.clone();
        config.set("sysctls", Value::Null);
        let request = PlanRequest { config, prior: Some(prior), planned, private: Private::empty() };
        decide(&request, Some(&memory(wanted(applied))))
    }

    #[test]
    fn nothing_changes_when_the_node_is_as_applied() {
        let prior = state(&["nvidia"], &[("nvidia", "live")]);
        let decision = plan(prior.clone(), &[], &["nvidia"]);
        assert_eq!((decision.effect, decision.planned), (Effect::None, prior));
    }

    #[test]
    fn a_change_that_ended_unverified_is_planned_anew_though_nothing_differs() {
        let prior = state(&["nvidia"], &[("nvidia", "live")]);
        let memory = Memory { unverified: true, ..memory(wanted(&["nvidia"])) };
        let mut config = prior.clone();
        config.set("sysctls", Value::Null);
        let request = PlanRequest { config, prior: Some(prior.clone()), planned: prior, private: Private::empty() };
        let decision = decide(&request, Some(&memory));
        assert_eq!(decision.effect, Effect::Change);
        assert!(
            decision.planned.get("pending_reboot").is_unknown(),
            "something has to differ for an update to be planned"
        );
    }

    #[test]
    fn a_local_attribute_changes_without_an_effect_on_the_node() {
        let decision =
            plan(state(&["nvidia"], &[("nvidia", "live")]), &[("on_destroy", Value::from("keep"))], &["nvidia"]);
        assert_eq!(decision.effect, Effect::None);
    }

    #[test]
    fn a_module_gone_from_the_configuration_is_an_edit() {
        let decision = plan(state(&[], &[("nvidia", "live")]), &[], &["nvidia"]);
        assert_eq!(decision.effect, Effect::Change);
        assert_eq!(decision.planned.get("patch"), &Value::from("as it was"));
        assert_eq!(decision.planned.get("module_state"), &live_state(&wanted(&["nvidia"])));
    }

    #[test]
    fn a_module_that_is_not_live_shows_on_module_state() {
        let prior = state(&["nvidia"], &[("nvidia", "not loaded")]);
        let decision = plan(prior.clone(), &[], &["nvidia"]);
        assert_eq!(decision.effect, Effect::Change);
        assert_eq!(decision.planned.get("module_state"), &live_state(&wanted(&["nvidia"])));
        for (name, value) in [("wait_for_modules", Value::from(false)), ("apply_mode", Value::from("staged"))] {
            let decision = plan(prior.clone(), &[(name, value)], &["nvidia"]);
            assert_eq!(decision.effect, Effect::None, "{name}");
        }
    }

    #[test]
    fn while_a_reboot_is_pending_modules_are_not_expected_live() {
        let mut prior = state(&["nvidia"], &[("nvidia", "not loaded")]);
        prior.set("pending_reboot", Value::from(true));
        assert_eq!(plan(prior.clone(), &[], &["nvidia"]).effect, Effect::None);
        let decision = plan(prior, &[("apply_mode", Value::from("reboot"))], &["nvidia"]);
        assert_eq!(decision.effect, Effect::Change);
        assert_eq!(decision.planned.get("pending_reboot"), &Value::Bool(false));
    }

    #[test]
    fn a_pending_reboot_is_not_made_when_the_patch_no_longer_holds_nvidia() {
        let mut prior = state(&["nvidia_fs"], &[("nvidia_fs", "live")]);
        prior.set("pending_reboot", Value::from(true));
        assert_eq!(plan(prior, &[("apply_mode", Value::from("reboot"))], &["nvidia_fs"]).effect, Effect::None);
    }

    #[test]
    fn another_order_or_spelling_is_nothing_to_the_node_and_shows_in_the_patch() {
        let prior = state(&["nvidia", "nvidia_uvm"], &[("nvidia", "live"), ("nvidia_uvm", "live")]);
        let other = modules_value(&wanted(&["nvidia-uvm", "nvidia"]).modules);
        let decision = plan(prior, &[("kernel_modules", other)], &["nvidia", "nvidia_uvm"]);
        assert_eq!(decision.effect, Effect::None);
        assert_eq!(decision.planned.get("module_state"), &live_state(&wanted(&["nvidia-uvm", "nvidia"])));
        assert!(decision.planned.get("patch").string().known().is_some_and(|p| p.contains("nvidia-uvm")));
    }

    #[test]
    fn a_new_module_changes_the_planned_patch() {
        let prior = state(&["nvidia"], &[("nvidia", "live")]);
        let both = modules_value(&wanted(&["nvidia", "nvidia_fs"]).modules);
        let decision = plan(prior, &[("kernel_modules", both)], &["nvidia"]);
        assert!(decision.planned.get("patch").string().known().is_some_and(|p| p.contains("nvidia_fs")));
    }

    #[test]
    fn the_remembered_default_is_planned_and_not_what_the_node_has() {
        let prior = state(&["nvidia"], &[("nvidia", "live")]);
        let mut config = prior.clone();
        config.set("sysctls", Value::Null);
        let mut planned = prior.clone();
        planned.set("sysctls", Value::unknown());
        let mut memory = memory(wanted(&["nvidia"]));
        memory.default_sysctls = BTreeMap::from([("a.b".to_owned(), "1".to_owned())]);
        let request = PlanRequest { config, prior: Some(prior), planned, private: Private::empty() };
        let decision = decide(&request, Some(&memory));
        assert_eq!(decision.planned.get("sysctls"), &Value::map([("a.b", Value::from("1"))]));
        assert_eq!(decision.effect, Effect::Change);
    }

    #[test]
    fn a_create_leaves_open_what_depends_on_the_node() {
        let mut config = state(&["nvidia"], &[]);
        config.set("sysctls", Value::Null);
        let request = PlanRequest { config: config.clone(), prior: None, planned: config, private: Private::empty() };
        let decision = decide(&request, None);
        assert_eq!(decision.effect, Effect::Create);
        for name in ["sysctls", "talos_version", "patch", "pending_reboot", "module_state"] {
            assert!(decision.planned.get(name).is_unknown(), "{name}");
        }
        assert_eq!(decision.planned.get("id"), &Value::from("10.0.0.5"));
        assert!(decision.chooses_sysctls && decision.wanted.is_some(), "the node can be checked at plan all the same");
    }
}
