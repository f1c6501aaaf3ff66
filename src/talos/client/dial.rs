//! From an endpoint's name to a connection on which calls can be made.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::stream::{Health, WatchedStream};
use super::tls;
use super::transport::Connection;
use super::verifier::RememberingVerifier;
use crate::config::{Credentials, Endpoint};
use crate::error::{ErrorKind, Unreachable};

/// How long one address may be silent before the next one of the same name is tried beside it (RFC 8305 asks for 250 ms).
const STAGGER: Duration = Duration::from_millis(250);

/// How long the server may take for the first bytes after the handshake. A Talos sends its HTTP/2 settings at once, or
/// the alert by which it refuses our certificate; reading that before anything is written gives the reason for certain,
/// where a write into the closed connection could destroy it. A proxy may wait for us to speak first.
const FIRST_BYTES: Duration = Duration::from_millis(500);

/// A half-open connection (a node that lost its power) is found by the kernel's probes: HTTP/2 pings earn a GOAWAY
/// `too_many_pings` from Talos.
const PROBE_AFTER: Duration = Duration::from_secs(15);

/// Room for a whole machine configuration in flight; the default of 64 KiB would cost a round trip for each.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;

/// Connects, shows our certificate, checks the endpoint's, and opens HTTP/2.
pub(super) async fn dial(endpoint: Endpoint, credentials: Credentials) -> Result<Connection, ErrorKind> {
    credentials.check(SystemTime::now()).map_err(ErrorKind::Certificate)?;
    let tcp = connect(&endpoint).await.map_err(ErrorKind::Unreachable)?;
    let mut tls = handshake(&endpoint, &credentials, tcp).await?;
    let health = Arc::new(Health::default());
    let first = first_bytes(&mut tls).await?;
    let stream = WatchedStream::new(tls, first, Arc::clone(&health));
    // No pings of HTTP/2, neither to keep it alive nor to measure it: see `PROBE_AFTER`.
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .adaptive_window(false)
        .keep_alive_interval(None)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| lost(&error))?;
    tokio::spawn(drive(connection));
    Ok(Connection::new(sender, endpoint, health))
}

/// The error of a connection reaches its calls; here it would have no reader.
async fn drive(connection: impl Future<Output = Result<(), hyper::Error>>) {
    let _ = connection.await;
}

fn lost(error: &dyn std::error::Error) -> ErrorKind {
    ErrorKind::Unreachable(Unreachable::Lost(error.to_string()))
}

async fn connect(endpoint: &Endpoint) -> Result<TcpStream, Unreachable> {
    let resolved = lookup_host((endpoint.host(), endpoint.port())).await;
    let addresses: Vec<_> = resolved.map_err(|error| Unreachable::NotResolved(error.to_string()))?.collect();
    let tcp = first_to_connect(addresses).await.map_err(|error| Unreachable::NoConnection(error.to_string()))?;
    // Neither is needed for a connection, so a system that refuses them gets one without.
    let _ = tcp.set_nodelay(true);
    let probes = TcpKeepalive::new().with_time(PROBE_AFTER).with_interval(PROBE_AFTER);
    let _ = SockRef::from(&tcp).set_tcp_keepalive(&probes);
    Ok(tcp)
}

/// Tries the addresses in their order, the next one as soon as those before have failed or been silent for a while.
async fn first_to_connect(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut waiting = addresses.into_iter();
    let mut dials = FuturesUnordered::new();
    let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
    loop {
        dials.extend(waiting.next().map(TcpStream::connect));
        tokio::select! {
            Some(dialled) = dials.next() => match dialled {
                Ok(tcp) => return Ok(tcp),
                Err(error) => failure = error,
            },
            () = sleep(STAGGER), if waiting.len() > 0 => {}
            else => return Err(failure),
        }
    }
}

async fn handshake(
    endpoint: &Endpoint,
    credentials: &Credentials,
    tcp: TcpStream,
) -> Result<TlsStream<TcpStream>, ErrorKind> {
    let verifier = Arc::new(RememberingVerifier::new(credentials.verifier()));
    let config =
        tls::config(credentials, Arc::clone(&verifier)).map_err(|error| ErrorKind::NotTalos(error.to_string()))?;
    let name = endpoint.server_name().ok_or_else(|| ErrorKind::InvalidTarget(endpoint.host().to_owned()))?;
    let connected = TlsConnector::from(config).connect(name, tcp).await;
    let stream = connected.map_err(|error| tls::failed_handshake(&error, endpoint, &verifier))?;
    match stream.get_ref().1.alpn_protocol() {
        Some(tls::ALPN) => Ok(stream),
        _ => Err(ErrorKind::NotTalos("it does not speak HTTP/2".to_owned())),
    }
}

/// What the server sends by itself, or nothing if it is waiting for us.
async fn first_bytes(stream: &mut TlsStream<TcpStream>) -> Result<Vec<u8>, ErrorKind> {
    let mut bytes = Vec::with_capacity(1024);
    match timeout(FIRST_BYTES, stream.read_buf(&mut bytes)).await {
        Err(_) | Ok(Ok(1..)) => Ok(bytes),
        Ok(Ok(0)) => Err(ErrorKind::Unreachable(Unreachable::Lost("closed by the endpoint".to_owned()))),
        Ok(Err(error)) => Err(tls::broken_stream(&error)),
    }
}
