//! Waiting for what another process does.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Everything here takes seconds; this is for a machine that does much else.
const LIMIT: Duration = Duration::from_secs(180);
/// Between two looks.
const INTERVAL: Duration = Duration::from_millis(20);

/// Looks until there is something.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let started = Instant::now();
    loop {
        if let Some(found) = look().with_context(|| format!("while waiting until {what}"))? {
            return Ok(found);
        }
        if started.elapsed() > LIMIT {
            bail!("after {} seconds it is still not so that {what}", LIMIT.as_secs());
        }
        thread::sleep(INTERVAL);
    }
}
