//! What tells one run of this provider from all others. A run that works for long gives signs of life where others look,
//! so that it is never taken for one that was killed.

use std::{
    process,
    sync::atomic::{AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

/// What tells one run from all others, wherever they are made. A value that a label can have.
pub(crate) fn id() -> String {
    static MADE: AtomicU64 = AtomicU64::new(0);
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{:x}-{:x}-{:x}", since.as_nanos(), process::id(), MADE.fetch_add(1, Ordering::Relaxed))
}
