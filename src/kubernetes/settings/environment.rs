//! The part of the process's environment that says how a cluster is reached.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Where Kubernetes mounts a pod's credentials.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// The variables that count here; a test passes its own.
#[derive(Clone, Debug)]
pub struct Environment {
    /// `KUBE_CONFIG_PATH`: a kubeconfig, as the peer providers know it.
    pub kube_config_path: Option<OsString>,
    /// `KUBE_CONFIG_PATHS`: several.
    pub kube_config_paths: Option<OsString>,
    /// `KUBE_CTX`: the context in them.
    pub kube_ctx: Option<String>,
    /// `KUBECONFIG`: one or several, as kubectl knows it.
    pub kubeconfig: Option<OsString>,
    /// `HOME`.
    pub home: Option<OsString>,
    /// `HTTPS_PROXY` or `https_proxy`.
    pub https_proxy: Option<String>,
    /// `NO_PROXY` or `no_proxy`.
    pub no_proxy: Option<String>,
    /// `KUBERNETES_SERVICE_HOST` and `KUBERNETES_SERVICE_PORT`, which every pod has.
    pub service: Option<(String, String)>,
    /// The folder with a pod's token and CA.
    pub service_account: PathBuf,
}

impl Default for Environment {
    /// An environment that says nothing.
    fn default() -> Self {
        Self {
            kube_config_path: None,
            kube_config_paths: None,
            kube_ctx: None,
            kubeconfig: None,
            home: None,
            https_proxy: None,
            no_proxy: None,
            service: None,
            service_account: SERVICE_ACCOUNT.into(),
        }
    }
}

impl Environment {
    /// The environment of this process.
    #[must_use]
    pub fn of_process() -> Self {
        let path = |name| env::var_os(name).filter(|value| !value.is_empty());
        let text = |name| env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            kube_config_path: path("KUBE_CONFIG_PATH"),
            kube_config_paths: path("KUBE_CONFIG_PATHS"),
            kube_ctx: text("KUBE_CTX"),
            kubeconfig: path("KUBECONFIG"),
            home: path("HOME"),
            https_proxy: text("HTTPS_PROXY").or_else(|| text("https_proxy")),
            no_proxy: text("NO_PROXY").or_else(|| text("no_proxy")),
            service: text("KUBERNETES_SERVICE_HOST").zip(text("KUBERNETES_SERVICE_PORT")),
            ..Self::default()
        }
    }

    /// `~` and `~/…` with the home folder in its place; anything else as it is.
    pub(super) fn expand(&self, path: &Path) -> PathBuf {
        match (path.strip_prefix("~"), &self.home) {
            (Ok(rest), Some(home)) if rest.as_os_str().is_empty() => PathBuf::from(home),
            (Ok(rest), Some(home)) => Path::new(home).join(rest),
            _ => path.to_owned(),
        }
    }

    /// The paths in a variable that holds several.
    pub(super) fn paths(&self, list: &OsString) -> Vec<PathBuf> {
        env::split_paths(list).filter(|path| !path.as_os_str().is_empty()).map(|path| self.expand(&path)).collect()
    }
}
