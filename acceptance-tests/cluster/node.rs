//! Nodes of the cluster: objects whose kubelets kwok plays.

use anyhow::Result;
use serde_json::{Value, json};

use crate::cluster::Cluster;

/// How many GPUs the machine has; a running device plugin registers them (`stages/gpus.yaml`).
const GPUS: &str = "node.test/gpus";

/// A node that is about to be created.
///
/// Without more it is an 8-core machine on Talos 1.12. Its addresses are of loopback. A node whose name begins with
/// `noruntime-` has no runtime handler: pods with a runtime class do not start there.
#[derive(Debug)]
#[must_use = "nothing is there before `create`"]
pub struct NodeBuilder<'a> {
    cluster: &'a Cluster,
    name: String,
    labels: Value,
    annotations: Value,
    taints: Vec<Value>,
    os_image: String,
    registered: Option<u32>,
}

impl<'a> NodeBuilder<'a> {
    pub(crate) fn new(cluster: &'a Cluster, name: &str) -> Self {
        Self {
            cluster,
            name: name.to_owned(),
            labels: json!({
                "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
            }),
            annotations: json!({"kwok.x-k8s.io/node": "fake"}),
            taints: Vec::new(),
            os_image: "Talos (v1.12.0)".to_owned(),
            registered: None,
        }
    }

    /// A label.
    pub fn label(mut self, key: &str, value: &str) -> Self {
        self.labels[key] = json!(value);
        self
    }

    /// A taint; `effect` is `NoSchedule` or another that Kubernetes knows.
    pub fn taint(mut self, key: &str, value: &str, effect: &str) -> Self {
        self.taints.push(json!({"key": key, "value": value, "effect": effect}));
        self
    }

    /// What the node says that it runs: `Talos (v1.13.9)`.
    pub fn os_image(mut self, image: &str) -> Self {
        image.clone_into(&mut self.os_image);
        self
    }

    /// The machine has so many GPUs: they can be had once a device plugin runs there.
    pub fn gpus(mut self, count: u32) -> Self {
        self.annotations[GPUS] = json!(count.to_string());
        self
    }

    /// So many GPUs can be had at once, without a plugin.
    pub fn registered_gpus(mut self, count: u32) -> Self {
        self.registered = Some(count);
        self
    }

    /// Creates it and waits until it is ready.
    ///
    /// # Errors
    /// When there is one of that name already, or it does not become ready.
    pub fn create(self) -> Result<()> {
        let path = format!("/api/v1/nodes/{}", self.name);
        self.cluster.api().create("/api/v1/nodes", &self.object())?;
        self.cluster.until(&format!("node {} is ready", self.name), || {
            let node = self.cluster.api().get(&path)?;
            // A new node is tainted until its controller has seen it ready.
            let taints = node["spec"]["taints"].as_array();
            let tainted = taints.is_some_and(|taints| taints.iter().any(|taint| is_of_the_start(&taint["key"])));
            Ok((condition(&node, "Ready") == Some("True") && !tainted).then_some(()))
        })
    }

    fn object(&self) -> Value {
        let mut resources = json!({"cpu": "8", "memory": "32Gi", "pods": "110"});
        if let Some(count) = self.registered {
            resources["nvidia.com/gpu"] = json!(count.to_string());
        }
        json!({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": self.name, "labels": self.labels, "annotations": self.annotations},
            "spec": {"taints": self.taints},
            "status": {
                "capacity": resources,
                "allocatable": resources,
                "nodeInfo": {
                    "architecture": "amd64", "operatingSystem": "linux", "osImage": self.os_image,
                    "kernelVersion": "6.12.0-talos", "containerRuntimeVersion": "containerd://2.1.5",
                    "kubeletVersion": format!("v{}.0", self.cluster.release()), "kubeProxyVersion": "",
                    "bootID": "", "machineID": "", "systemUUID": "",
                },
            },
        })
    }
}

fn is_of_the_start(key: &Value) -> bool {
    key.as_str().is_some_and(|key| key.starts_with("node.kubernetes.io/"))
}

fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a str> {
    let conditions = object["status"]["conditions"].as_array()?;
    conditions.iter().find(|condition| condition["type"] == kind)?["status"].as_str()
}
