//! Who owns which key of which node, to find two resources that would undo each other. Pure.
//!
//! The protocol does not tell the address of a resource, so a stored resource is known by the instance id in its
//! private state, and one that is still to be made only by the fact that each create is planned once a walk.

use std::collections::{BTreeMap, BTreeSet};

/// Whose claim it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// A stored resource.
    Instance(String),
    /// A create of this walk.
    New,
}

/// Claims on the keys of nodes.
#[derive(Debug, Default)]
pub(crate) struct Claims(BTreeMap<String, Vec<(Owner, BTreeSet<String>)>>);

impl Claims {
    /// Claims `keys` of a node and answers those that another owner has claimed before.
    pub(crate) fn claim(&mut self, node: &str, owner: &Owner, keys: BTreeSet<String>) -> Vec<String> {
        let claims = self.0.entry(node.to_owned()).or_default();
        let is_same = |other: &Owner| matches!(owner, Owner::Instance(_)) && other == owner;
        let taken: BTreeSet<String> = claims
            .iter()
            .filter(|(other, _)| !is_same(other))
            .flat_map(|(_, theirs)| theirs.intersection(&keys).cloned())
            .collect();
        claims.retain(|(other, _)| !is_same(other));
        claims.push((owner.clone(), keys));
        taken.into_iter().collect()
    }

    /// Gives back what an instance has claimed.
    pub(crate) fn release(&mut self, instance: &str) {
        for claims in self.0.values_mut() {
            claims.retain(|(owner, _)| !matches!(owner, Owner::Instance(id) if id == instance));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|n| (*n).to_owned()).collect()
    }

    #[test]
    fn a_key_has_one_owner_on_a_node() {
        let mut claims = Claims::default();
        let a = Owner::Instance("a".into());
        assert!(claims.claim("n", &a, keys(&["x", "y"])).is_empty());
        assert!(claims.claim("n", &a, keys(&["x", "z"])).is_empty(), "an instance may change its own claim");
        assert_eq!(claims.claim("n", &Owner::New, keys(&["y", "z"])), ["z"]);
        assert!(claims.claim("other", &Owner::New, keys(&["z"])).is_empty());
        assert_eq!(claims.claim("other", &Owner::New, keys(&["z"])), ["z"], "two creates are two resources");
    }

    #[test]
    fn what_was_released_is_free() {
        let mut claims = Claims::default();
        claims.claim("n", &Owner::Instance("a".into()), keys(&["x"]));
        claims.release("a");
        assert!(claims.claim("n", &Owner::New, keys(&["x"])).is_empty());
    }
}
