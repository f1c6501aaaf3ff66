//! The command lines of the parts of a control plane.
//!
//! What each flag is for was measured: the pair `--advertise-address` and `--endpoint-reconciler-type=none` starts
//! without a route to anywhere, the QPS of the controller manager saves five seconds of every start, and admission's
//! defaults are what a real cluster has.

use std::path::Path;

/// Where everything of a cluster lies and listens. All ports are of 127.0.0.1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) etcd: u16,
    pub(crate) etcd_peer: u16,
    pub(crate) server: u16,
    /// The kubelet of every node: `kubelet.rs`.
    pub(crate) kubelet: u16,
}

impl Layout<'_> {
    fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// Keeps its data for as long as the cluster lives: it need not survive the machine, so nothing waits for a disk.
    pub(crate) fn etcd(&self) -> Vec<String> {
        let (client, peer) =
            (format!("http://127.0.0.1:{}", self.etcd), format!("http://127.0.0.1:{}", self.etcd_peer));
        vec![
            "--name=t".to_owned(),
            format!("--data-dir={}", self.file("etcd")),
            "--unsafe-no-fsync".to_owned(),
            "--log-level=warn".to_owned(),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster=t={peer}"),
        ]
    }

    pub(crate) fn apiserver(&self) -> Vec<String> {
        vec![
            format!("--etcd-servers=http://127.0.0.1:{}", self.etcd),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--secure-port={}", self.server),
            "--advertise-address=127.0.0.1".to_owned(),
            "--endpoint-reconciler-type=none".to_owned(),
            format!("--tls-cert-file={}", self.file("server.crt")),
            format!("--tls-private-key-file={}", self.file("server.key")),
            format!("--client-ca-file={}", self.file("ca.crt")),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            format!("--service-account-key-file={}", self.file("tokens.pub")),
            format!("--service-account-signing-key-file={}", self.file("tokens.key")),
            "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
            "--authorization-mode=Node,RBAC".to_owned(),
            "--allow-privileged=true".to_owned(),
            // Nodes are on loopback, whatever else a test writes into their addresses.
            "--kubelet-preferred-address-types=InternalIP".to_owned(),
            format!("--kubelet-certificate-authority={}", self.file("ca.crt")),
        ]
    }

    pub(crate) fn controller_manager(&self) -> Vec<String> {
        vec![
            format!("--kubeconfig={}", self.file("controller-manager.kubeconfig")),
            "--leader-elect=false".to_owned(),
            "--secure-port=0".to_owned(),
            format!("--service-account-private-key-file={}", self.file("tokens.key")),
            format!("--root-ca-file={}", self.file("ca.crt")),
            "--use-service-account-credentials=true".to_owned(),
            "--kube-api-qps=500".to_owned(),
            "--kube-api-burst=1000".to_owned(),
        ]
    }

    pub(crate) fn scheduler(&self) -> Vec<String> {
        vec![
            format!("--kubeconfig={}", self.file("scheduler.kubeconfig")),
            "--leader-elect=false".to_owned(),
            "--secure-port=0".to_owned(),
        ]
    }

    pub(crate) fn kwok(&self) -> Vec<String> {
        vec![
            format!("--kubeconfig={}", self.file("kwok.kubeconfig")),
            format!("--config={}", self.file("stages.yaml")),
            "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake".to_owned(),
            "--node-ip=127.0.0.1".to_owned(),
            format!("--node-port={}", self.kubelet),
            // Of its own server nothing is used; without this it listens on every address.
            "--server-address=127.0.0.1:0".to_owned(),
            // Of pods, which nothing dials.
            "--cidr=10.0.0.0/16".to_owned(),
        ]
    }
}

/// All of `stages/`, as the one file that kwok reads.
pub(crate) fn stages() -> String {
    let files = [
        include_str!("stages/nodes.yaml"),
        include_str!("stages/pods.yaml"),
        include_str!("stages/faults.yaml"),
        include_str!("stages/gpus.yaml"),
    ];
    files.join("---\n")
}
