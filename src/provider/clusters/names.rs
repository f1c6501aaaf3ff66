//! One lock for each object's name, so that two resources of this process that make one object wait for each other.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use kubernetes::ObjectRef;
use tokio::sync::Mutex as AsyncMutex;

/// The names under which this process makes objects of one kind.
#[derive(Default)]
pub(crate) struct Names(Mutex<HashMap<ObjectRef, Arc<AsyncMutex<()>>>>);

impl Names {
    /// The lock of a name.
    pub(crate) fn of(&self, object: &ObjectRef) -> Arc<AsyncMutex<()>> {
        // What it holds is whole between any two statements, so a panic elsewhere spoils nothing.
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(names.entry(object.clone()).or_default())
    }
}

#[cfg(test)]
mod tests {
    use kubernetes::Kind;

    use super::*;

    #[test]
    fn a_name_has_one_lock_in_a_process() {
        let names = Names::default();
        let [one, other] = ["a", "b"].map(|name| ObjectRef::of_cluster(Kind::RUNTIME_CLASS, name));
        assert!(Arc::ptr_eq(&names.of(&one), &names.of(&one)));
        assert!(!Arc::ptr_eq(&names.of(&one), &names.of(&other)));
    }
}
