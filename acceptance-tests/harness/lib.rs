//! The acceptance harness: real command lines, the provider's binary, a test node and a real Kubernetes control plane,
//! driven from the outside.
//!
//! It is a black box. It knows what a user knows (files, commands, what they print, what the node holds) and never a
//! room's types, so that a case can only pass for a reason that a user would see. Everything that a case did is kept
//! and shown when it fails: commands, files, exit codes, output, the calls that the node saw, the objects of the cluster.

mod canary;
mod case;
mod change;
mod cli;
mod combos;
mod command;
mod diagnostic;
mod helm;
mod http;
mod machine;
mod node;
mod package;
mod places;
mod processor;
mod registry;
mod running;
mod transcript;
mod views;
mod workspace;

pub use canary::{Canaries, Leak};
pub use case::{Case, Failure, main_tf, main_tf_over, run};
pub use change::Change;
pub use cli::{Cli, Version};
pub use cluster::{Claim, Cluster, Direction, Fault, Front, Gateway, Proxy, SecondServer, Speaks};
pub use command::Run;
pub use diagnostic::{Diagnostic, Severity};
pub use helm::{Helm, HelmMajor};
pub use machine::Machine;
pub use node::{Minor, Node, NodeOptions};
pub use package::{Package, VERSION, platform};
pub use places::{provider_binary, repository, tools};
pub use processor::processor_time;
pub use registry::Registry;
pub use running::Running;
pub use views::{Plan, State};
pub use workspace::Workspace;
