//! The room against a real API server: what kube, hyper and the server do together.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, and its helpers are parts of it")]

mod calls;
mod connections;
mod plugins;
mod pods;
mod proxies;
mod service_account;
mod waits;

use std::path::Path;
use std::time::Duration;

use kubernetes::{Cluster, Limits, Object, Settings};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// The cluster that all tests of this process share.
fn shared() -> &'static cluster::Cluster {
    cluster::Cluster::shared().unwrap()
}

/// The room over a kubeconfig.
fn over(kubeconfig: &Path) -> Cluster {
    Cluster::resolve(&Settings { config_paths: vec![kubeconfig.to_owned()], ..Settings::default() }).unwrap()
}

fn administrator() -> Cluster {
    over(&shared().kubeconfig())
}

/// Long enough that no test ends by it.
fn limits() -> Limits {
    Limits::patient(Duration::from_secs(60), &CancellationToken::new())
}

fn object(json: Value) -> Object {
    Object::new(json).unwrap()
}
