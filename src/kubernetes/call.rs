//! One request and its answer: the client behind it, the deadline, the retries and the log.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::PoisonError;
use std::time::Duration;

use http::{Request, Response, StatusCode};
use k8s_openapi::jiff::Timestamp;
use kube::client::Body;
use serde_json::Value;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::Instant;

use crate::client::Client;
use crate::cluster::{Limits, Selection};
use crate::credentials::{Credentials, Source};
use crate::error::{Call, Error, ErrorKind, Place, Unreachable, of_answer, of_failure, of_no_client};
use crate::object::{Kind, Object, ObjectRef};
use crate::settings::Server;

mod body;
mod retry;

pub(crate) use body::{Lines, collect};
use retry::{Patience, Verdict};

/// The longest time that one attempt may take before it is made anew.
const ATTEMPT: Duration = Duration::from_secs(30);

/// How long a write that is under way is waited for after the user has asked to stop.
const GRACE: Duration = Duration::from_secs(3);

/// The most that an answer may be long; a list of 500 large objects is a hundredth of it.
pub(crate) const LARGEST: usize = 256 << 20;

/// How many answers are waited for at once; watches do not count. Each takes a connection, and a TLS handshake costs both
/// sides more than a request: a plan of 50 releases, ten at a time with all their objects, would make 61 of them.
const AT_ONCE: usize = 20;

/// The way to one server. The client is made at the first call.
pub(crate) struct Line {
    pub(crate) server: Server,
    client: Mutex<Option<Held>>,
    /// When it, or a connection to it, was last lost.
    lost: std::sync::Mutex<Option<Instant>>,
    turns: Semaphore,
}

/// A client and what it was made with.
struct Held {
    client: Client,
    credentials: Credentials,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Line").field(&self.server).finish()
    }
}

/// One attempt at a call. Boxed, since a future that borrows from an async closure is not known to be `Send`.
pub(crate) type Attempt<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// An answer that is no refusal.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self, place: &Place) -> Result<Value, Error> {
        serde_json::from_slice(&self.body).map_err(|_| {
            // What was sent back may hold anything, so it is not quoted.
            Error::new(place.clone(), ErrorKind::NotKubernetes("what it answers is no JSON".to_owned()))
        })
    }
}

impl Line {
    pub(crate) fn new(server: Server) -> Self {
        Self { server, client: Mutex::new(None), lost: std::sync::Mutex::new(None), turns: Semaphore::new(AT_ONCE) }
    }

    /// Where a call on one object is made.
    pub(crate) fn place(&self, call: Call, at: &ObjectRef) -> Place {
        Place {
            server: self.server.url.clone(),
            call,
            subject: at.to_string(),
            resource: at.kind.resource(),
            namespace: at.namespace.clone(),
            quotes: at.kind != Kind::SECRET,
            proxy: self.server.proxy.clone(),
        }
    }

    /// Where a call on many objects is made.
    pub(crate) fn place_of_all(&self, call: Call, selection: &Selection) -> Place {
        let of = selection.namespace.as_ref().map(|name| format!(" of namespace {name}")).unwrap_or_default();
        Place {
            server: self.server.url.clone(),
            call,
            subject: format!("{}{of}", selection.kind.plural),
            resource: selection.kind.resource(),
            namespace: selection.namespace.clone(),
            quotes: selection.kind != Kind::SECRET,
            proxy: self.server.proxy.clone(),
        }
    }

    /// Where a call on no object is made.
    pub(crate) fn place_of_server(&self, call: Call) -> Place {
        Place {
            server: self.server.url.clone(),
            call,
            subject: "the server".to_owned(),
            resource: String::new(),
            namespace: None,
            quotes: true,
            proxy: self.server.proxy.clone(),
        }
    }

    /// The place of an object that is to be sent.
    pub(crate) fn reference(&self, object: &Object, call: Call) -> Result<ObjectRef, Error> {
        object.reference().map_err(|why| {
            let place = Place { subject: object.name().to_owned(), ..self.place_of_server(call) };
            Error::new(place, ErrorKind::Malformed(why.to_string()))
        })
    }

    /// Makes a call and reads its whole answer, again where that heals.
    pub(crate) async fn ask(
        &self,
        place: &Place,
        limits: &Limits,
        request: impl Fn() -> Result<Request<Vec<u8>>, String>,
    ) -> Result<Answer, Error> {
        self.repeat(place, limits, || {
            let request = request();
            Box::pin(self.answer(place, request))
        })
        .await
    }

    async fn answer(&self, place: &Place, request: Result<Request<Vec<u8>>, String>) -> Result<Answer, Error> {
        // Until the whole answer is there: the connection is taken for as long. Nobody closes the semaphore.
        let _turn = self.turns.acquire().await.ok();
        let (parts, body) = self.send(place, request).await?.into_parts();
        let body = collect(body, LARGEST).await.map_err(|error| of_failure(&error, place.clone()))?;
        if parts.status.is_success() {
            Ok(Answer { status: parts.status, body })
        } else {
            Err(of_answer(parts.status, &parts.headers, &body, place.clone()))
        }
    }

    /// Makes a call and gives back its answer line by line, as a watch reads it. One attempt.
    pub(crate) async fn open(&self, place: &Place, request: Result<Request<Vec<u8>>, String>) -> Result<Lines, Error> {
        let response = self.send(place, request).await?;
        let (parts, body) = response.into_parts();
        if parts.status.is_success() {
            return Ok(Lines::new(body));
        }
        let body = collect(body, LARGEST).await.map_err(|error| of_failure(&error, place.clone()))?;
        Err(of_answer(parts.status, &parts.headers, &body, place.clone()))
    }

