//! The encrypted byte stream below HTTP/2. It gives back the first bytes that were read ahead, counts what comes in, and
//! keeps the first error, since HTTP/2 tells its callers only that the connection is gone.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::tls;
use crate::error::ErrorKind;

/// What is known of a connection besides the calls on it.
#[derive(Debug, Default)]
pub(super) struct Health {
    received: AtomicU64,
    fault: OnceLock<ErrorKind>,
}

impl Health {
    /// Bytes that have come in so far: a connection on which nothing comes in any more may be half open.
    pub(super) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Why the connection broke, where the stream itself said it.
    pub(super) fn fault(&self) -> Option<&ErrorKind> {
        self.fault.get()
    }

    fn broke(&self, error: &io::Error) {
        // Only the first error tells the cause.
        let _ = self.fault.set(tls::broken_stream(error));
    }
}

pub(super) struct WatchedStream {
    inner: TlsStream<TcpStream>,
    read_ahead: Vec<u8>,
    health: Arc<Health>,
}

impl WatchedStream {
    pub(super) fn new(inner: TlsStream<TcpStream>, read_ahead: Vec<u8>, health: Arc<Health>) -> Self {
        Self { inner, read_ahead, health }
    }

    fn give_back(&mut self, buffer: &mut ReadBuf<'_>) {
        let count = self.read_ahead.len().min(buffer.remaining());
        buffer.put_slice(&self.read_ahead[..count]);
        self.read_ahead.drain(..count);
    }

    fn watch<T>(&self, result: io::Result<T>) -> io::Result<T> {
        result.inspect_err(|error| self.health.broke(error))
    }
}

impl AsyncRead for WatchedStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.read_ahead.is_empty() {
            self.give_back(buffer);
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let result = ready!(Pin::new(&mut self.inner).poll_read(cx, buffer));
        let came = buffer.filled().len() - before;
        self.health.received.fetch_add(came as u64, Ordering::Relaxed);
        Poll::Ready(self.watch(result))
    }
}

impl AsyncWrite for WatchedStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = ready!(Pin::new(&mut self.inner).poll_write(cx, bytes));
        Poll::Ready(self.watch(result))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = ready!(Pin::new(&mut self.inner).poll_flush(cx));
        Poll::Ready(self.watch(result))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
