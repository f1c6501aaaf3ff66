//! What a plan claims of a machine, and what is said when two resources claim the same.

use plugin::{Diagnostics, PlanRequest, Value};

use super::{Target, memory::Memory, plan::Decision};
use crate::{
    nodes::{Claim, Holding, Nodes, Overlap, Owner, Site},
    texts::Say,
};

/// A planned create or update.
pub(super) struct Claimed<'a> {
    pub(super) request: &'a PlanRequest,
    pub(super) decision: &'a Decision,
    pub(super) memory: Option<&'a Memory>,
    /// The machine at the planned node, where it was asked.
    pub(super) machine: Option<String>,
}

impl Claimed<'_> {
    /// Claims what the plan has and wants, and says what of it another resource has or wants.
    pub(super) async fn check(self, nodes: &Nodes, diagnostics: &mut Diagnostics) {
        let wants = Target::from(&self.decision.planned).zip(self.decision.wanted.as_ref()).map(|(target, wanted)| {
            let known = self.memory.filter(|_| self.is_in_place()).and_then(|memory| memory.machine.clone());
            Holding { site: site(&target, self.machine.clone().or(known).as_deref()), keys: wanted.keys() }
        });
        let has = self.request.prior.as_ref().zip(self.memory).and_then(|(prior, memory)| held(prior, memory));
        // The old object of a replacement is planned first, with its own memory; the new one then comes without a prior.
        let owner = self.memory.map_or(Owner::New, |memory| Owner::Instance(memory.instance.clone()));
        claim(nodes, Claim { owner, has, wants }, diagnostics).await;
    }

    fn is_in_place(&self) -> bool {
        self.request.prior.as_ref().is_some_and(|prior| prior.get("node") == self.decision.planned.get("node"))
    }
}

/// What a stored object has on its machine.
pub(super) fn held(object: &Value, memory: &Memory) -> Option<Holding> {
    let target = Target::from(object)?;
    Some(Holding { site: site(&target, memory.machine.as_deref()), keys: memory.keys() })
}

fn site(target: &Target, uuid: Option<&str>) -> Site {
    Site::new(&target.node, target.endpoint.as_deref()).with_uuid(uuid)
}

/// Claims, and says what another resource has or wants of it. Two addresses whose machines have one uuid are asked for
/// their boots: whether clones share a uuid or a machine has two names is not to be guessed.
pub(super) async fn claim(nodes: &Nodes, claim: Claim, diagnostics: &mut Diagnostics) {
    let Some(here) = claim.wants.as_ref().or(claim.has.as_ref()).map(|holding| holding.site.clone()) else { return };
    let overlaps = nodes.planned(|claims| claims.plan(claim));
    let mut say = Say { node: &here.node, diagnostics };
    let mut sure: Vec<Overlap> = Vec::new();
    for overlap in overlaps {
        match is_one(nodes, &here, &overlap).await {
            Some(true) => sure.push(overlap),
            Some(false) => {}
            None => say.perhaps_one_machine(&overlap.with.node),
        }
    }
    let Some(first) = sure.first() else { return };
    let keys: Vec<String> = sure
        .iter()
        .flat_map(|overlap| overlap.keys.clone())
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .collect();
    let other = Some(first.with.node.as_str()).filter(|other| *other != here.node);
    say.owned_twice(&keys, other);
}

/// Whether both resources are on one machine; `None` when that cannot be told.
async fn is_one(nodes: &Nodes, here: &Site, overlap: &Overlap) -> Option<bool> {
    if overlap.is_sure {
        return Some(true);
    }
    let boot = async |site: &Site| {
        let snapshot = nodes.snapshot(&site.node, site.endpoint.as_deref()).ok()?;
        snapshot.boot().await.ok()?.cloned()
    };
    let (one, other) = tokio::join!(boot(here), boot(&overlap.with));
    Some(one? == other?)
}
