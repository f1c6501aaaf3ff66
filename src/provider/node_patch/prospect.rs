//! What a change would do to a node as it is now, and how it is to be brought there. Pure.

use std::time::SystemTime;

use talos::{
    TalosVersion,
    machine_config::{
        self, DefaultRuntime, Desired, EditError, Edited, Record, View, edit, same_but_for, same_files, view,
    },
};

use super::model::{ApplyMode, CRI_PLUGIN, Wanted, backend};
use crate::{
    extensions::Extension,
    kernel_modules::{ModuleState, States, kernel_name},
    pending::{self, Active, Pending, Persisted},
};

/// A machine configuration as the node hands it out.
#[derive(Clone, Debug)]
pub(crate) struct ConfigFact {
    pub(crate) bytes: talos::ConfigBytes,
    /// 1 after a boot, one more with each apply.
    pub(crate) version: u64,
    pub(crate) updated: SystemTime,
}

/// What is known of the configuration that the next boot takes.
#[derive(Clone, Debug)]
pub(crate) enum PersistedFact {
    Resource(ConfigFact),
    File(talos::ConfigBytes),
    NotSince,
    Unseen,
}

impl PersistedFact {
    pub(crate) fn as_persisted(&self) -> Persisted<'_> {
        match self {
            Self::Resource(fact) => Persisted::Resource { bytes: fact.bytes.expose(), updated: fact.updated },
            Self::File(bytes) => Persisted::File(bytes.expose()),
            Self::NotSince => Persisted::NotSince,
            Self::Unseen => Persisted::Unseen,
        }
    }

    /// The bytes that the next boot takes, where they can be seen.
    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Resource(fact) => Some(fact.bytes.expose()),
            Self::File(bytes) => Some(bytes.expose()),
            Self::NotSince | Self::Unseen => None,
        }
    }
}

/// A node as it is while a change is planned or applied.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) tag: String,
    pub(crate) version: TalosVersion,
    pub(crate) active: ConfigFact,
    pub(crate) persisted: PersistedFact,
    pub(crate) extensions: Vec<Extension>,
    pub(crate) loaded: States,
    /// uuid of SystemInformation; some machines have none.
    pub(crate) machine: Option<String>,
    /// NVIDIA's PCI devices.
    pub(crate) gpus: usize,
}

impl Facts {
    /// `machine.files` is written at boot only.
    pub(crate) fn files_need_reboot(&self) -> bool {
        self.version.minor() <= (1, 13)
    }

    /// Whether the next boot takes these bytes, as far as can be seen; what cannot is taken for other bytes while a change
    /// of ours waits.
    pub(super) fn next_boot_has(&self, bytes: &[u8], waits: bool) -> bool {
        match &self.persisted {
            PersistedFact::Unseen => !waits,
            other => other.bytes().is_none_or(|next| next == bytes),
        }
    }

    /// Whether a boot with the module `nvidia` wanted or not comes to its end: with the toolkit installed it waits for that
    /// module (talos-api facts, 0.5 and E.5).
    fn boot_is_safe(&self, wanted: &Wanted) -> bool {
        let is_live = self.loaded.get("nvidia") == Some(&ModuleState::Live);
        let can_load = self.gpus > 0 && crate::extensions::problems(&self.extensions, &self.tag).is_empty();
        crate::extensions::toolkit(&self.extensions).is_none() || (wanted.has_module("nvidia") && (is_live || can_load))
    }

    /// The same node with another active configuration, to work a change out on it. What the next boot takes goes with
    /// it where the two were the same.
    pub(super) fn as_if_active(&self, bytes: &talos::ConfigBytes) -> Self {
        let mut other = self.clone();
        match &mut other.persisted {
            PersistedFact::Resource(persisted) if persisted.bytes == self.active.bytes => {
                persisted.bytes = bytes.clone()
            }
            PersistedFact::File(persisted) if *persisted == self.active.bytes => *persisted = bytes.clone(),
            _ => {}
        }
        other.active.bytes = bytes.clone();
        other
    }

