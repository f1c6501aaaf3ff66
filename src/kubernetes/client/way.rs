//! The way of a connection: straight to the server or through a proxy, then TLS, within one limit of time.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::uri::Uri;
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tower::{Service, ServiceExt as _};

use super::basic;

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Made<T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send>>;

type Stream = TokioIo<TcpStream>;

/// A half-open connection (a server that lost its power) is found by the kernel's probes.
const PROBE_AFTER: Duration = Duration::from_secs(15);

/// Makes connections that can be used.
#[derive(Clone)]
pub(super) struct Dial {
    https: HttpsConnector<Way>,
    /// Of all of it, TLS included.
    limit: Option<Duration>,
}

/// One type for every way, so that the HTTP client stands in the binary once.
#[derive(Clone)]
enum Way {
    Direct(HttpConnector),
    Tunnel(Tunnel<HttpConnector>),
    Socks(SocksV5<HttpConnector>),
}

impl Dial {
    pub(super) fn new(config: &kube::Config, tls: ClientConfig) -> Self {
        let name = config.tls_server_name.as_deref().and_then(|name| ServerName::try_from(name.to_owned()).ok());
        let builder = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
        let builder = match name {
            Some(name) => builder.with_server_name_resolver(FixedServerNameResolver::new(name)),
            None => builder,
        };
        let https = builder.enable_http1().wrap_connector(Way::new(config.proxy_url.as_ref()));
        Self { https, limit: config.connect_timeout }
    }
}

impl Way {
    /// The settings let no other scheme pass than `http` and `socks5`.
    fn new(proxy: Option<&Uri>) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(PROBE_AFTER));
        let Some(proxy) = proxy else { return Self::Direct(tcp) };
        match proxy.scheme_str() {
            Some("socks5") => Self::Socks(SocksV5::new(proxy.clone(), tcp)),
            _ => Self::Tunnel(with_password(Tunnel::new(proxy.clone(), tcp), proxy)),
        }
    }
}

fn with_password(tunnel: Tunnel<HttpConnector>, proxy: &Uri) -> Tunnel<HttpConnector> {
    let authority = proxy.authority().map(http::uri::Authority::as_str).unwrap_or_default();
    let user = authority.rsplit_once('@').map(|(user, _)| user);
    // In a URL `@` and `:` of a password are escaped, in the header they are not.
    let plain = user.map(|user| percent_encoding::percent_decode_str(user).collect::<Vec<u8>>());
    match plain.and_then(|plain| basic(&plain)) {
        Some(header) => tunnel.with_auth(header),
        None => tunnel,
    }
}

impl Service<Uri> for Way {
    type Response = Stream;
    type Error = Failure;
    type Future = Made<Stream>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        match self.clone() {
            Self::Direct(way) => Box::pin(async move { Ok(way.oneshot(to).await?) }),
            Self::Tunnel(way) => Box::pin(async move { Ok(way.oneshot(to).await?) }),
            Self::Socks(way) => Box::pin(async move { Ok(way.oneshot(to).await?) }),
        }
    }
}

impl Service<Uri> for Dial {
    type Response = MaybeHttpsStream<Stream>;
    type Error = Failure;
    type Future = Made<Self::Response>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let Self { https, limit } = self.clone();
        Box::pin(async move {
            let dialled = https.oneshot(to);
            match limit {
                None => dialled.await,
                Some(limit) => match tokio::time::timeout(limit, dialled).await {
                    Ok(outcome) => outcome,
                    Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
                },
            }
        })
    }
}
