//! The nodes of a cluster, as far as GPUs go: what a message says of them.

use kubernetes::Object;
use serde_json::Value;

/// A node and its GPUs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeGpus {
    pub(crate) name: String,
    /// What pods can have, taken or not.
    pub(crate) allocatable: u64,
    /// What the device plugin has registered; more than can be had where some are broken or the plugin is gone.
    pub(crate) capacity: u64,
    /// Its kubelet answers.
    pub(crate) ready: bool,
}

impl NodeGpus {
    pub(crate) fn of(node: &Object) -> Self {
        let count = |list: &str| {
            let number = node.at(&format!("/status/{list}/nvidia.com~1gpu")).and_then(Value::as_str);
            number.and_then(|number| number.parse().ok()).unwrap_or_default()
        };
        let conditions = node.at("/status/conditions").and_then(Value::as_array);
        let ready = conditions.into_iter().flatten().any(|condition| {
            let field = |name: &str| condition.get(name).and_then(Value::as_str);
            field("type") == Some("Ready") && field("status") == Some("True")
        });
        Self { name: node.name().to_owned(), allocatable: count("allocatable"), capacity: count("capacity"), ready }
    }

    /// `gpu-1 has 4`, `gpu-2 has 0 of 4`, `gpu-3 has 4 and is not ready`.
    pub(crate) fn words(&self) -> String {
        let of = if self.capacity > self.allocatable { format!(" of {}", self.capacity) } else { String::new() };
        let state = if self.ready { "" } else { " and is not ready" };
        format!("{} has {}{of}{state}", self.name, self.allocatable)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn node(name: &str, allocatable: &Value, capacity: &Value, ready: &str) -> String {
        let node = json!({
            "apiVersion": "v1", "kind": "Node", "metadata": {"name": name},
            "status": {
                "allocatable": {"nvidia.com/gpu": allocatable}, "capacity": {"nvidia.com/gpu": capacity},
                "conditions": [{"type": "Ready", "status": ready}],
            },
        });
        NodeGpus::of(&Object::new(node).unwrap()).words()
    }

    #[test]
    fn a_node_is_said_with_what_it_has() {
        assert_eq!(node("a", &json!("4"), &json!("4"), "True"), "a has 4");
        assert_eq!(node("a", &json!("0"), &json!("4"), "True"), "a has 0 of 4");
        assert_eq!(node("a", &json!(null), &json!(null), "Unknown"), "a has 0 and is not ready");
    }
}
