//! One case: its folder, its command line, its nodes, the cluster, and the report when it fails.

use std::any::Any;
use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};
use cluster::Cluster;
use tempfile::TempDir;

use crate::cli::Cli;
use crate::node::{Minor, Node, NodeOptions};
use crate::places;
use crate::registry::Registry;
use crate::transcript::Transcript;
use crate::workspace::Workspace;

/// What a case is given: a folder of its own, a command line and a Talos version, and what it needs of each.
#[derive(Debug)]
pub struct Case {
    /// The command line that it is to use.
    pub cli: Cli,
    /// The Talos version that its nodes are to be.
    pub minor: Minor,
    binary: PathBuf,
    folder: TempDir,
    made: AtomicUsize,
    transcript: Transcript,
}

/// A case that failed. Its `Debug`, which is what the test runner prints, is the whole report.
pub struct Failure(String);

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Case {
    /// A case in a new temporary folder, over this provider binary.
    ///
    /// # Errors
    /// When the folder cannot be made or the binary is missing.
    pub fn new(cli: Cli, minor: Minor, binary: &Path) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("nvidia-").tempdir().context("no temporary folder")?;
        let plugin = folder.path().join("plugin");
        std::fs::create_dir(&plugin)?;
        places::provider_binary(binary, &plugin)?;
        let (made, transcript) = (AtomicUsize::new(0), Transcript::default());
        Ok(Self { cli, minor, binary: binary.to_owned(), folder, made, transcript })
    }

    /// The folder of the case, gone after it unless it fails.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The provider's binary.
    #[must_use]
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    /// A workspace with this `main.tf`.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn workspace(&self, main: &str) -> Result<Workspace> {
        let plugin = self.path().join("plugin");
        let workspace = Workspace::new(self.cli, self.next("w"), &plugin, self.transcript.clone())?;
        workspace.write("main.tf", main)?;
        Ok(workspace)
    }

    /// A workspace whose `main.tf` begins with the `terraform` block and a provider block that reaches this node as its
    /// administrator; `rest` holds the resources.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn workspace_for(&self, node: &Node, rest: &str) -> Result<Workspace> {
        self.workspace(&main_tf(node, rest))
    }

    /// A workspace whose `main.tf` begins with the `terraform` block and a provider block that reaches a cluster with this
    /// kubeconfig: the cluster's own, a user's or a proxy's.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn workspace_over(&self, kubeconfig: &Path, rest: &str) -> Result<Workspace> {
        self.workspace(&main_tf_over(None, Some(kubeconfig), rest))
    }

    /// The cluster that the cases of this process share, started by the first that asks. It keeps what a case creates:
    /// names are of `Cluster::unique`, or claimed with `Cluster::claim`.
    ///
    /// # Errors
    /// When it does not start.
    pub fn cluster(&self) -> Result<&'static Cluster> {
        let cluster = Cluster::shared()?;
        self.transcript.uses(cluster);
        Ok(cluster)
    }

    /// A node with one machine at `10.0.0.5` that has all that the guide asks for.
    ///
    /// # Errors
    /// When it does not start.
    pub fn node(&self) -> Result<Node> {
        self.node_with(&NodeOptions::default())
    }

    /// A node with another script or configuration.
    ///
    /// # Errors
    /// When it does not start.
    pub fn node_with(&self, options: &NodeOptions) -> Result<Node> {
        Node::start(self.minor, self.next("n"), options, &self.transcript)
    }

    /// A registry that serves this release and announces the key in `key`.
    ///
    /// # Errors
    /// When it does not start.
    pub fn registry(&self, release: &Path, key: &Path) -> Result<Registry> {
        Registry::start(self.next("r"), release, key)
    }

    /// Short names: the path of a Unix socket may have about a hundred bytes.
    fn next(&self, prefix: &str) -> PathBuf {
        self.path().join(format!("{prefix}{}", self.made.fetch_add(1, Ordering::Relaxed)))
    }

    fn report(self, reason: &str) -> Failure {
        let told = self.transcript.tell();
        let (cli, minor) = (self.cli, self.minor);
        let version = cli.version().map_or_else(|error| format!("{error:#}"), |version| version.to_string());
        let kept = self.folder.keep();
        let logs = self.transcript.keep_logs(&kept).map_or_else(|error| format!("{error:#}\n"), |()| String::new());
        Failure(format!("{reason}\n\n{cli} {version}, Talos {minor}, kept in {}\n{logs}{told}", kept.display()))
    }
}

/// `terraform` and `provider` blocks for this node, then the rest.
///
/// The blocks stand first, so that a line number in `rest` can be told from its own text.
#[must_use]
pub fn main_tf(node: &Node, rest: &str) -> String {
    main_tf_over(Some(node), None, rest)
}

/// `terraform` and `provider` blocks for a node, a kubeconfig or both, then the rest.
#[must_use]
pub fn main_tf_over(node: Option<&Node>, kubeconfig: Option<&Path>, rest: &str) -> String {
    let half = |name: &str, path: &Path| format!("  {name} = {{\n    config_path = \"{}\"\n  }}\n", path.display());
    let talos = node.map(|node| half("talos", &node.file("talosconfig"))).unwrap_or_default();
    let kubernetes = kubeconfig.map(|path| half("kubernetes", path)).unwrap_or_default();
    format!(
        r#"terraform {{
  required_providers {{
    nvidia = {{
      source = "talos-gpu/nvidia"
    }}
  }}
}}

provider "nvidia" {{
{talos}{kubernetes}}}

{rest}"#
    )
}

/// Runs one case: a panic and an error alike become a report.
///
/// # Errors
/// When the case fails.
pub fn run(cli: Cli, minor: Minor, binary: &Path, body: fn(&Case) -> Result<()>) -> Result<(), Failure> {
    let case = Case::new(cli, minor, binary).map_err(|error| Failure(format!("{error:#}")))?;
    match panic::catch_unwind(AssertUnwindSafe(|| body(&case))) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(case.report(&format!("{error:#}"))),
        Err(payload) => Err(case.report(&said(payload.as_ref()))),
    }
}

fn said(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("the case panicked").to_owned()
}
