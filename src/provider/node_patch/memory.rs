//! What the resource remembers in Terraform's private state, and what a replacement carries on of it.

use std::collections::{BTreeMap, BTreeSet};

use plugin::{Private, Value};
use serde::{Deserialize, Serialize};
use talos::machine_config::{Backend, Record};

use super::{
    model::{Wanted, keys},
    patch_text,
};

/// Why part of a change is not in force yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Waiting {
    /// The whole change was staged.
    Staged,
    /// The configuration is active, and the kernel takes part of it at boot.
    NextBoot,
}

/// A change that waits for the node's next boot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PendingReboot {
    pub(super) kind: Waiting,
    /// The boot in which the change was made; another one ends the waiting.
    pub(super) boot_id: Option<String>,
}

/// What the resource keeps in Terraform's private state: no secret, no fragment of the configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Memory {
    /// Form of this record.
    pub(super) version: u32,
    /// Tells resources of one node apart; made at create.
    pub(super) instance: String,
    /// The machine's uuid (SystemInformation): another machine at the same address is not patched.
    pub(super) machine: Option<String>,
    /// What stood in the configuration before, key by key.
    pub(super) record: Record,
    /// What the last apply wanted; Read looks for exactly this.
    pub(super) applied: Wanted,
    /// The sysctls that an absent attribute stands for, chosen at create.
    pub(super) default_sysctls: BTreeMap<String, String>,
    /// Set while part of the change waits for a boot.
    pub(super) pending: Option<PendingReboot>,
    /// The record from before the staged change that waits: the active configuration is to be read by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) staged_over: Option<Record>,
    /// The node may hold only part of what was sent last, or more than `applied` says: the next plan puts it right.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) unverified: bool,
}

/// The form that this release writes.
pub(super) const VERSION: u32 = 1;

/// A memory in a form that this release does not know: a newer one wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NewerForm(pub(super) u32);

impl Memory {
    /// A first memory of an object that has put `applied` on a machine.
    pub(super) fn new(instance: String, machine: Option<String>, record: Record, applied: Wanted) -> Self {
        Self {
            version: VERSION,
            instance,
            machine,
            record,
            default_sysctls: applied.sysctls.clone(),
            applied,
            pending: None,
            staged_over: None,
            unverified: false,
        }
    }

    /// What was remembered. `None`: nothing was, or not by this provider.
    ///
    /// # Errors
    /// When it has a form that this release does not know.
    pub(super) fn of(private: &Private) -> Result<Option<Self>, NewerForm> {
        /// What every form has.
        #[derive(Deserialize)]
        struct Form {
            version: u32,
        }
        match private.get::<Form>() {
            Ok(Some(form)) if form.version > VERSION => Err(NewerForm(form.version)),
            _ => Ok(private.get::<Self>().ok().flatten().filter(|memory| memory.version == VERSION)),
        }
    }

    /// For Terraform to keep.
    pub(super) fn to_private(&self) -> Private {
        // A map with string keys always has a JSON form.
        Private::of(self).unwrap_or_default()
    }

    /// Everything of the node that is this object's to take back, or to keep: also what was sent and never seen there.
    pub(super) fn keys(&self) -> BTreeSet<String> {
        let record = &self.record;
        let sent = keys(record.modules(), record.sysctls(), record.default_runtime().is_some());
        sent.into_iter().chain(self.applied.keys()).collect()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_false(value: &bool) -> bool {
    !*value
}

/// What the plan of a create carries on: the memories of stored objects that it may replace.
///
/// Terraform plans the replacement of a tainted object as a create without private state, and gives the destroy that
/// comes before it what that plan returned (measured with Terraform 1.11 and OpenTofu 1.12). The plan cannot tell which
/// object it replaces, if any; the destroy can, since it knows the stored object.
#[derive(Debug, Serialize, Deserialize)]
struct Carried {
    carried: Vec<Former>,
}

/// A stored object that a create may replace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Former {
    /// Not known of one that was planned with its own memory.
    node: Option<String>,
    pub(super) memory: Memory,
}

/// What a create is to carry on. Nothing when there is nothing that it could replace.
pub(super) fn carry(replaceable: Vec<(String, Private)>) -> Private {
    let former =
        |(node, private): (String, Private)| Some(Former { node: Some(node), memory: Memory::of(&private).ok()?? });
    let carried: Vec<_> = replaceable.into_iter().filter_map(former).collect();
    if carried.is_empty() { Private::empty() } else { Private::of(&Carried { carried }).unwrap_or_default() }
}

/// The objects that a create may replace: one that was planned with its own memory, or those that the plan carried.
///
/// # Errors
/// When one has a form that this release does not know.
pub(super) fn formers(private: &Private) -> Result<Vec<Former>, NewerForm> {
    match private.get::<Carried>() {
        Ok(Some(Carried { carried })) => Ok(carried),
        _ => Ok(Memory::of(private)?.map(|memory| Former { node: None, memory }).into_iter().collect()),
    }
}

/// The memory of a stored object that is to be destroyed, also where a create carried it.
///
/// # Errors
/// When it has a form that this release does not know.
pub(super) fn of_stored(prior: &Value, private: &Private) -> Result<Option<Memory>, NewerForm> {
    let Ok(Some(Carried { carried })) = private.get::<Carried>() else { return Memory::of(private) };
    let mut own = carried.into_iter().filter(|former| former.is_of(prior)).map(|former| former.memory);
    Ok(own.next().filter(|_| own.next().is_none()))
}

impl Former {
    /// Whether it was made where a create now works. Clones share a uuid, and some machines have none, so the address
    /// counts too.
    pub(super) fn is_at(&self, node: &str, machine: Option<&String>) -> bool {
        self.memory.machine.as_ref() == machine && self.node.as_ref().is_none_or(|own| own == node)
    }

    /// Two objects of one node own different keys, so the patch that they put there tells them apart.
    fn is_of(&self, prior: &Value) -> bool {
        let patch = |backend| Value::from(patch_text::patch(&self.memory.applied, backend));
        prior.get("node").string().known() == self.node.as_deref()
            && [Backend::V1Alpha1, Backend::Documents].into_iter().any(|backend| prior.get("patch") == &patch(backend))
    }
}

/// A name for a new resource that no other resource has: two of them are made far apart in time or in the same process.
pub(super) fn new_instance() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static MADE: AtomicU64 = AtomicU64::new(0);
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("{:x}-{:x}-{:x}", since.as_nanos(), std::process::id(), MADE.fetch_add(1, Ordering::Relaxed))
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
