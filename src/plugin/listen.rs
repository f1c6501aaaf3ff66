//! Where the CLI connects: a Unix socket (a local port on Windows), and the connections that came over it.

use std::{
    fmt, io,
    path::PathBuf,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::{mpsc, watch},
};
use tokio_rustls::TlsAcceptor;
use tonic::transport::server::Connected;

use crate::tls;

#[cfg(any(not(unix), test))]
mod tcp;
#[cfg(unix)]
mod unix;

#[cfg(not(unix))]
use tcp as platform;
#[cfg(unix)]
use unix as platform;

pub(crate) use platform::{Acceptor, Bound};

/// How long a client may take for its TLS handshake. The CLI takes 3 ms; whoever takes longer is not the CLI.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Pause after the system refuses a connection (too many open files): without it the loop would spin.
const PAUSE: Duration = Duration::from_millis(50);

/// Why this process does not listen.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("listening on {address}")]
    Bind { address: String, source: io::Error },
    #[cfg_attr(not(unix), expect(dead_code, reason = "a port has no group"))]
    #[error("giving the socket to the group \"{group}\" of PLUGIN_UNIX_SOCKET_GROUP")]
    Group { group: String, source: io::Error },
}

/// Where this process listens.
#[derive(Clone, Debug)]
pub(crate) enum Address {
    /// A Unix socket.
    #[cfg_attr(not(unix), expect(dead_code, reason = "there are no Unix sockets"))]
    Unix(PathBuf),
    /// A local port.
    #[cfg_attr(all(unix, not(test)), expect(dead_code, reason = "only Windows listens on a port"))]
    Tcp(std::net::SocketAddr),
}

impl Address {
    /// Network and address, as the CLI names them.
    pub(crate) fn parts(&self) -> (&'static str, String) {
        match self {
            Self::Unix(path) => ("unix", path.display().to_string()),
            Self::Tcp(address) => ("tcp", address.to_string()),
        }
    }

    /// Removes the socket's file. The listener goes on.
    pub(crate) fn unlink(&self) {
        if let Self::Unix(path) = self {
            // Already gone is as good.
            drop(std::fs::remove_file(path));
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.parts().1)
    }
}

/// Takes connections, one task for each handshake, and hands over those that came through.
pub(crate) async fn accept(
    acceptor: Acceptor,
    tls: Option<TlsAcceptor>,
    open: watch::Sender<usize>,
    connections: mpsc::Sender<io::Result<Connection>>,
) {
    loop {
        let stream = match acceptor.accept().await {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let (tls, open, connections) = (tls.clone(), open.clone(), connections.clone());
        tokio::spawn(async move {
            let io: Box<dyn Io> = match tls {
                None => Box::new(stream),
                Some(tls) => match greet(tls, stream).await {
                    Ok(stream) => stream,
                    Err(error) => {
                        tracing::warn!(%error, "a client was refused");
                        return;
                    }
                },
            };
            // Fails only when the server is gone, and then so is the process.
            drop(connections.send(Ok(Connection::new(io, open))).await);
        });
    }
}

async fn greet(tls: TlsAcceptor, stream: platform::Stream) -> io::Result<Box<dyn Io>> {
    let stream = tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await??;
    // rustls refuses a client that offers only other protocols; one that offers none is refused here.
    if stream.get_ref().1.alpn_protocol() != Some(tls::ALPN) {
        return Err(io::Error::other("the client does not offer h2 over ALPN"));
    }
    Ok(Box::new(stream))
}

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A connection of the CLI, counted for as long as it is open.
pub(crate) struct Connection {
    io: Box<dyn Io>,
    open: watch::Sender<usize>,
}

impl Connection {
    fn new(io: Box<dyn Io>, open: watch::Sender<usize>) -> Self {
        open.send_modify(|count| *count += 1);
        Self { io, open }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.open.send_modify(|count| *count -= 1);
    }
}

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
