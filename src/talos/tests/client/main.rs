//! The client against the test node: Talos's own modules behind real mutual TLS, one process a test.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod calls;
mod connections;
mod failover;
mod node;
mod pki;
mod proxy;
mod refusals;
mod secrets;
mod servers;
mod watch;
