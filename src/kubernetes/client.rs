//! The client of one server, put together from kube's parts: the way of its connections, TLS and the credentials.
//!
//! kube's own composition (`kube::Client::try_from`) knows ways to get credentials that Kubernetes has given up and that
//! [`crate::settings`] refuses; they bring a query language, its grammar and regular expressions into the binary. This one
//! leaves them out, ends a plugin that nobody waits for any more, and sends what it has at once (`TCP_NODELAY`).

use std::time::{Duration, SystemTime};

use http::header::{AUTHORIZATION, HeaderValue};
use http::{Request, Response};
use hyper_util::client::legacy;
use hyper_util::rt::TokioExecutor;
use kube::client::{Body, ClientBuilder, ConfigExt as _};

mod credentials;
mod plugin;
mod tls;
mod way;

use credentials::{Credentials, Lifetime};

/// Credentials of a plugin are asked for anew so long before they run out, lest they do on their way.
const BEFORE_THE_END: Duration = Duration::from_secs(10);

/// How often the files of a pod's service account are read again.
const FILES: Duration = Duration::from_secs(60);

/// A client, and for how long it is good.
pub(crate) struct Client {
    sender: Sender,
    lifetime: Lifetime,
    made: SystemTime,
}

/// Sends requests. Cloning is cheap and shares the connections.
#[derive(Clone)]
pub(crate) struct Sender {
    kube: kube::Client,
    authorization: Option<HeaderValue>,
}

/// Why there is no client. What the operator gave was checked before, so this is about programs and files.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoClient {
    /// The exec plugin of the configuration; its words, without arguments and output.
    #[error("{0}")]
    Plugin(String),
    /// A file with a token or a CA, by its path.
    #[error("{path}: {why}")]
    File { path: String, why: String },
    #[error("setting up TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// Headers that cannot be sent.
    #[error(transparent)]
    Headers(#[from] kube::Error),
}

impl Client {
    /// Asks the plugin where there is one, reads the files, and puts the client together. Nothing connects here.
    pub(crate) async fn new(config: &kube::Config) -> Result<Self, NoClient> {
        let made = SystemTime::now();
        let credentials = Credentials::of(&config.auth_info).await?;
        let identity = credentials.identity.as_ref();
        let dial = way::Dial::new(config, &tls::config(config, identity)?);
        let http: legacy::Client<_, Body> = legacy::Client::builder(TokioExecutor::new()).build(dial);
        let kube = ClientBuilder::new(http, config.default_namespace.clone())
            .with_layer(&config.base_uri_layer())
            .with_layer(&config.extra_headers_layer()?)
            .build();
        let lifetime = match &config.root_cert_file {
            Some(_) => Lifetime::OfFiles,
            None => credentials.lifetime,
        };
        Ok(Self { sender: Sender { kube, authorization: credentials.authorization }, lifetime, made })
    }

    pub(crate) fn sender(&self) -> Sender {
        self.sender.clone()
    }

    /// Whether its credentials, or the files that they are from, are of an older time.
    pub(crate) fn is_due(&self, now: SystemTime) -> bool {
        match self.lifetime {
            Lifetime::Endless => false,
            Lifetime::Until(end) => now + BEFORE_THE_END >= end,
            Lifetime::OfFiles => now.duration_since(self.made).is_ok_and(|age| age >= FILES),
        }
    }

    pub(crate) fn is_of_files(&self) -> bool {
        self.lifetime == Lifetime::OfFiles
    }

    /// Goes on with what the files held when they could be read: some take them away after the start of a process
    /// (kubernetes#68164).
    pub(crate) fn again(&mut self, now: SystemTime) -> Sender {
        self.made = now;
        self.sender()
    }
}

impl Sender {
    /// Sends a request, with the credentials.
    pub(crate) async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Body>, kube::Error> {
        let mut request = request.map(Body::from);
        if let Some(header) = &self.authorization {
            request.headers_mut().insert(AUTHORIZATION, header.clone());
        }
        self.kube.send(request).await
    }
}
