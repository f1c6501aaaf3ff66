//! What the build makes of `proto/` for a client.
#![allow(clippy::allow_attributes, dead_code, reason = "an expectation about dead code is never met: it makes it live")]
#![expect(
    unreachable_pub,
    clippy::all,
    clippy::allow_attributes_without_reason,
    reason = "generated, in part for kinds of provider that this one is not"
)]

/// The protocol, as the CLI sees it.
pub(crate) mod wire {
    tonic::include_proto!("client/tfplugin6");
}

/// go-plugin's services, as the CLI sees them.
pub(crate) mod go_plugin {
    tonic::include_proto!("client/plugin");
}

/// The health service, as the CLI sees it.
pub(crate) mod health {
    tonic::include_proto!("client/grpc.health.v1");
}
