//! What is said about `nvidia_runtime_class` alone.

use kubernetes::ObjectRef;
use plugin::{Diagnostics, Path};

use super::list;
use crate::clusters::TalosNode;

/// How many nodes a message names.
const NAMED: usize = 3;

/// Nodes of Talos 1.13 or newer, where the guide has removed this object.
pub(crate) fn works_through_cdi(object: &ObjectRef, nodes: &[TalosNode], diagnostics: &mut Diagnostics) {
    let mut names: Vec<String> =
        nodes.iter().take(NAMED).map(|node| format!("{} ({})", node.name, node.version)).collect();
    if nodes.len() > NAMED {
        names.push(format!("{} more", nodes.len() - NAMED));
    }
    diagnostics.warn(
        Path::root(),
        "The runtime class is not needed from Talos 1.13 on",
        format!("These nodes run Talos 1.13 or newer: {}. There the NVIDIA container toolkit works through CDI: pods get their GPUs without a runtime class, and the guide for these versions removes {object} and uses the NVIDIA GPU operator. Once every GPU node runs 1.13, take `runtimeClassName` out of your pods, then remove this resource.", list(&names)),
    );
}
