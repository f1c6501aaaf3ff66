//! A real Kubernetes control plane on loopback: etcd, kube-apiserver, kube-controller-manager and kube-scheduler as
//! they are published, and nodes that kwok plays.
//!
//! What is real: the API with its admission, defaulting, field managers, RBAC and events, and every controller. What is
//! played: kubelets. Pods run, end, wait and fail as `stages/` says, and a namespace can script its pods
//! (`Cluster::namespace`). Nothing here knows a room of the provider, and nothing sends a packet to anything but
//! loopback.

mod admission;
mod api;
mod certificates;
mod claims;
mod cluster;
mod front;
mod gateway;
mod kubeconfig;
mod kubectl;
mod kubelet;
mod logs;
mod namespace;
mod node;
mod parts;
mod ports;
mod proxy;
mod release;
mod second;
mod server;
mod start;
mod supervisor;
mod wait;

pub use api::Api;
pub use claims::Claim;
pub use cluster::Cluster;
pub use front::{Fault, Front};
pub use gateway::{Gateway, Speaks};
pub use kubectl::Output;
pub use namespace::Namespace;
pub use node::NodeBuilder;
pub use proxy::{Direction, Proxy};
pub use release::Release;
pub use second::SecondServer;
