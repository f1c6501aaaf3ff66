//! The Terraform plugin protocol (tfplugin6, 6.11): handshake, life cycle, wire codec, and the rules that
//! Terraform holds a provider to.
//!
//! This room knows nothing of Talos, Kubernetes or NVIDIA. A provider implements [`Provider`], [`Resource`] and
//! [`DataSource`] over the types of this crate and never meets a wire type: those stop at the conversions in `wire`.

pub mod codec;
pub mod context;
pub mod diagnostics;
mod handshake;
mod life;
mod listen;
mod log;
mod panics;
pub mod path;
pub mod private;
pub mod provider;
mod rpc;
pub mod rules;
pub mod schema;
pub mod serve;
mod server;
mod services;
pub mod timeouts;
mod tls;
pub mod validators;
pub mod value;
mod wire;

pub use async_trait::async_trait;
pub use context::Context;
pub use diagnostics::{Diagnostic, Diagnostics, Severity};
pub use path::{Path, Step};
pub use private::Private;
pub use provider::{
    Applied, ApplyRequest, DataSource, DeleteRequest, Imported, PlanRequest, Planned, Provider, ReadRequest, Resource,
};
pub use schema::{Attribute, Kind, Mode, Nesting, Schema, Validator};
pub use serve::{ServeOptions, serve};
pub use timeouts::Timeouts;
pub use value::{Field, Number, Refinement, Type, Value};
