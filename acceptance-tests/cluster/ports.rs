//! Free ports of loopback.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Context, Result};

/// Below what systems hand out for outgoing connections (Linux: 32768 and up). A port from there, free when it is looked
/// for, can be taken by any connection of a test that runs at the same time before its server listens.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// A port on which nothing listens, and that this process has not given away yet.
pub(crate) fn free() -> Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let count = RANGE.end - RANGE.start;
    // Different processes begin at different places, so that two clusters do not race through the same ports.
    let first = u16::try_from(u64::from(std::process::id()) * 37 % u64::from(count)).unwrap_or_default();
    let mut candidates = (0..count).map(|_| {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        RANGE.start + first.wrapping_add(step) % count
    });
    candidates
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .context("no port of loopback is free")
}
