//! What is needed of a Kubernetes cluster: its objects, read, applied, watched and deleted, over kube.
//!
//! This room knows nothing of Terraform, Talos or NVIDIA. [`Settings`] say how a cluster is reached, [`Cluster`] makes the
//! calls on [`Object`]s, and no type of kube leaves the crate. What is drift, what a quantity means and what a name may be
//! are pure.

mod call;
mod client;
pub mod cluster;
mod credentials;
pub mod drift;
pub mod error;
pub mod names;
pub mod object;
pub mod quantity;
pub mod settings;
pub mod toleration;

pub use cluster::{
    Applied, Apply, Cluster, Event, Limits, Listed, LogOptions, Objects, Preconditions, Propagation, Selection, Version,
};
pub use error::{Call, Error, ErrorKind};
pub use object::{Kind, NotAnObject, Object, ObjectRef};
pub use quantity::Quantity;
pub use settings::{Settings, SettingsError};
pub use toleration::Toleration;
