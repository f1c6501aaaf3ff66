//! How any call is made: over which endpoint, until when, and what is done when it fails.
//!
//! A call that only reads goes to the next endpoint when one does not answer, and once more over a new connection when
//! its connection breaks. A call that writes is sent once: it goes elsewhere only while it cannot have left this process.

use std::error::Error as _;
use std::future::Future;
use std::time::Duration;

use http::HeaderValue;
use tokio::time::{Instant, timeout_at};
use tonic::Status;

use super::transport::{Broken, Channel, Connection, metadata};
use super::{CALL_TIMEOUT, Node};
use crate::config::Endpoint;
use crate::error::classify::{classify, code_name};
use crate::error::{Error, ErrorKind, Place, Role, Unreachable};

/// The largest answer that is read: what Talos itself allows (`constants.GRPCMaxMessageSize`).
pub(super) const MESSAGE_LIMIT: usize = 32 << 20;

/// How often a call that may be made again is given to one endpoint.
const TRIES_PER_ENDPOINT: usize = 2;

/// What is called.
#[derive(Clone, Debug)]
pub(super) struct Call {
    /// Its name in Talos's API.
    pub(super) name: &'static str,
    /// What it is about, for messages: a path, a resource type.
    pub(super) subject: String,
    /// The smallest role that may make it.
    pub(super) needs: Role,
    /// Whether it changes the node, so that it must not be sent twice.
    pub(super) writes: bool,
    /// Whether its answer goes on for as long as somebody listens.
    pub(super) endless: bool,
}

impl Call {
    pub(super) fn read(name: &'static str, subject: impl Into<String>, needs: Role) -> Self {
        Self { name, subject: subject.into(), needs, writes: false, endless: false }
    }

    pub(super) fn watch(subject: impl Into<String>, needs: Role) -> Self {
        Self { endless: true, ..Self::read("Watch", subject, needs) }
    }

    pub(super) fn write(name: &'static str, needs: Role) -> Self {
        Self { name, subject: String::new(), needs, writes: true, endless: false }
    }
}

/// A call's answer, and what is needed to read on where it is a stream.
pub(super) struct Answered<T> {
    pub(super) value: T,
    pub(super) line: Line,
}

/// One try of a call: where it goes and how its failure is named.
#[derive(Clone)]
pub(super) struct Line {
    connection: Connection,
    place: Place,
    call: Call,
    held: Vec<String>,
}

/// How one try ended without an answer.
struct Failure {
    error: Error,
    /// The request may be given to another endpoint.
    may_go_on: bool,
    /// Another connection to the same endpoint may do better.
    may_repeat: bool,
}

impl Node {
    /// Makes a call; `send` gives one request to a channel and reads the answer.
    pub(super) async fn call<T, F, R>(&self, call: Call, send: F) -> Result<T, Error>
    where
        F: Fn(Channel) -> R,
        R: Future<Output = Result<T, Status>>,
    {
        self.answer(call, send).await.map(|answered| answered.value)
    }

    /// As [`Node::call`], with what reading on needs.
    pub(super) async fn answer<T, F, R>(&self, call: Call, send: F) -> Result<Answered<T>, Error>
    where
        F: Fn(Channel) -> R,
        R: Future<Output = Result<T, Status>>,
    {
        let header = self.header.clone().map_err(|kind| Error::new(self.place(&call, None), kind))?;
        let deadline = self.deadline.unwrap_or_else(|| Instant::now() + CALL_TIMEOUT);
        let mut failed = Vec::new();
        for endpoint in self.client.0.pool.by_hope(&self.endpoints) {
            match self.through(endpoint, &call, &header, deadline, &send).await {
                Ok(answered) => return Ok(answered),
                Err(Failure { error, may_go_on: true, .. }) => failed.push(error),
                Err(Failure { error, .. }) => return Err(error.after_trying(failed)),
            }
        }
        match failed.pop() {
            Some(last) => Err(last.after_trying(failed)),
            None => Err(Error::new(self.place(&call, None), ErrorKind::InvalidTarget(self.name.to_string()))),
        }
    }

