//! One HTTP/2 connection as tonic's clients want it, with the metadata that every call to Talos carries.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::uri::{Authority, Scheme};
use http::{Request, Response, Uri};
use http_body::{Frame, SizeHint};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http2::SendRequest;
use tonic::body::Body;
use tower::Service;

use super::stream::Health;
use crate::config::Endpoint;
use crate::error::{ErrorKind, Unreachable};

/// A connection that calls share. Cloning is cheap.
#[derive(Clone)]
pub(super) struct Connection {
    sender: SendRequest<Body>,
    authority: Option<Authority>,
    health: Arc<Health>,
    given_up: Arc<AtomicBool>,
}

impl Connection {
    pub(super) fn new(sender: SendRequest<Body>, endpoint: Endpoint, health: Arc<Health>) -> Self {
        let authority = endpoint.to_string().parse().ok();
        Self { sender, authority, health, given_up: Arc::default() }
    }

    /// Whether a new call may go out on it.
    pub(super) fn is_usable(&self) -> bool {
        !self.sender.is_closed() && !self.given_up.load(Ordering::Relaxed)
    }

    /// New calls get another connection; those under way keep this one.
    pub(super) fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
    }

    pub(super) fn health(&self) -> &Health {
        &self.health
    }

    /// The connection with the metadata of one call.
    pub(super) fn with(&self, metadata: HeaderMap) -> Channel {
        Channel { connection: self.clone(), metadata }
    }

    /// Why it broke: what the stream below said, else what HTTP/2 says.
    pub(super) fn cause(&self, broken: &Broken) -> ErrorKind {
        let said = self.health.fault().cloned();
        said.unwrap_or_else(|| ErrorKind::Unreachable(Unreachable::Lost(broken.reason.clone())))
    }
}

/// Where tonic's clients send their requests.
#[derive(Clone)]
pub(super) struct Channel {
    connection: Connection,
    metadata: HeaderMap,
}

/// A connection that broke below a call.
#[derive(Clone, Debug)]
pub(super) struct Broken {
    /// Whether the request had been handed to the connection; if not, the node cannot have seen it.
    pub(super) sent: bool,
    reason: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Broken {}

/// The sentence of an error and of what lies under it.
fn whole(error: &(dyn std::error::Error + 'static)) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", whole(source)),
        None => error.to_string(),
    }
}

impl Service<Request<Body>> for Channel {
    type Response = Response<Answer>;
    type Error = Broken;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Broken>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        // HTTP/2 queues what it cannot send yet, and a closed connection gives the request back.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        address(request.uri_mut(), self.connection.authority.clone());
        request.headers_mut().extend(self.metadata.clone());
        let sent = self.connection.sender.try_send_request(request);
        Box::pin(async move {
            match sent.await {
                Ok(response) => Ok(response.map(Answer)),
                Err(error) => Err(Broken { sent: error.message().is_none(), reason: whole(error.error()) }),
            }
        })
    }
}

/// HTTP/2 wants scheme and authority in every request; tonic leaves them out without an origin.
fn address(uri: &mut Uri, authority: Option<Authority>) {
    let mut parts = std::mem::take(uri).into_parts();
    parts.scheme = Some(Scheme::HTTPS);
    parts.authority = authority;
    if let Ok(complete) = Uri::from_parts(parts) {
        *uri = complete;
    }
}

/// The body of an answer, whose end by a broken connection is told from an end by the node.
pub(super) struct Answer(Incoming);

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let frame = Pin::new(&mut self.0).poll_frame(cx);
        frame.map_err(|error| Broken { sent: true, reason: whole(&error) })
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

/// The metadata of every call: what Talos's own client sends, and the one node that shall answer.
pub(super) fn metadata(node: &HeaderValue, cluster: Option<&HeaderValue>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(HeaderName::from_static("runtime"), HeaderValue::from_static("Talos"));
    headers.insert(HeaderName::from_static("node"), node.clone());
    if let Some(cluster) = cluster {
        headers.insert(HeaderName::from_static("context"), cluster.clone());
    }
    headers
}
