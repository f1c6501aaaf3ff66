//! Taking turns: one writer at a time for a machine, one reboot at a time for the process. However long others take, that
//! does not count against an operation's own time; the user's Ctrl-C ends the wait.

use std::sync::Arc;

use tokio::{
    sync::{Mutex, OwnedMutexGuard},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::write::Job;
use crate::{
    nodes::{Site, boot_id, machine, running},
    texts::Say,
};

/// A writer's locks.
pub(super) struct Turn {
    _address: OwnedMutexGuard<()>,
    _machine: Option<OwnedMutexGuard<()>>,
}

impl Job<'_> {
    /// Waits for the turn to write, by the node's address and by the machine there, which may have other addresses.
    /// `None`: the user has asked to stop, which is said.
    pub(super) async fn turn_to_write(&mut self, say: &mut Say<'_>) -> Option<Turn> {
        let turn = self.turns().await;
        if turn.is_none() {
            say.interrupted("was waiting for its turn to write");
        }
        turn
    }

    async fn turns(&mut self) -> Option<Turn> {
        let address = self.turn(self.nodes.writer(&self.site.locks().0)).await?;
        self.site = self.unless_stopped(self.ask_site()).await?;
        // Whoever holds a machine's lock waits for no other, so the two levels cannot block one another.
        let machine = match self.site.locks().1 {
            Some(machine) => Some(self.turn(self.nodes.writer(&machine)).await?),
            None => None,
        };
        Some(Turn { _address: address, _machine: machine })
    }

    /// What the machine says it is. One that does not answer is known by its address alone, and the writing says why.
    async fn ask_site(&self) -> Site {
        let node = self.call();
        let boot = async {
            let version = running(&node).await?.version;
            match &version {
                Some(version) => boot_id(&node, version).await,
                None => Ok(None),
            }
        };
        let (uuid, boot) = tokio::join!(machine(&node), boot);
        self.site.clone().with_uuid(uuid.ok().flatten().as_deref()).with_boot(boot.ok().flatten())
    }

    /// Waits for a lock. `None`: the user has asked to stop.
    pub(super) async fn turn(&mut self, lock: Arc<Mutex<()>>) -> Option<OwnedMutexGuard<()>> {
        turn(lock, &self.stop, &mut self.deadline).await
    }
}

async fn turn(lock: Arc<Mutex<()>>, stop: &CancellationToken, deadline: &mut Instant) -> Option<OwnedMutexGuard<()>> {
    let since = Instant::now();
    let guard = tokio::select! {
        biased;
        () = stop.cancelled() => None,
        guard = lock.lock_owned() => Some(guard),
    };
    *deadline += since.elapsed();
    guard
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_wait_for_a_turn_does_not_count_against_the_time_of_an_operation() {
        let lock = Arc::new(Mutex::new(()));
        let held = Arc::clone(&lock).lock_owned().await;
        let start = Instant::now();
        let mut deadline = start + Duration::from_secs(600);
        let other = async {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            drop(held);
        };
        let stop = CancellationToken::new();
        let (got, ()) = tokio::join!(turn(lock, &stop, &mut deadline), other);
        assert!(got.is_some());
        assert_eq!(deadline - start, Duration::from_secs(4200));
    }

    #[tokio::test(start_paused = true)]
    async fn the_wait_for_a_turn_ends_when_the_user_asks_to_stop() {
        let lock = Arc::new(Mutex::new(()));
        let _held = Arc::clone(&lock).lock_owned().await;
        let (stop, mut deadline) = (CancellationToken::new(), Instant::now());
        let asked = async { stop.cancel() };
        let (got, ()) = tokio::join!(turn(lock, &stop, &mut deadline), asked);
        assert!(got.is_none());
    }
}
