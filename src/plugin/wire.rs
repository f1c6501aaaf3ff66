//! The protocol's messages, generated from `proto/`, and the conversions between them and the types of this room.
//!
//! Nothing outside of `wire`, `rpc` and `services` meets a generated type.

mod diagnostics;
mod schema;
mod value;

pub(crate) use diagnostics::{diagnostics, path};
pub(crate) use schema::schema;
pub(crate) use value::{decode, encode};

/// The provider service.
#[allow(
    clippy::all,
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::allow_attributes,
    reason = "generated, in part for other kinds of provider"
)]
pub(crate) mod tfplugin6 {
    tonic::include_proto!("tfplugin6");
}

/// The services of go-plugin.
#[allow(
    clippy::all,
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::allow_attributes,
    reason = "generated, in part for other kinds of provider"
)]
pub(crate) mod go_plugin {
    tonic::include_proto!("plugin");
}

/// The health service of gRPC.
#[allow(
    clippy::all,
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::allow_attributes,
    reason = "generated, in part for other kinds of provider"
)]
pub(crate) mod health {
    tonic::include_proto!("grpc.health.v1");
}
