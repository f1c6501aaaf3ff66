//! Names that only one can use at a time.
//!
//! Most cases take names of their own. Some are about a name that the whole cluster has once, such as the runtime class
//! `nvidia`: they take turns.

use std::collections::HashSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// The names that are in use.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    taken: Mutex<HashSet<String>>,
    given_back: Condvar,
}

/// A name that is in use until this is dropped.
#[derive(Debug)]
pub struct Claim<'a> {
    claims: &'a Claims,
    name: String,
}

impl Claims {
    /// Waits until the name is free.
    pub(crate) fn claim(&self, name: &str) -> Claim<'_> {
        let mut taken = self.taken();
        while !taken.insert(name.to_owned()) {
            taken = self.given_back.wait(taken).unwrap_or_else(PoisonError::into_inner);
        }
        Claim { claims: self, name: name.to_owned() }
    }

    fn taken(&self) -> MutexGuard<'_, HashSet<String>> {
        // A case that panicked gives its names back like any other.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.claims.taken().remove(&self.name);
        self.claims.given_back.notify_all();
    }
}
