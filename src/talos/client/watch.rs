//! Watching a resource or a kind of resources: what there is, and then every change.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Stream;
use futures_util::stream::{self, BoxStream, StreamExt};
use tokio::time::{Instant, timeout_at};
use tonic::{Status, Streaming};

use super::Node;
use super::call::{Call, Line};
use super::state::{found, service};
use crate::error::Error;
use crate::proto::cosi::{self, EventType, WatchOptions, WatchRequest, WatchResponse};
use crate::resource::{Found, Resource};

/// The version of the watch from which on the server says when it has sent all there was, and why it ends.
const API_VERSION: i32 = 1;

/// Something that a watch saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<R> {
    /// It is there: from the beginning on, or new.
    Created(Found<R>),
    /// It changed.
    Updated(Found<R>),
    /// It is not there, or no more.
    Destroyed {
        /// Its id.
        id: String,
    },
    /// Everything that was there when the watch began has been seen. Only where a whole kind is watched.
    Bootstrapped,
}

/// A watch that is open: a stream that goes on until it is dropped, the node's deadline passes, or the connection breaks.
/// The last two come as an error, which is then the end.
pub struct Watch<R> {
    events: BoxStream<'static, Result<Event<R>, Error>>,
}

impl<R> Stream for Watch<R> {
    type Item = Result<Event<R>, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.events.poll_next_unpin(cx)
    }
}

impl<R> Watch<R> {
    /// The next event; nothing after the end. Dropping the future loses no event.
    pub async fn next(&mut self) -> Option<Result<Event<R>, Error>> {
        self.events.next().await
    }
}

impl<R> std::fmt::Debug for Watch<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

impl Node {
    /// Watches one resource, or a whole kind where no id is given. What is there comes first, as
    /// [`Event::Created`], or [`Event::Destroyed`] for an id that is absent.
    ///
    /// # Errors
    /// What keeps the watch from opening, such as [`crate::error::ErrorKind::Unsupported`].
    pub async fn watch<R: Resource>(&self, id: Option<&str>) -> Result<Watch<R>, Error> {
        let send = |channel| {
            let request = request::<R>(id);
            async move { open(service(channel).watch(request).await?.into_inner()).await }
        };
        let answer = self.answer(Call::watch(R::TYPE, R::NEEDS), send).await?;
        let state = Watching {
            responses: Some(answer.value),
            waiting: VecDeque::new(),
            line: answer.line,
            deadline: self.deadline,
        };
        let events = stream::unfold(state, |mut state| async move { Some((state.next().await?, state)) });
        Ok(Watch { events: events.boxed() })
    }
}

fn request<R: Resource>(id: Option<&str>) -> WatchRequest {
    WatchRequest {
        namespace: R::NAMESPACE.to_owned(),
        r#type: R::TYPE.to_owned(),
        id: id.map(str::to_owned),
        // With an id the server sends the resource by itself and refuses this option.
        options: Some(WatchOptions { bootstrap_contents: id.is_none(), ..WatchOptions::default() }),
        api_version: API_VERSION,
    }
}

/// The first message is empty: it says that the watch is open, or comes as the error that keeps it from that.
async fn open(mut responses: Streaming<WatchResponse>) -> Result<Streaming<WatchResponse>, Status> {
    match responses.message().await? {
        Some(_) => Ok(responses),
        None => Err(Status::unavailable("the watch ended as soon as it was opened")),
    }
}

struct Watching {
    responses: Option<Streaming<WatchResponse>>,
    waiting: VecDeque<cosi::Event>,
    line: Line,
    deadline: Option<Instant>,
}

impl Watching {
    async fn next<R: Resource>(&mut self) -> Option<Result<Event<R>, Error>> {
        loop {
            while let Some(event) = self.waiting.pop_front() {
                if let Some(seen) = self.read(event).transpose() {
                    return Some(seen);
                }
            }
            match self.receive().await? {
                Ok(response) => self.waiting.extend(response.event),
                Err(error) => return Some(Err(self.end(error))),
            }
        }
    }

    async fn receive(&mut self) -> Option<Result<WatchResponse, Error>> {
        let responses = self.responses.as_mut()?;
        let message = match self.deadline {
            Some(deadline) => timeout_at(deadline, responses.message()).await,
            None => Ok(responses.message().await),
        };
        Some(match message {
            Ok(Ok(Some(response))) => Ok(response),
            Ok(Ok(None)) => Err(self.line.ended("the node ended the watch")),
            Ok(Err(status)) => Err(self.line.error(&status)),
            Err(_) => Err(self.line.too_late()),
        })
    }

    fn read<R: Resource>(&self, event: cosi::Event) -> Result<Option<Event<R>>, Error> {
        let kind = event.event_type();
        let resource = event.resource.unwrap_or_default();
        Ok(match kind {
            EventType::Created => Some(Event::Created(found(resource, &self.line)?)),
            EventType::Updated => Some(Event::Updated(found(resource, &self.line)?)),
            EventType::Destroyed => Some(Event::Destroyed { id: resource.metadata.unwrap_or_default().id }),
            EventType::Bootstrapped => Some(Event::Bootstrapped),
            EventType::Errored => {
                let reason = event.error.unwrap_or_default();
                return Err(self.line.ended(&format!("the node gave up the watch: {reason}")));
            }
            EventType::Noop => None,
        })
    }

    fn end(&mut self, error: Error) -> Error {
        self.responses = None;
        error
    }
}