    /// The configuration that the next boot takes, where a create is to be worked out on that one: up to Talos 1.13 the
    /// destroy of an earlier patch leaves its default runtime to the next boot, so the active configuration still holds
    /// what is no longer anybody's. It is told by the two being the same but for what is wanted.
    pub(super) fn waiting_removal(&self, wanted: &Wanted, record: &Record) -> Option<&[u8]> {
        let (active, next) = (self.active.bytes.expose(), self.persisted.bytes()?);
        let is_ours = || same_but_for(active, next, &wanted.desired());
        (record.has_no_keys() && wanted.default_runtime && active != next && is_ours()).then_some(next)
    }

    /// What waits on the node beside the active configuration.
    /// `before` is the record from before our own staged change, by which the active configuration is to be read.
    pub(super) fn pending(&self, record: &Record, before: Option<&Record>, now: SystemTime) -> Pending {
        let active =
            Active { bytes: self.active.bytes.expose(), version: self.active.version, updated: self.active.updated };
        let strip = |bytes: &[u8], record: &Record| {
            edit(bytes, &Desired::default(), record, backend(&self.version)).map(|edited| edited.bytes)
        };
        let same = |a: &[u8], before: &Record, b: &[u8]| matches!((strip(a, before), strip(b, record)), (Ok(a), Ok(b)) if a == b);
        pending::judge(active, self.persisted.as_persisted(), now, |a, b| {
            same(a, record, b) || before.is_some_and(|before| same(a, before, b))
        })
    }
}

/// A change worked out on the node's present configuration.
#[derive(Clone, Debug)]
pub(super) struct Prospect {
    pub(super) edited: Edited,
    /// Talos refuses the change without a reboot, for these reasons.
    pub(super) needs_reboot: Vec<String>,
    /// Talos takes it, and the kernel follows at the next boot, for these reasons.
    pub(super) at_next_boot: Vec<String>,
}

/// Works out `wanted` on the active configuration. `before` is what the last apply wanted.
///
/// # Errors
/// When the configuration cannot be edited exactly.
pub(super) fn prospect(
    facts: &Facts,
    wanted: &Wanted,
    record: &Record,
    before: Option<&Wanted>,
) -> Result<Prospect, EditError> {
    let bytes = facts.active.bytes.expose();
    let base = facts.waiting_removal(wanted, record).unwrap_or(bytes);
    let edited = edit(base, &wanted.desired(), record, backend(&facts.version))?;
    let now = view(bytes, CRI_PLUGIN)?;
    let then = view(&edited.bytes, CRI_PLUGIN)?;
    let needs_reboot = if facts.files_need_reboot() && !same_files(bytes, &edited.bytes) {
        vec!["the default runtime in machine.files".to_owned()]
    } else {
        Vec::new()
    };
    let at_next_boot = waits_for_boot(wanted, before, &facts.loaded, &now, &then);
    Ok(Prospect { edited, needs_reboot, at_next_boot })
}

fn waits_for_boot(wanted: &Wanted, before: Option<&Wanted>, loaded: &States, now: &View, then: &View) -> Vec<String> {
    let is_loaded = |name: &str| matches!(loaded.get(name), Some(ModuleState::Live | ModuleState::Loading));
    let parameters = |view: &View, name: &str| view.modules.get(name).map(|m| m.parameters.clone()).unwrap_or_default();
    let changed = wanted
        .modules
        .iter()
        .map(|m| kernel_name(&m.name))
        .filter(|name| is_loaded(name) && parameters(now, name) != parameters(then, name))
        .map(|name| format!("the parameters of module {name}, which is loaded"));
    let removed = before
        .into_iter()
        .flat_map(|before| before.modules.iter().map(|m| kernel_name(&m.name)))
        .filter(|name| is_loaded(name) && now.modules.contains_key(name) && !then.modules.contains_key(name))
        .map(|name| format!("module {name}, which is no longer configured and stays loaded"));
    changed.chain(removed).collect()
}

