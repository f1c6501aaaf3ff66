//! Who owns which key of which machine, to find two resources that would undo each other. Pure.
//!
//! The protocol does not tell the address of a resource, so a stored one is known by the instance id in its private
//! state, and one that is still to be made only by the fact that each create is planned once a walk.
//!
//! A key may not go from one resource to another within one plan either: Terraform orders neither the plans nor the
//! applies of two resources, and whoever takes a key before the other has given it up would remember ours as somebody's.
//! So what a stored resource has counts for the whole walk, and whoever comes second finds the first.

use std::collections::BTreeSet;

use plugin::Private;

use super::site::{Kin, Site};

/// Whose claim it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// A stored resource.
    Instance(String),
    /// A create of this walk.
    New,
}

impl Owner {
    /// Two creates are two resources.
    fn is_same(&self, other: &Self) -> bool {
        matches!(self, Self::Instance(_)) && self == other
    }
}

/// Keys on a machine.
#[derive(Clone, Debug)]
pub(crate) struct Holding {
    pub(crate) site: Site,
    pub(crate) keys: BTreeSet<String>,
}

impl Holding {
    fn overlap(&self, other: &Self) -> Option<Overlap> {
        let kin = self.site.kin(&other.site);
        if kin == Kin::Two {
            return None;
        }
        let keys: BTreeSet<String> = self.keys.intersection(&other.keys).cloned().collect();
        (!keys.is_empty()).then(|| Overlap { keys, with: other.site.clone(), is_sure: kin == Kin::One })
    }
}

/// Keys that two resources have or want.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Overlap {
    pub(crate) keys: BTreeSet<String>,
    /// Where the other resource is.
    pub(crate) with: Site,
    /// Otherwise only the machines' own answers can tell whether they are one.
    pub(crate) is_sure: bool,
}

/// A stored resource.
#[derive(Debug)]
struct Stored {
    instance: String,
    has: Holding,
    private: Private,
    /// It was planned as itself. One that never is stands to be replaced by a create that Terraform plans without a
    /// prior object: it is tainted.
    is_planned: bool,
}

/// Claims of one plan.
#[derive(Debug, Default)]
pub(crate) struct PlanClaims {
    stored: Vec<Stored>,
    wanted: Vec<(Owner, Holding)>,
}

/// What one call of a plan claims.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) owner: Owner,
    /// What the stored object has.
    pub(crate) has: Option<Holding>,
    /// What is to be had after the apply.
    pub(crate) wants: Option<Holding>,
}

impl PlanClaims {
    /// Notes a stored resource that a refresh has read. Terraform plans the destroy of one that is no longer configured
    /// before it refreshes it (measured with 1.11): what that plan has said stays.
    pub(crate) fn seen(&mut self, instance: &str, has: Holding, private: Private) {
        if self.stored.iter().any(|stored| stored.instance == instance && stored.is_planned) {
            return;
        }
        self.stored.retain(|stored| stored.instance != instance);
        self.stored.push(Stored { instance: instance.to_owned(), has, private, is_planned: false });
    }

    /// Claims, and answers what other resources have or want of it.
    pub(crate) fn plan(&mut self, claim: Claim) -> Vec<Overlap> {
        let Claim { owner, has, wants } = claim;
        let others = |wanted: &&(Owner, Holding)| !wanted.0.is_same(&owner);
        let mut found = Vec::new();
        if let Some(has) = &has {
            found.extend(self.wanted.iter().filter(others).filter_map(|(_, theirs)| has.overlap(theirs)));
        }
        if let Some(wants) = &wants {
            found.extend(self.wanted.iter().filter(others).filter_map(|(_, theirs)| wants.overlap(theirs)));
            let stored = self.stored.iter().filter(|stored| match &owner {
                Owner::Instance(id) => stored.instance != *id,
                // It may be the very one that this create replaces. If it is not, its own plan says so.
                Owner::New => stored.is_planned,
            });
            found.extend(stored.filter_map(|stored| wants.overlap(&stored.has)));
            if owner == Owner::New {
                found.extend(self.taken_from_replaced(&wants.site));
            }
        }
        if let Owner::Instance(id) = &owner {
            self.note_planned(id, has);
        }
        if let Some(wants) = wants {
            self.wanted.retain(|(other, _)| !other.is_same(&owner));
            self.wanted.push((owner, wants));
        }
        found
    }

    /// What stored resources want of one on this machine that is not planned as itself, so that its own plan cannot say it.
    fn taken_from_replaced<'a>(&'a self, site: &'a Site) -> impl Iterator<Item = Overlap> + 'a {
        let replaced = self.stored.iter().filter(|stored| !stored.is_planned && stored.has.site.kin(site) == Kin::One);
        replaced.flat_map(|stored| {
            let others = self.wanted.iter().filter(|(owner, _)| match owner {
                Owner::Instance(id) => *id != stored.instance,
                Owner::New => false,
            });
            others.filter_map(|(_, theirs)| stored.has.overlap(theirs))
        })
    }

    fn note_planned(&mut self, instance: &str, has: Option<Holding>) {
        match self.stored.iter_mut().find(|stored| stored.instance == instance) {
            Some(stored) => {
                stored.is_planned = true;
                stored.has = has.unwrap_or_else(|| stored.has.clone());
            }
            // A plan without a refresh.
            None => self.stored.extend(has.map(|has| Stored {
                instance: instance.to_owned(),
                has,
                private: Private::empty(),
                is_planned: true,
            })),
        }
    }

    /// The nodes and private states of the stored resources that a create may replace.
    pub(crate) fn replaceable(&self) -> Vec<(String, Private)> {
        let left = self.stored.iter().filter(|stored| !stored.is_planned);
        left.map(|stored| (stored.has.site.node.clone(), stored.private.clone())).collect()
    }
}

/// Claims of what this process has applied.
#[derive(Debug, Default)]
pub(crate) struct ApplyClaims(Vec<(String, Holding)>);

impl ApplyClaims {
    /// Claims keys for an instance and answers those that another one has applied.
    pub(crate) fn claim(&mut self, instance: &str, holds: Holding) -> BTreeSet<String> {
        let others = self.0.iter().filter(|(other, _)| other != instance);
        let taken = others.filter_map(|(_, theirs)| holds.overlap(theirs)).filter(|overlap| overlap.is_sure);
        let taken = taken.flat_map(|overlap| overlap.keys).collect();
        self.release(instance);
        self.0.push((instance.to_owned(), holds));
        taken
    }

    /// Gives back what an instance has claimed.
    pub(crate) fn release(&mut self, instance: &str) {
        self.0.retain(|(other, _)| other != instance);
    }

    /// Notes that a machine has booted: whoever is on it is from now on in another boot.
    pub(crate) fn booted(&mut self, before: &str, now: &str) {
        let there = self.0.iter_mut().filter(|(_, holds)| holds.site.boot.as_deref() == Some(before));
        there.for_each(|(_, holds)| holds.site.boot = Some(now.to_owned()));
    }
}

#[cfg(test)]
#[path = "claims_tests.rs"]
mod tests;
