//! What the build makes of `proto/`.
#![allow(clippy::allow_attributes, dead_code, reason = "an expectation about dead code is never met: it makes it live")]
#![expect(
    unreachable_pub,
    clippy::all,
    clippy::allow_attributes_without_reason,
    reason = "generated, in part for kinds of provider that this one is not"
)]

/// The provider service.
pub(crate) mod tfplugin6 {
    tonic::include_proto!("tfplugin6");
}

/// The services of go-plugin.
pub(crate) mod go_plugin {
    tonic::include_proto!("plugin");
}

/// The health service of gRPC.
pub(crate) mod health {
    tonic::include_proto!("grpc.health.v1");
}
