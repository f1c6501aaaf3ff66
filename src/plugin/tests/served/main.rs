//! The served provider, seen from outside: by a client of the protocol that can also misbehave, and by the real CLIs.
//!
//! Nothing here waits for a time to pass. A call stops at a gate (see `gate`), and a process's end is seen by what it
//! held open.
#![cfg(unix)]

mod calls;
mod cli;
mod client;
mod gate;
mod handshake;
mod life;
mod logs;
mod process;
mod rules;
mod terraform;

/// The protocol, as the CLI sees it.
#[allow(clippy::all, dead_code, missing_docs, unreachable_pub, clippy::allow_attributes, reason = "generated")]
pub(crate) mod wire {
    tonic::include_proto!("client/tfplugin6");
}

/// go-plugin's services, as the CLI sees them.
#[allow(clippy::all, dead_code, missing_docs, unreachable_pub, clippy::allow_attributes, reason = "generated")]
pub(crate) mod go_plugin {
    tonic::include_proto!("client/plugin");
}

/// The health service, as the CLI sees it.
#[allow(clippy::all, dead_code, missing_docs, unreachable_pub, clippy::allow_attributes, reason = "generated")]
pub(crate) mod health {
    tonic::include_proto!("client/grpc.health.v1");
}
