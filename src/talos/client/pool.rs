//! One connection per endpoint, made when the first call needs it and shared by all.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use tokio::time::timeout;

use super::dial::dial;
use super::transport::Connection;
use crate::config::{Credentials, Endpoint};
use crate::error::{ErrorKind, Unreachable};

/// The longest that any dial takes; a caller may wait less.
const DIAL_LIMIT: Duration = Duration::from_secs(20);

/// A dial that is under way, or its outcome.
type Dial = Shared<BoxFuture<'static, Result<Connection, ErrorKind>>>;

pub(super) struct Pool {
    credentials: Credentials,
    dials: Mutex<HashMap<Endpoint, Dial>>,
    silent: Mutex<HashSet<Endpoint>>,
}

impl Pool {
    pub(super) fn new(credentials: Credentials) -> Self {
        Self { credentials, dials: Mutex::default(), silent: Mutex::default() }
    }

    /// The endpoint's connection. Callers that come while it is being made share that dial and its failure; a caller that
    /// comes later tries anew. A caller that goes away does not take the dial with it.
    pub(super) async fn connection(&self, endpoint: &Endpoint, patience: Duration) -> Result<Connection, ErrorKind> {
        let dial = self.dial(endpoint);
        let outcome = match timeout(patience, dial).await {
            Ok(outcome) => outcome,
            Err(_) => Err(ErrorKind::Unreachable(Unreachable::NoAnswer(patience))),
        };
        self.remember(endpoint, matches!(outcome, Err(ErrorKind::Unreachable(_))));
        outcome
    }

    /// The endpoints in the order in which to try them: those that did not answer the last time come last.
    pub(super) fn by_hope<'a>(&self, endpoints: &'a [Endpoint]) -> Vec<&'a Endpoint> {
        let silent = lock(&self.silent);
        let mut ordered: Vec<_> = endpoints.iter().collect();
        ordered.sort_by_key(|endpoint| silent.contains(*endpoint));
        ordered
    }

    fn remember(&self, endpoint: &Endpoint, silent: bool) {
        let mut known = lock(&self.silent);
        if silent {
            known.insert(endpoint.clone());
        } else {
            known.remove(endpoint);
        }
    }

    fn dial(&self, endpoint: &Endpoint) -> Dial {
        let mut dials = lock(&self.dials);
        let known = dials.get(endpoint).filter(|dial| match dial.peek() {
            None => true,
            Some(Ok(connection)) => connection.is_usable(),
            Some(Err(_)) => false,
        });
        if let Some(dial) = known {
            return dial.clone();
        }
        let dial = start(endpoint.clone(), self.credentials.clone());
        dials.insert(endpoint.clone(), dial.clone());
        dial
    }
}

/// A task of its own makes the connection, so that it goes on when the caller that started it is cancelled.
fn start(endpoint: Endpoint, credentials: Credentials) -> Dial {
    let task = tokio::spawn(timeout(DIAL_LIMIT, dial(endpoint, credentials)));
    let outcome = async move {
        match task.await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(ErrorKind::Unreachable(Unreachable::NoAnswer(DIAL_LIMIT))),
            Err(error) => Err(ErrorKind::Unreachable(Unreachable::NoConnection(error.to_string()))),
        }
    };
    outcome.boxed().shared()
}

/// Nothing that is done under these locks can leave them half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
