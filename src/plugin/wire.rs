//! The protocol's messages, generated from `proto/`, and the conversions between them and the types of this room.
//!
//! Nothing outside of `wire`, `rpc` and `services` meets a generated type.

mod diagnostics;
mod proto;
mod schema;
mod value;

pub(crate) use diagnostics::{diagnostics, path};
pub(crate) use proto::{go_plugin, health, tfplugin6};
pub(crate) use schema::schema;
pub(crate) use value::{decode, encode};
