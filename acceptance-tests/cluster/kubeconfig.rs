//! Kubeconfig files, as JSON, which is YAML too. Everything stands in the file itself.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::certificates::Identity;

/// The one context of each file, and the names of its cluster and user.
const NAME: &str = "test";

/// A kubeconfig for this server (`https://…`), authority (PEM) and client certificate.
pub(crate) fn kubeconfig(server: &str, authority: &str, user: &Identity) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": NAME,
        "contexts": [{"name": NAME, "context": {"cluster": NAME, "user": NAME}}],
        "clusters": [{"name": NAME, "cluster": {
            "server": server,
            "certificate-authority-data": STANDARD.encode(authority),
        }}],
        "users": [{"name": NAME, "user": {
            "client-certificate-data": STANDARD.encode(&user.certificate),
            "client-key-data": STANDARD.encode(&user.key),
        }}],
    })
}

/// Writes one.
pub(crate) fn write(path: &Path, config: &Value) -> Result<()> {
    fs::write(path, serde_json::to_vec_pretty(config)?).with_context(|| format!("cannot write {}", path.display()))
}

/// The address of a server on loopback.
pub(crate) fn address(port: u16) -> String {
    format!("https://127.0.0.1:{port}")
}
