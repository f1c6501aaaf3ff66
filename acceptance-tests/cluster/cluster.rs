//! A running cluster, and what can be asked of it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, anyhow};
use serde_json::json;

use crate::api::Api;
use crate::certificates::{ADMINISTRATORS, Authority};
use crate::claims::{Claim, Claims};
use crate::front::Front;
use crate::gateway::{Gateway, Speaks};
use crate::kubeconfig::{address, kubeconfig, write};
use crate::kubectl::{self, Output};
use crate::namespace::Namespace;
use crate::node::NodeBuilder;
use crate::proxy::Proxy;
use crate::release::Release;
use crate::second::SecondServer;
use crate::server::Server;
use crate::start::{last_lines, start};
use crate::supervisor::Supervisor;
use crate::wait::until;

/// A running cluster. When it is dropped, or when this process ends, all of its processes end and its folder goes.
#[derive(Debug)]
pub struct Cluster {
    pub(crate) release: Release,
    pub(crate) folder: PathBuf,
    pub(crate) port: u16,
    /// Where its etcd listens.
    pub(crate) etcd: u16,
    pub(crate) authority: Authority,
    pub(crate) api: Api,
    pub(crate) claims: Claims,
    pub(crate) made: AtomicUsize,
    // Before the played kubelet, so that nothing asks one that is gone.
    pub(crate) supervisor: Supervisor,
    pub(crate) _played: Server,
}

