//! What surrounds one call: whether the user has asked to stop, and what the CLI can do.

use tokio_util::sync::CancellationToken;

/// Surroundings of one RPC, given to every method of a resource.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// Cancelled by StopProvider (the first Ctrl-C): a wait ends and returns what is known.
    pub stop: CancellationToken,
    /// The CLI sends and accepts write-only attributes (Terraform 1.11, OpenTofu 1.11).
    pub write_only_attributes_allowed: bool,
}
