//! The life of the process: stopping work, ending on request, and ending when nobody is left to serve.

use std::{
    process::exit,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::watch, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

use crate::listen::Address;

/// How long the CLI may take to connect: what it gives itself to wait for the handshake line.
const FIRST_CONNECTION: Duration = Duration::from_secs(60);

/// How long after its last connection the CLI may come back. It never does; this is for a client that we do not know.
const GRACE: Duration = Duration::from_secs(5);

/// How often an unconnected process looks whether its parent still lives. A connected one sees the connection close.
const LOOK: Duration = Duration::from_millis(250);

/// What ends, and what must not be cut off.
#[derive(Debug)]
pub(crate) struct Life {
    stop: Mutex<CancellationToken>,
    effects: TaskTracker,
    address: Address,
}

impl Life {
    pub(crate) fn new(address: Address) -> Self {
        Self { stop: Mutex::default(), effects: TaskTracker::new(), address }
    }

    /// Cancelled when the user asks to stop the work that is under way now.
    pub(crate) fn stop_token(&self) -> CancellationToken {
        self.stop.lock().unwrap_or_else(PoisonError::into_inner).child_token()
    }

    /// Ends the work under way. What is called afterwards is not stopped: the CLI still reads and saves.
    pub(crate) fn stop(&self) {
        let mut current = self.stop.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *current).cancel();
    }

    /// Runs work that changes something outside of this process: to its end, even when nobody waits for it any more
    /// (OpenTofu drops its calls on an interrupt, and a CLI that dies drops all of them).
    pub(crate) async fn finish<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, tokio::task::JoinError> {
        self.effects.spawn(work.in_current_span()).await
    }

    /// Whether nothing outside of this process is being changed.
    pub(crate) fn is_idle(&self) -> bool {
        self.effects.is_empty()
    }

    /// Ends the process at once.
    pub(crate) fn exit(&self) -> ! {
        self.address.unlink();
        exit(0)
    }

    /// Ends the process: at once when nothing is being changed, else as soon as the changes under way are through.
    /// Their waits end, since nobody is left to take the answer.
    pub(crate) async fn end(&self) -> ! {
        self.address.unlink();
        self.stop();
        self.effects.close();
        self.effects.wait().await;
        self.exit()
    }
}

/// Ends the process when its CLI is gone: the connection closed without a Shutdown, or none ever came.
///
/// The parent's death signal of Linux is no help here: it comes when the *thread* that started us ends.
pub(crate) async fn end_when_orphaned(life: Arc<Life>, mut open: watch::Receiver<usize>) {
    let parent = parent();
    let mut patience = FIRST_CONNECTION;
    loop {
        let alone_since = Instant::now();
        while *open.borrow_and_update() == 0 {
            if self::parent() != parent || alone_since.elapsed() >= patience {
                life.end().await;
            }
            // Times out whenever nobody connects, which is what the loop is for.
            drop(tokio::time::timeout(LOOK, open.changed()).await);
        }
        if open.wait_for(|count| *count == 0).await.is_err() {
            return;
        }
        patience = GRACE;
    }
}

#[cfg(unix)]
fn parent() -> u32 {
    std::os::unix::process::parent_id()
}

#[cfg(not(unix))]
fn parent() -> u32 {
    0
}

/// Keeps Ctrl-C from ending this process: it reaches the whole foreground group, and the CLI says StopProvider for it.
/// SIGTERM stays as it is.
#[cfg(unix)]
pub(crate) fn ignore_interrupt() {
    use tokio::signal::unix::{SignalKind, signal};
    // The handler that this installs stays for the life of the process, with or without the stream.
    drop(signal(SignalKind::interrupt()));
}

/// As on Unix: a handler, once there, takes the place of the default.
#[cfg(not(unix))]
pub(crate) fn ignore_interrupt() {
    tokio::spawn(async { while tokio::signal::ctrl_c().await.is_ok() {} });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life() -> Life {
        Life::new(Address::Unix("/nowhere".into()))
    }

    #[test]
    fn stopping_ends_what_is_under_way_and_nothing_later() {
        let life = life();
        let before = life.stop_token();
        life.stop();
        assert!(before.is_cancelled());
        assert!(!life.stop_token().is_cancelled());
    }

    #[tokio::test]
    async fn work_goes_on_when_its_call_is_dropped() {
        let life = life();
        let (go, gone) = tokio::sync::oneshot::channel::<()>();
        let (done, finished) = tokio::sync::oneshot::channel();
        {
            let call = life.finish(async move {
                drop(gone.await);
                done.send(()).unwrap();
            });
            let mut call = std::pin::pin!(call);
            assert!(futures_util::poll!(call.as_mut()).is_pending());
        }
        assert!(!life.is_idle());
        go.send(()).unwrap();
        finished.await.unwrap();
        life.effects.close();
        life.effects.wait().await;
        assert!(life.is_idle());
    }
}