impl Cluster {
    /// One in a new temporary folder.
    ///
    /// # Errors
    /// When a program is missing, which `make tools` mends, or does not start; the message shows its log.
    pub fn start() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("cluster-").tempdir().context("no temporary folder")?;
        let folder = folder.keep();
        // Gone already, unless it failed before anything was started there.
        Self::start_in(&folder).inspect_err(|_| drop(fs::remove_dir_all(&folder)))
    }

    /// One in this folder, which must be empty or new, and which goes with the cluster.
    ///
    /// # Errors
    /// As `start`.
    pub fn start_in(folder: &Path) -> Result<Self> {
        start(folder)
    }

    /// The cluster that all cases of this process share, started by the first that asks.
    ///
    /// # Errors
    /// As `start`, to everybody who asks.
    pub fn shared() -> Result<&'static Self> {
        static SHARED: OnceLock<Result<Cluster, String>> = OnceLock::new();
        let started = SHARED.get_or_init(|| Self::start().map_err(|error| format!("{error:#}")));
        started.as_ref().map_err(|error| anyhow!("{error}"))
    }

    /// Which Kubernetes it is.
    #[must_use]
    pub fn release(&self) -> &Release {
        &self.release
    }

    /// Where its files and logs lie.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The administrator's kubeconfig.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.join("admin.kubeconfig")
    }

    /// The API server's address: `https://127.0.0.1:PORT`.
    #[must_use]
    pub fn server(&self) -> String {
        address(self.port)
    }

    /// The certificate of its authority, PEM.
    #[must_use]
    pub fn ca(&self) -> &str {
        self.authority.pem()
    }

    /// Calls of the administrator, for what is too small for kubectl.
    #[must_use]
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// The processes by name, with their ids.
    pub fn processes(&self) -> impl Iterator<Item = (&str, u32)> {
        self.supervisor.processes().iter().map(|process| (process.name.as_str(), process.id))
    }

    /// Runs kubectl as the administrator, however it ends.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<Output> {
        self.kubectl_as(&self.kubeconfig(), arguments)
    }

    /// Runs kubectl with another kubeconfig.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn kubectl_as(&self, kubeconfig: &Path, arguments: &[&str]) -> Result<Output> {
        kubectl::run(&self.folder, kubeconfig, arguments, "")
    }

    /// `kubectl apply -f -` of these objects, YAML or JSON.
    ///
    /// # Errors
    /// When one of them is refused.
    pub fn apply(&self, objects: &str) -> Result<String> {
        kubectl::run(&self.folder, &self.kubeconfig(), &["apply", "-f", "-"], objects)?.succeeded()
    }

    /// The kubeconfig of a user who may do nothing that no role allows: what RBAC cases start from.
    ///
    /// # Errors
    /// When the user is to be in more than two groups, or the file cannot be written.
    pub fn user(&self, name: &str, groups: &[&str]) -> Result<PathBuf> {
        self.write_kubeconfig("user", &self.server(), name, groups)
    }

    /// A proxy in front of the API server, for one case to break.
    ///
    /// # Errors
    /// When it cannot listen.
    pub fn proxy(&self) -> Result<Proxy> {
        self.proxy_as("admin", &[ADMINISTRATORS])
    }

    /// The same with the kubeconfig of another user.
    ///
    /// # Errors
    /// As `proxy` and `user`.
    pub fn proxy_as(&self, name: &str, groups: &[&str]) -> Result<Proxy> {
        Proxy::start(self.port, |port| self.write_kubeconfig("proxy", &address(port), name, groups))
    }

    /// A proxy that leads to the API server, whatever name it is asked for: what a user reaches a cluster through.
    ///
    /// # Errors
    /// When it cannot listen.
    pub fn gateway(&self, speaks: Speaks) -> Result<Gateway> {
        Gateway::start(speaks, self.port)
    }

    /// The folder that Kubernetes gives to a pod with this service account of the namespace `default`, which is made
    /// where there is none: a token, the authority and the namespace.
    ///
    /// # Errors
    /// When the account cannot be made, or the folder cannot be written.
    pub fn service_account(&self, name: &str, folder: &Path) -> Result<()> {
        let at = "/api/v1/namespaces/default/serviceaccounts";
        if self.api.find(&format!("{at}/{name}"))?.is_none() {
            self.api.create(at, &json!({"metadata": {"name": name}}))?;
        }
        let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}});
        let made = self.api.create(&format!("{at}/{name}/token"), &request)?;
        let token = made["status"]["token"].as_str().context("the server gave no token")?;
        for (file, text) in [("token", token), ("ca.crt", self.ca()), ("namespace", "default")] {
            fs::write(folder.join(file), text).with_context(|| format!("cannot write {file}"))?;
        }
        Ok(())
    }

    /// The port of the API server on loopback, which a pod finds in its environment.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A front before the API server that sees requests, for one case to answer, lose and count.
    ///
    /// # Errors
    /// When it cannot listen.
    pub fn front(&self) -> Result<Front> {
        self.front_as("admin", &[ADMINISTRATORS])
    }

    /// The same for another user: whoever calls it is that one to the API server.
    ///
    /// # Errors
    /// As `front` and `user`.
    pub fn front_as(&self, name: &str, groups: &[&str]) -> Result<Front> {
        let identity = self.authority.client(name, groups)?;
        let api = Api::new(self.port, &self.authority, &identity)?;
        Front::start(api, &self.authority.server()?, |port| {
            self.write_kubeconfig("front", &address(port), name, groups)
        })
    }

    /// A second API server over the same data, for one case to kill and start again, with a kubeconfig for this user.
    ///
    /// # Errors
    /// When it does not start, and as `user`.
    pub fn second_server_as(&self, name: &str, groups: &[&str]) -> Result<SecondServer<'_>> {
        SecondServer::start(self, name, groups)
    }

    /// A node that is about to be created.
    pub fn node(&self, name: &str) -> NodeBuilder<'_> {
        NodeBuilder::new(self, name)
    }

    /// A namespace that is about to be created.
    pub fn namespace(&self, name: &str) -> Namespace<'_> {
        Namespace::new(self, name)
    }

    /// A name that no other case of this process has: `prefix-7`.
    #[must_use]
    pub fn unique(&self, prefix: &str) -> String {
        format!("{prefix}-{}", self.made.fetch_add(1, Ordering::Relaxed))
    }

    /// Takes a name that the cluster has only once, such as `runtimeclass/nvidia`, and waits while another case has it.
    #[must_use]
    pub fn claim(&self, name: &str) -> Claim<'_> {
        self.claims.claim(name)
    }

    /// Waits until `look` finds something.
    ///
    /// # Errors
    /// When it fails, or finds nothing for as long as a case may wait; the message names `what`.
    pub fn until<T>(&self, what: &str, look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
        until(what, look)
    }

    /// Keeps the folder with the logs when the cluster ends, without etcd's data, for the sake of a case that failed:
    /// for as long as there is a file in `keep`.
    ///
    /// # Errors
    /// When that cannot be noted.
    pub fn keep(&self, case: &str) -> Result<()> {
        let folder = self.folder.join("keep");
        let kept = fs::create_dir_all(&folder).and_then(|()| fs::write(folder.join(case), ""));
        kept.context("the cluster's folder cannot be kept")
    }

    /// What a reader wants to know of the cluster when a case failed: its objects and events, as kubectl shows them.
    #[must_use]
    pub fn facts(&self) -> String {
        // The newest last, since only the last lines are told: what the case at hand has made is among them.
        let newest = "--sort-by=.metadata.creationTimestamp";
        let asked: [&[&str]; 5] = [
            &["get", "nodes", "-o", "wide", newest],
            &["get", "runtimeclasses", "-o", "wide", newest],
            &["get", "pods", "-A", "-o", "wide", newest],
            &["get", "daemonsets", "-A", "-o", "wide", newest],
            &["get", "events", "-A", "--sort-by=.lastTimestamp"],
        ];
        let mut told = format!("Kubernetes {}, logs in {}\n", self.release, self.folder.display());
        for arguments in asked {
            let said = self.kubectl(arguments).map_or_else(
                |error| format!("kubectl {}: {error:#}", arguments.join(" ")),
                |output| format!("$ {}\n{}{}", output.command, last_lines(&output.stdout), output.stderr),
            );
            // Writing into a String cannot fail.
            let _ = writeln!(told, "{said}");
        }
        told
    }

    pub(crate) fn write_kubeconfig(&self, kind: &str, server: &str, name: &str, groups: &[&str]) -> Result<PathBuf> {
        let path = self.folder.join(format!("{}.kubeconfig", self.unique(kind)));
        let identity = self.authority.client(name, groups)?;
        write(&path, &kubeconfig(server, self.authority.pem(), &identity))?;
        Ok(path)
    }
}
