//! Talos Linux: a client of its API, and an exact editor of its machine configurations.
//!
//! This room knows nothing of Terraform, Kubernetes or NVIDIA. [`Discovery`] finds a client configuration, [`Client`] makes
//! [`Node`]s of it, whose methods are the calls; no message of the wire and no status of gRPC leaves the crate. Editing, in
//! `machine_config`, is pure: bytes in, bytes out.

pub mod client;
pub mod config;
mod controller_log;
pub mod error;
pub mod machine_config;
mod proto;
pub mod resource;
pub mod secret;
pub mod version;

pub use client::{Client, Node};
pub use config::{ClientConfig, Discovery, Endpoint};
pub use controller_log::ControllerFailure;
pub use error::{Error, ErrorKind};
pub use resource::{Found, Resource};
pub use secret::ConfigBytes;
pub use version::TalosVersion;
