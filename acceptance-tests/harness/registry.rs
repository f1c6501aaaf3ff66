//! A registry on loopback, and a command line's settings that make it the public one.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::cli::Cli;
use crate::places;
use crate::workspace::Workspace;

/// A registry that runs until it is dropped.
#[derive(Debug)]
pub struct Registry {
    process: Child,
    folder: PathBuf,
    host: String,
}

impl Registry {
    /// One that serves this release and announces the key that lies in `key`. Modules go to `modules`, and what
    /// `providers mirror` writes to `mirror`, at any time.
    pub(crate) fn start(folder: PathBuf, release: &Path, key: &Path) -> Result<Self> {
        for name in ["modules", "mirror"] {
            fs::create_dir_all(folder.join(name))?;
        }
        let mut command = Command::new(places::tools("registry")?);
        command.arg("--release").arg(release).arg("--key").arg(key).arg("--state").arg(&folder);
        command.arg("--modules").arg(folder.join("modules")).arg("--mirror").arg(folder.join("mirror"));
        // It ends with its standard input, whatever becomes of this process.
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let stdout = process.stdout.take().context("the registry has no stdout")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        match line.trim().strip_prefix("ready ") {
            Some(host) => Ok(Self { process, folder, host: host.to_owned() }),
            None => bail!("the registry did not start: {line}"),
        }
    }

    /// Host and port, as they stand in a source address.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Where modules go: NAMESPACE/NAME/SYSTEM/VERSION/.
    #[must_use]
    pub fn modules(&self) -> PathBuf {
        self.folder.join("modules")
    }

    /// Where a mirror goes.
    #[must_use]
    pub fn mirror(&self) -> PathBuf {
        self.folder.join("mirror")
    }

    /// What it was asked for, such as `GET /release/…`.
    ///
    /// # Errors
    /// When its log cannot be read.
    pub fn requests(&self) -> Result<Vec<String>> {
        let text = fs::read_to_string(self.folder.join("requests.log"))?;
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// From now on the workspace's commands trust it and take it for the public registries, so that addresses without a
    /// host, `talos-gpu/nvidia`, are found here.
    ///
    /// # Errors
    /// When the settings cannot be written.
    pub fn stands_in(&self, workspace: &mut Workspace) -> Result<()> {
        let service = |name: &str| format!("    \"{name}.v1\" = \"https://{}/v1/{name}/\"\n", self.host);
        let services = [service("providers"), service("modules")].concat();
        let host = |cli: &Cli| format!("host \"{}\" {{\n  services = {{\n{services}  }}\n}}\n", cli.registry());
        self.settings(workspace, &Cli::ALL.iter().map(host).collect::<String>())
    }

    /// From now on the workspace's commands trust it, and find providers as `installation` says: `network_mirror {…}`.
    ///
    /// # Errors
    /// When the settings cannot be written.
    pub fn is_reached_by(&self, workspace: &mut Workspace, installation: &str) -> Result<()> {
        self.settings(workspace, &format!("provider_installation {{\n  {installation}\n}}\n"))
    }

    /// From now on the workspace's commands trust it, and their settings are these.
    fn settings(&self, workspace: &mut Workspace, settings: &str) -> Result<()> {
        let path = workspace.home().join("registry.tfrc");
        fs::write(&path, settings)?;
        workspace.set_env("TF_CLI_CONFIG_FILE", path);
        workspace.set_env("SSL_CERT_FILE", self.folder.join("ca.pem"));
        Ok(())
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}
