//! The Talos version of each node, as its kubelet reports it (`osImage`: `Talos (v1.13.9)`).

use kubernetes::{Cluster, Kind, Limits, Object, Selection};
use serde_json::Value;
use talos::TalosVersion;

/// How many nodes are looked at: enough to find a version, without reading a large cluster.
const MOST: u32 = 200;

/// A node that runs Talos.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TalosNode {
    pub(crate) name: String,
    pub(crate) version: TalosVersion,
    /// It has, or had, a GPU of NVIDIA to give to pods.
    pub(crate) has_gpu: bool,
}

/// Looks at the nodes of a cluster. Empty where they cannot be listed.
pub(super) async fn look(cluster: &Cluster, limits: Limits) -> Vec<TalosNode> {
    match cluster.first(&Selection::all(Kind::NODE, None), MOST, &limits).await {
        Ok(nodes) => nodes.iter().filter_map(of).collect(),
        Err(error) => {
            tracing::debug!(kind = %error.kind(), "the nodes cannot be listed");
            Vec::new()
        }
    }
}

fn of(node: &Object) -> Option<TalosNode> {
    let image = node.at("/status/nodeInfo/osImage").and_then(Value::as_str)?;
    let tag = image.strip_prefix("Talos (")?.strip_suffix(')')?;
    let has = |pointer: &str| node.at(pointer).is_some();
    Some(TalosNode {
        name: node.name().to_owned(),
        version: tag.parse().ok()?,
        has_gpu: has("/status/capacity/nvidia.com~1gpu") || has("/metadata/labels/nvidia.com~1gpu.present"),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_node_tells_its_version_and_whether_it_has_gpus() {
        let node = |image: &str, capacity: Value| {
            let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "a"},
                "status": {"nodeInfo": {"osImage": image}, "capacity": capacity}});
            of(&Object::new(node).unwrap()).map(|node| (node.version.minor(), node.has_gpu))
        };
        assert_eq!(node("Talos (v1.13.9)", json!({"nvidia.com/gpu": "1"})), Some(((1, 13), true)));
        assert_eq!(node("Talos (v1.12.0)", json!({"cpu": "1"})), Some(((1, 12), false)));
        assert_eq!(node("Ubuntu 24.04", json!({})), None);
    }
}
