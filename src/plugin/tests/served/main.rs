//! The served provider, seen from outside: by a client of the protocol that can also misbehave, and by the real CLIs.
//!
//! Nothing here waits for a time to pass. A call stops at a gate (see `gate`), and a process's end is seen by what it
//! held open.
#![cfg(unix)]
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod calls;
mod cli;
mod client;
mod gate;
mod handshake;
mod life;
mod logs;
mod process;
mod proto;
mod rules;
mod terraform;

use proto::{go_plugin, health, wire};
