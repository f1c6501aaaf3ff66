//! Which objects of a cluster the resources of one walk stand for, to find two that stand for one. Pure.
//!
//! The protocol does not tell the address of a resource. But within one walk Terraform imports for each address once, and
//! plans each stored object against itself once: whoever comes second is another address.

use std::collections::BTreeSet;

use kubernetes::ObjectRef;

/// Claims of one walk.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    imported: BTreeSet<ObjectRef>,
    planned: BTreeSet<ObjectRef>,
}

impl Claims {
    /// Notes that an object is imported. `false`: it is already, to another address.
    pub(crate) fn import(&mut self, at: &ObjectRef) -> bool {
        self.imported.insert(at.clone())
    }

    /// Notes that a stored object is planned. `false`: it is already, from another address.
    pub(crate) fn plan(&mut self, at: &ObjectRef) -> bool {
        self.planned.insert(at.clone())
    }
}

#[cfg(test)]
mod tests {
    use kubernetes::Kind;

    use super::*;

    #[test]
    fn who_comes_second_to_an_object_is_told() {
        let [one, other] = ["a", "b"].map(|name| ObjectRef::of_cluster(Kind::RUNTIME_CLASS, name));
        let mut claims = Claims::default();
        assert!(claims.import(&one) && claims.import(&other) && !claims.import(&one));
        assert!(claims.plan(&one), "what was imported is planned afterwards");
        assert!(!claims.plan(&one) && claims.plan(&other));
    }
}