/// How a change is brought to the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// The node has it.
    Nothing,
    /// At once, without a reboot.
    Live,
    /// For the next boot.
    Staged,
    /// For the next boot, which is brought about.
    StagedAndReboot,
    /// The node has it; a boot is brought about for what waits.
    RebootOnly,
    /// Talos would need a reboot and the mode allows none.
    Refused,
}

impl Delivery {
    /// Whether a configuration is sent.
    pub(super) fn sends(self) -> bool {
        matches!(self, Self::Live | Self::Staged | Self::StagedAndReboot)
    }

    /// Whether the configuration is for the next boot.
    pub(super) fn stages(self) -> bool {
        matches!(self, Self::Staged | Self::StagedAndReboot)
    }

    /// Whether a reboot is part of it.
    pub(super) fn reboots(self) -> bool {
        matches!(self, Self::StagedAndReboot | Self::RebootOnly)
    }
}

/// Chooses the delivery. `boot_due`: an earlier change of this resource still waits for a boot.
pub(super) fn delivery(
    mode: ApplyMode,
    facts: &Facts,
    prospect: &Prospect,
    wanted: &Wanted,
    boot_due: bool,
) -> Delivery {
    let target = prospect.edited.bytes.as_slice();
    let active_has_it = facts.active.bytes.expose() == target;
    let boot_has_it = facts.next_boot_has(target, boot_due);
    let boot_is_safe = facts.boot_is_safe(wanted);
    match mode {
        ApplyMode::Staged if active_has_it && boot_has_it => Delivery::Nothing,
        ApplyMode::Staged if !active_has_it && facts.persisted.bytes() == Some(target) => Delivery::Nothing,
        ApplyMode::Staged => Delivery::Staged,
        ApplyMode::NoReboot | ApplyMode::Reboot if active_has_it && boot_has_it => {
            if mode == ApplyMode::Reboot && boot_due && boot_is_safe { Delivery::RebootOnly } else { Delivery::Nothing }
        }
        ApplyMode::NoReboot if prospect.needs_reboot.is_empty() => Delivery::Live,
        ApplyMode::NoReboot => Delivery::Refused,
        ApplyMode::Reboot => {
            let wants_boot = !prospect.needs_reboot.is_empty() || !prospect.at_next_boot.is_empty() || boot_due;
            if wants_boot && boot_is_safe {
                Delivery::StagedAndReboot
            } else if prospect.needs_reboot.is_empty() {
                Delivery::Live
            } else {
                Delivery::Staged
            }
        }
    }
}

/// The two steps of a destroy: what goes at once, and what has to be staged behind it.
#[derive(Clone, Debug)]
pub(super) struct Removal {
    /// The configuration to apply without a reboot.
    pub(super) live: Edited,
    /// The whole removal, where `machine.files` has to be staged.
    pub(super) staged: Option<Edited>,
}

/// Works out how everything that `record` holds is taken back.
///
/// # Errors
/// When the configuration cannot be edited exactly.
pub(super) fn removal(facts: &Facts, record: &Record) -> Result<Removal, EditError> {
    let bytes = facts.active.bytes.expose();
    let all = edit(bytes, &Desired::default(), record, backend(&facts.version))?;
    if !(all.touches_files && facts.files_need_reboot()) {
        return Ok(Removal { live: all, staged: None });
    }
    // Everything but the runtime goes live: wanting just the runtime takes back the rest. What stands there is kept to
    // the letter by wanting the value that the configuration has.
    let standing = view(bytes, CRI_PLUGIN)?.default_runtime;
    let only_runtime = Desired {
        default_runtime: standing.map(|name| DefaultRuntime { cri_plugin: CRI_PLUGIN.to_owned(), name }),
        ..Desired::default()
    };
    let live = edit(bytes, &only_runtime, record, machine_config::Backend::V1Alpha1)?;
    let staged = edit(&live.bytes, &Desired::default(), &live.record, backend(&facts.version))?;
    Ok(Removal { live, staged: Some(staged) })
}

#[cfg(test)]
#[path = "prospect_tests.rs"]
mod tests;
