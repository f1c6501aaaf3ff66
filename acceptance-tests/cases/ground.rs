//! Where whole pages are followed word by word: two GPU nodes at the addresses that the pages name, a cluster that has them
//! too, and a home that leads to both.

use std::fs;

use anyhow::Result;
use harness::{Case, Claim, Cluster, Node, NodeOptions, Workspace};
use serde_json::json;

use crate::patch::expect_bytes;

/// Addresses of the pages' GPU nodes.
pub(crate) const NODES: [&str; 2] = ["10.0.0.5", "10.0.0.6"];

/// Two nodes behind a control plane, and the cluster. The pages' names of cluster-wide things are this one's alone.
pub(crate) struct Ground {
    pub(crate) cluster: &'static Cluster,
    pub(crate) node: Node,
    untouched: Vec<Vec<u8>>,
    /// What the cluster calls the pages' gpu-1 and gpu-2, and the namespace whose pods print what nvidia-smi does.
    names: [String; 2],
    namespace: String,
    _claims: [Claim<'static>; 2],
}

impl Ground {
    pub(crate) fn new(case: &Case) -> Result<Self> {
        let cluster = case.cluster()?;
        let claims = ["runtimeclass/nvidia", "namespace/nvidia-device-plugin"].map(|name| cluster.claim(name));
        let names = ["page-a", "page-b"].map(|name| cluster.unique(name));
        let namespace = cluster.unique("page");
        cluster.namespace(&namespace).log(crate::smoke_test::TABLE).create()?;
        let machines = ["10.0.0.1", NODES[0], NODES[1]].map(|name| json!({"name": name}));
        let node = case.node_with(&NodeOptions::script(json!({"nodes": machines})))?;
        let untouched = NODES.iter().map(|name| node.named(name).config()).collect::<Result<_>>()?;
        let ground = Self { cluster, node, untouched, names, namespace, _claims: claims };
        for name in &ground.names {
            cluster.node(name).label(&ground.label(), "true").gpus(1).create()?;
        }
        Ok(ground)
    }

    /// A reader's home: both configurations where the programs look for them.
    pub(crate) fn is_reached_from(&self, workspace: &mut Workspace) -> Result<()> {
        for (name, from) in [(".talos", self.node.file("talosconfig")), (".kube", self.cluster.kubeconfig())] {
            let folder = workspace.home().join(name);
            fs::create_dir_all(&folder)?;
            fs::copy(from, folder.join("config"))?;
        }
        workspace.set_env("KUBECONFIG", workspace.home().join(".kube/config"));
        Ok(())
    }

    /// A page's text with the names that this cluster has in place of the page's: the nodes of other cases have the label
    /// too, and pods of the namespace `default` print nothing.
    pub(crate) fn named(&self, text: &str) -> String {
        let [a, b] = &self.names;
        let text = text.replace("nvidia.com/gpu.present", &self.label()).replace("gpu-1", a).replace("gpu-2", b);
        text.replace(
            "  node_name          =",
            &format!("  namespace          = \"{}\"\n  node_name          =", self.namespace),
        )
    }

    /// The nodes have their own bytes, and nothing of the pages is left in the cluster.
    pub(crate) fn is_as_before(&self) -> Result<()> {
        for (name, before) in NODES.iter().zip(&self.untouched) {
            expect_bytes(&self.node.named(name), before)?;
        }
        for path in ["/apis/node.k8s.io/v1/runtimeclasses/nvidia", "/api/v1/namespaces/nvidia-device-plugin"] {
            assert_eq!(self.cluster.api().find(path)?, None);
        }
        for name in &self.names {
            self.cluster.api().delete(&format!("/api/v1/nodes/{name}"))?;
        }
        Ok(())
    }

    fn label(&self) -> String {
        format!("test/{}", self.namespace)
    }
}
