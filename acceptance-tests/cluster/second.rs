//! A second API server over the same etcd, for one case to kill and to start again. What is stored, the controllers and
//! the nodes are those of the cluster, which goes on with its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, ensure};

use crate::api::Api;
use crate::certificates::ADMINISTRATORS;
use crate::cluster::Cluster;
use crate::kubeconfig::address;
use crate::parts::Layout;
use crate::ports;
use crate::supervisor::Supervisor;

/// A server that runs until it is killed or dropped.
#[derive(Debug)]
pub struct SecondServer<'a> {
    cluster: &'a Cluster,
    /// Its log, while it runs.
    folder: PathBuf,
    port: u16,
    kubeconfig: PathBuf,
    running: Mutex<Option<Supervisor>>,
}

impl<'a> SecondServer<'a> {
    /// One that runs, with a kubeconfig for this user.
    pub(crate) fn start(cluster: &'a Cluster, name: &str, groups: &[&str]) -> Result<Self> {
        let port = ports::free()?;
        let kubeconfig = cluster.write_kubeconfig("second", &address(port), name, groups)?;
        let folder = cluster.folder.join(cluster.unique("second"));
        let server = Self { cluster, folder, port, kubeconfig, running: Mutex::new(None) };
        server.again()?;
        Ok(server)
    }

    /// A kubeconfig that leads here.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Ends it as a crash does: SIGKILL, with every connection that is open.
    pub fn kill(&self) {
        drop(self.lock().take());
    }

    /// Starts it again on its port, and waits until it is ready.
    ///
    /// # Errors
    /// When it does not become ready.
    pub fn again(&self) -> Result<()> {
        let mut running = self.lock();
        ensure!(running.is_none(), "it runs");
        fs::create_dir_all(&self.folder).with_context(|| format!("cannot make {}", self.folder.display()))?;
        let mut supervisor = Supervisor::start(&self.folder)?;
        let layout = Layout {
            folder: &self.cluster.folder,
            etcd: self.cluster.etcd,
            etcd_peer: 0,
            server: self.port,
            kubelet: 0,
        };
        let program = self.cluster.release.program("kube-apiserver")?;
        supervisor.run("kube-apiserver", &program, &layout.apiserver())?;
        let authority = &self.cluster.authority;
        let api = Api::new(self.port, authority, &authority.client("second", &[ADMINISTRATORS])?)?;
        self.cluster.until("the second API server is ready", || {
            ensure!(supervisor.processes().iter().all(|process| process.runs()), "it has ended");
            Ok(api.call("GET", "/readyz", None).ok().filter(|answer| answer.code == 200).map(drop))
        })?;
        *running = Some(supervisor);
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Supervisor>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