    async fn through<T, F, R>(
        &self,
        endpoint: &Endpoint,
        call: &Call,
        header: &HeaderValue,
        deadline: Instant,
        send: &F,
    ) -> Result<Answered<T>, Failure>
    where
        F: Fn(Channel) -> R,
        R: Future<Output = Result<T, Status>>,
    {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.once(endpoint, call, header, deadline, send).await {
                Err(Failure { may_repeat: true, .. }) if tries < TRIES_PER_ENDPOINT => {}
                outcome => return outcome,
            }
        }
    }

    async fn once<T, F, R>(
        &self,
        endpoint: &Endpoint,
        call: &Call,
        header: &HeaderValue,
        deadline: Instant,
        send: &F,
    ) -> Result<Answered<T>, Failure>
    where
        F: Fn(Channel) -> R,
        R: Future<Output = Result<T, Status>>,
    {
        let started = Instant::now();
        let line = self.dial(endpoint, call, deadline).await.inspect_err(|failure| record(failure, started))?;
        let mut headers = metadata(header, self.client.0.cluster.as_ref());
        // The limit that holds where none is given is on the opening of an endless call, not on all of it.
        let limit = if call.endless { self.deadline } else { Some(deadline) };
        headers.extend(limit.and_then(|limit| grpc_timeout(limit.saturating_duration_since(started))));
        let received = line.connection.health().received();
        let failure = match timeout_at(deadline, send(line.connection.with(headers))).await {
            Ok(Ok(value)) => {
                trace(&line.place, "OK", started);
                return Ok(Answered { value, line });
            }
            Ok(Err(status)) => line.failure(&status),
            Err(_) => line.silence(received),
        };
        record(&failure, started);
        Err(failure)
    }

    async fn dial(&self, endpoint: &Endpoint, call: &Call, deadline: Instant) -> Result<Line, Failure> {
        let place = self.place(call, Some(endpoint));
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let error = Error::new(place, ErrorKind::DeadlineExceeded);
            return Err(Failure { error, may_go_on: false, may_repeat: false });
        }
        let patience = self.connect_timeout.min(left);
        match self.client.0.pool.connection(endpoint, patience).await {
            Ok(connection) => {
                let held = self.client.0.config.credentials.roles().to_vec();
                Ok(Line { connection, place, call: call.clone(), held })
            }
            Err(kind) => {
                let may_go_on = matches!(kind, ErrorKind::Unreachable(_));
                Err(Failure { error: Error::new(place, kind), may_go_on, may_repeat: false })
            }
        }
    }

    pub(super) fn place(&self, call: &Call, endpoint: Option<&Endpoint>) -> Place {
        Place {
            node: self.name.to_string(),
            endpoint: endpoint.cloned(),
            call: call.name,
            subject: call.subject.clone(),
        }
    }
}

impl Line {
    /// The error of a call that failed with this status.
    pub(super) fn error(&self, status: &Status) -> Error {
        self.failure(status).error
    }

    /// The error of an answer that cannot be understood.
    pub(super) fn malformed(&self, what: impl Into<String>) -> Error {
        Error::new(self.place.clone(), ErrorKind::Malformed(what.into()))
    }

    /// The error of a stream that was meant to go on.
    pub(super) fn ended(&self, how: &str) -> Error {
        Error::new(self.place.clone(), ErrorKind::Unreachable(Unreachable::Lost(how.to_owned())))
    }

    /// The error of a call that was not over in time.
    pub(super) fn too_late(&self) -> Error {
        self.sent(Error::new(self.place.clone(), ErrorKind::DeadlineExceeded))
    }

    fn failure(&self, status: &Status) -> Failure {
        match status.source().and_then(|source| source.downcast_ref::<Broken>()) {
            Some(broken) => self.broken(broken),
            None => {
                let error = Error::new(self.place.clone(), classify(status, self.call.needs, &self.held));
                let unavailable = matches!(error.kind(), ErrorKind::Unreachable(_));
                Failure { error: self.sent(error), may_go_on: unavailable && !self.call.writes, may_repeat: false }
            }
        }
    }

    /// Only of a write does it matter whether it may have arrived.
    fn sent(&self, error: Error) -> Error {
        if self.call.writes { error.after_sending() } else { error }
    }

    /// The connection broke below the call. New calls must not go out on it, even if it does not know yet that it is
    /// closed.
    fn broken(&self, broken: &Broken) -> Failure {
        self.connection.give_up();
        let kind = self.connection.cause(broken);
        let repeatable = matches!(kind, ErrorKind::Unreachable(_)) && !(broken.sent && self.call.writes);
        let error = Error::new(self.place.clone(), kind);
        let error = if broken.sent { self.sent(error) } else { error };
        Failure { error, may_go_on: repeatable, may_repeat: repeatable }
    }

    /// The deadline passed. If nothing at all came in meanwhile, the connection may be half open, and the next call
    /// shall have a new one.
    fn silence(&self, received_before: u64) -> Failure {
        if self.connection.health().received() == received_before {
            self.connection.give_up();
        }
        Failure { error: self.too_late(), may_go_on: false, may_repeat: false }
    }
}

/// How much later than this client the node gives up a call: whose deadline passes first shall not be left to chance, since
/// the node's answer to its own is a broken stream.
const GRACE: Duration = Duration::from_secs(1);

/// The deadline for the node, which then stops working on a call whose client has gone. In milliseconds, of which the
/// header takes eight digits.
fn grpc_timeout(left: Duration) -> Option<(http::HeaderName, HeaderValue)> {
    let milliseconds = (left + GRACE).as_millis().min(99_999_999);
    let value = HeaderValue::from_str(&format!("{milliseconds}m")).ok()?;
    Some((http::HeaderName::from_static("grpc-timeout"), value))
}

fn record(failure: &Failure, started: Instant) {
    let place = Place {
        node: failure.error.node().to_owned(),
        endpoint: failure.error.endpoint().cloned(),
        call: failure.error.call(),
        subject: failure.error.subject().to_owned(),
    };
    trace(&place, code_name(failure.error.kind()), started);
}

/// One event a try, without the text of an answer, which may quote what is secret.
fn trace(place: &Place, code: &str, started: Instant) {
    let endpoint = place.endpoint.as_ref().map(tracing::field::display);
    let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::debug!(node = %place.node, endpoint, call = place.call, subject = %place.subject, code, milliseconds, "talos call");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_node_gives_up_a_little_later_than_the_client() {
        for (left, header) in [
            (Duration::from_millis(1500), "2500m"),
            (Duration::ZERO, "1000m"),
            (Duration::from_secs(1_000_000_000), "99999999m"),
        ] {
            let (name, value) = grpc_timeout(left).unwrap();
            assert_eq!((name.as_str(), value.to_str().unwrap()), ("grpc-timeout", header));
        }
    }
}
