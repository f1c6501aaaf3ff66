//! What a process has worked, by the system's own account.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// Processor time of a process since its start, in user and system mode, to 10 ms.
///
/// # Errors
/// When there is no such process.
pub fn processor_time(id: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
    // The name in parentheses may hold blanks; utime and stime are the 12th and 13th field after it (proc(5)).
    let fields = stat.rsplit_once(')').context("a process without a name")?.1.split_whitespace();
    let ticks = fields.skip(11).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>()?;
    Ok(Duration::from_millis(ticks * 10))
}
