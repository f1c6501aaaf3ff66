//! The real helm, over one kubeconfig and nothing else of the machine's user, and charts small enough to be written here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::places::tools;

/// Which helm: the majors that write the same release records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HelmMajor {
    /// Without server-side apply: it patches three-way, as an `Update` of the field manager `helm`.
    Three,
    /// The newest, which figures are measured with.
    Four,
}

impl HelmMajor {
    fn program(self) -> &'static str {
        match self {
            Self::Three => "helm3",
            Self::Four => "helm",
        }
    }
}

/// helm in one namespace.
#[derive(Debug)]
pub struct Helm {
    major: HelmMajor,
    home: PathBuf,
    kubeconfig: PathBuf,
    namespace: String,
}

impl Helm {
    /// With its files in `home`, which is made.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(major: HelmMajor, home: &Path, kubeconfig: &Path, namespace: &str) -> Result<Self> {
        fs::create_dir_all(home).with_context(|| format!("cannot make {}", home.display()))?;
        Ok(Self { major, home: home.to_owned(), kubeconfig: kubeconfig.to_owned(), namespace: namespace.to_owned() })
    }

    /// Which one it is.
    #[must_use]
    pub fn major(&self) -> HelmMajor {
        self.major
    }

    /// Where its files lie: charts and what a case puts there.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// A command that is about to run.
    ///
    /// # Errors
    /// When helm is missing; the message says how to get it.
    pub fn command(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = Command::new(tools(self.major.program())?);
        command.env_clear().env("HOME", &self.home).env("KUBECONFIG", &self.kubeconfig);
        command.args(["--namespace", &self.namespace]).args(arguments);
        Ok(command)
    }

    /// What a command prints that is to succeed.
    ///
    /// # Errors
    /// When it does not.
    pub fn run(&self, arguments: &[&str]) -> Result<String> {
        let output = self.command(arguments)?.output()?;
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        if !output.status.success() {
            bail!("{} {} failed\n{stdout}{stderr}", self.major.program(), arguments.join(" "));
        }
        Ok(stdout.into_owned())
    }

    /// The same as JSON.
    ///
    /// # Errors
    /// When it fails or prints none.
    pub fn json(&self, arguments: &[&str]) -> Result<Value> {
        let text = self.run(&[arguments, &["--output", "json"]].concat())?;
        serde_json::from_str(&text).with_context(|| text.clone())
    }

    /// A chart that renders this manifest, whatever its values.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn chart(&self, version: &str, manifest: &str) -> Result<PathBuf> {
        let chart = self.home.join(format!("chart-{version}"));
        fs::create_dir_all(chart.join("templates"))?;
        let about =
            format!("apiVersion: v2\nname: nvidia-device-plugin\nversion: {version}\nappVersion: \"{version}\"\n");
        fs::write(chart.join("Chart.yaml"), about)?;
        fs::write(chart.join("values.yaml"), "{}\n")?;
        fs::write(chart.join("templates/all.yaml"), manifest)?;
        Ok(chart)
    }
}
