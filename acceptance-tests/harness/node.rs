//! A test node: the process that is one or many Talos machines behind one endpoint.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};

use crate::machine::Machine;
use crate::places;
use crate::processor::processor_time;
use crate::transcript::Transcript;

/// A minor version of Talos; `Minor(13)` is 1.13.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Minor(pub u8);

impl std::fmt::Display for Minor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "1.{}", self.0)
    }
}

/// What a test node is started with.
#[derive(Clone, Debug)]
pub struct NodeOptions {
    /// Its script, as `acceptance-tests/talos-node/README.md` describes it.
    pub script: Value,
    /// The first configuration, byte for byte; Talos's generator makes one when there is none.
    pub config: Option<Vec<u8>>,
}

impl NodeOptions {
    /// The address of the machine that `machine` describes.
    pub const ADDRESS: &'static str = "10.0.0.5";

    /// One machine at `10.0.0.5`, with what is given on top of the defaults (`{"gpus": []}`).
    #[must_use]
    pub fn machine(mut extra: Value) -> Self {
        extra["name"] = json!(Self::ADDRESS);
        Self::script(json!({"nodes": [extra]}))
    }

    /// Any script.
    #[must_use]
    pub fn script(script: Value) -> Self {
        Self { script, config: None }
    }

    /// The first configuration of its machines.
    #[must_use]
    pub fn config(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.config = Some(bytes.into());
        self
    }
}

impl Default for NodeOptions {
    fn default() -> Self {
        Self::machine(json!({}))
    }
}

/// A running test node. It is used as its first machine; `named` gives the others.
#[derive(Debug)]
pub struct Node {
    process: Option<Child>,
    minor: Minor,
    folder: PathBuf,
    first: Machine,
    with_config: bool,
}

impl Node {
    /// Starts one in `folder` and waits until it is ready.
    pub(crate) fn start(minor: Minor, folder: PathBuf, options: &NodeOptions, transcript: &Transcript) -> Result<Self> {
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("script.json"), serde_json::to_vec_pretty(&options.script)?)?;
        if let Some(config) = &options.config {
            fs::write(folder.join("first.yaml"), config)?;
        }
        let name = options.script["nodes"][0]["name"].as_str().context("the script's first node has no name")?;
        let name =
            if options.script["nodes"][0]["count"].is_null() { name.to_owned() } else { name.replace("%d", "0") };
        let dir = folder.join("dir");
        transcript.file(&folder.join("script.json"));
        transcript.log(&folder.join("calls.jsonl"));
        transcript.log(&folder.join("node.stderr"));
        let first = Machine { folder: dir, name };
        let mut node = Self { process: None, minor, folder, first, with_config: options.config.is_some() };
        node.boot(minor)?;
        Ok(node)
    }

    /// Which Talos it is.
    #[must_use]
    pub fn minor(&self) -> Minor {
        self.minor
    }

    /// The Talos API's address, with its port: what `endpoints` takes.
    ///
    /// # Errors
    /// When the node has not written it.
    pub fn endpoint(&self) -> Result<String> {
        Ok(fs::read_to_string(self.file("address"))?.trim().to_owned())
    }

    /// A file that it writes for its users: `talosconfig`, `talosconfig-reader`, `talosconfig-expired` and so on.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.first.folder.join(name)
    }

    /// Another machine of the same process.
    #[must_use]
    pub fn named(&self, name: &str) -> Machine {
        Machine { folder: self.first.folder.clone(), name: name.to_owned() }
    }

    /// Every event that it has logged: connections (`tls`), calls, boots.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn events(&self) -> Result<Vec<Value>> {
        let text = fs::read_to_string(self.folder.join("calls.jsonl"))?;
        text.lines().map(|line| serde_json::from_str(line).with_context(|| format!("log line {line}"))).collect()
    }

    /// How many TLS connections it has accepted.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn connections(&self) -> Result<usize> {
        Ok(self.events()?.iter().filter(|event| event["event"] == "tls").count())
    }

    /// Time that its process has spent on a processor so far, to 10 ms: what of a measurement is the node's own work.
    ///
    /// # Errors
    /// When it does not run.
    pub fn processor_time(&self) -> Result<Duration> {
        processor_time(self.process.as_ref().context("the node does not run")?.id())
    }

    /// The power goes off: the process ends without a word.
    ///
    /// # Errors
    /// When it cannot be ended.
    pub fn kill(&mut self) -> Result<()> {
        if let Some(mut process) = self.process.take() {
            process.kill()?;
            process.wait()?;
        }
        Ok(())
    }

    /// It is upgraded, or downgraded: comes back at the same address as another minor, with the configuration that it
    /// persisted and a new boot id.
    ///
    /// # Errors
    /// When the other one does not start.
    pub fn restart_as(&mut self, minor: Minor) -> Result<()> {
        self.kill()?;
        self.minor = minor;
        self.boot(minor)
    }

    fn boot(&mut self, minor: Minor) -> Result<()> {
        let mut command = Command::new(places::tools(&format!("talos-node-{minor}"))?);
        command.args(["--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"]);
        command.arg("--dir").arg(&self.first.folder);
        command.arg("--script").arg(self.folder.join("script.json"));
        command.arg("--log").arg(self.folder.join("calls.jsonl"));
        if self.with_config {
            command.arg("--config").arg(self.folder.join("first.yaml"));
        }
        let stderr = append(&self.folder.join("node.stderr"))?;
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr).spawn()?;
        let stdout = child.stdout.take().context("the test node has no stdout")?;
        self.process = Some(child);
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        if !line.starts_with("ready ") {
            let said = fs::read_to_string(self.folder.join("node.stderr")).unwrap_or_default();
            bail!("the test node {minor} did not start: {line}{said}");
        }
        Ok(())
    }
}

impl Deref for Node {
    type Target = Machine;

    fn deref(&self) -> &Machine {
        &self.first
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // SIGTERM first, so that it flushes its log for the report of a failure; it needs no more than that to end.
        if let Some(mut process) = self.process.take() {
            if let Ok(id) = crate::running::pid(process.id()) {
                let _ = kill_process(id, Signal::TERM);
            }
            let _ = process.wait();
        }
    }
}

fn append(path: &Path) -> Result<File> {
    let mut options = File::options();
    options.create(true).append(true).open(path).with_context(|| format!("cannot write {}", path.display()))
}