    /// Makes attempts until one succeeds or none can, the deadline passes, or the user asks to stop.
    pub(crate) async fn repeat<'a, T>(
        &self,
        place: &Place,
        limits: &Limits,
        attempt: impl Fn() -> Attempt<'a, T>,
    ) -> Result<T, Error> {
        let mut patience = Patience::new(limits.unreachable_for, *self.lost());
        let (mut renewed, mut sent) = (false, false);
        loop {
            let began = Instant::now();
            let error = match once(place, limits, attempt()).await {
                Ok(answer) => {
                    tracing::debug!(call = place.call.name(), subject = place.subject, server = place.server, took = ?began.elapsed(), "answered");
                    return Ok(answer);
                }
                Err(error) => self.blamed(error, place),
            };
            if matches!(error.kind(), ErrorKind::Unreachable(_)) {
                self.note_lost();
            }
            // An earlier attempt may have been carried out, however the last one ends.
            sent |= error.may_have_been_carried_out();
            let error = error.after_sending(sent);
            tracing::debug!(call = place.call.name(), subject = place.subject, server = place.server, kind = %error.kind(), "failed");
            // Credentials may have been withdrawn or replaced before their time: they are asked for anew, once.
            if *error.kind() == ErrorKind::Unauthorized && self.server.source.can_renew() && !renewed {
                renewed = true;
                self.client.lock().await.take();
                continue;
            }
            let carried_out = sent && !place.call.is_repeatable();
            let verdict = patience.after(error.kind(), place.call, carried_out, Instant::now());
            let Verdict::Again(wait) = verdict else { return Err(error) };
            if Instant::now() + wait >= limits.deadline {
                return Err(error);
            }
            tokio::select! {
                () = limits.stop.cancelled() => {
                    return Err(Error::new(place.clone(), ErrorKind::Interrupted).after_sending(sent));
                }
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Notes that a connection has ended: the server may be a new one when it answers next.
    pub(crate) fn note_lost(&self) {
        *self.lost() = Some(Instant::now());
    }

    fn lost(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call whose time has passed while a plugin was still asked for credentials is no fault of the server, and to ask
    /// again would only take the time once more.
    fn blamed(&self, error: Error, place: &Place) -> Error {
        let is_asking = || self.client.try_lock().map_or(true, |held| held.is_none());
        match &self.server.source {
            Source::Plugin(plugin) if *error.kind() == ErrorKind::DeadlineExceeded && is_asking() => {
                let why = "it did not end within the time that was given, and was ended".to_owned();
                Error::new(place.clone(), ErrorKind::ExecPlugin { command: plugin.command().to_owned(), why })
            }
            _ => error,
        }
    }

    async fn send(&self, place: &Place, request: Result<Request<Vec<u8>>, String>) -> Result<Response<Body>, Error> {
        let request = request.map_err(|why| Error::new(place.clone(), ErrorKind::Malformed(why)))?;
        let client = self.client(place).await?;
        client.send(request).await.map_err(|error| of_failure(&error, place.clone()))
    }

    /// The client, made where there is none or where its credentials have run out and are other ones now.
    async fn client(&self, place: &Place) -> Result<Client, Error> {
        let mut held = self.client.lock().await;
        if let Some(held) = held.as_ref().filter(|held| !held.credentials.have_run_out(Timestamp::now())) {
            return Ok(held.client.clone());
        }
        // Gone for as long as credentials are asked for, so that a call whose time passes knows what it waited for.
        let before = held.take();
        let asked = self.server.source.ask().await;
        let credentials = asked.map_err(|kind| Error::new(place.clone(), kind))?;
        let client = match before.filter(|before| before.credentials.same(&credentials)) {
            Some(before) => before.client,
            None => self.made(&credentials, place).await?,
        };
        *held = Some(Held { client: client.clone(), credentials });
        Ok(client)
    }

    async fn made(&self, credentials: &Credentials, place: &Place) -> Result<Client, Error> {
        let mut config = self.server.config();
        credentials.put_into(&mut config.auth_info);
        // It reads the authorities of the system, or those of a file, and blocks.
        let made = tokio::task::spawn_blocking(move || Client::new(&config)).await;
        let no_client = || ErrorKind::Unreachable(Unreachable::NoConnection("the client could not be made".to_owned()));
        made.map_err(|_| Error::new(place.clone(), no_client()))?.map_err(|why| of_no_client(why, place.clone()))
    }
}

/// One attempt within its time. A write that is under way when the user asks to stop is given a moment to be answered,
/// since what became of it is not known otherwise.
async fn once<T>(place: &Place, limits: &Limits, mut attempt: Attempt<'_, T>) -> Result<T, Error> {
    let end = limits.deadline.min(Instant::now() + ATTEMPT);
    let late = || Error::new(place.clone(), ErrorKind::DeadlineExceeded).after_sending(true);
    let stopped = || Error::new(place.clone(), ErrorKind::Interrupted);
    if limits.stop.is_cancelled() {
        return Err(stopped());
    }
    tokio::select! {
        biased;
        answer = tokio::time::timeout_at(end, &mut attempt) => return answer.unwrap_or_else(|_| Err(late())),
        () = limits.stop.cancelled() => {}
    }
    if !place.call.writes() {
        return Err(stopped());
    }
    let answer = tokio::time::timeout_at(end.min(Instant::now() + GRACE), attempt).await;
    answer.unwrap_or_else(|_| Err(stopped().after_sending(true)))
}
