//! One machine of a test node, as its control port shows it: its bytes, its state, and what can befall it.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::http;

/// How long a case waits for something that it has set in motion to be seen by the node.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at the control port, which has nothing to wait on.
const LOOK: Duration = Duration::from_millis(10);

/// One machine. Faults and other scripts are the JSON that `acceptance-tests/talos-node/README.md` describes.
#[derive(Clone, Debug)]
pub struct Machine {
    pub(crate) folder: PathBuf,
    pub(crate) name: String,
}

impl Machine {
    /// The address that the `node` attribute takes.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The active configuration, byte for byte.
    ///
    /// # Errors
    /// When the node does not answer.
    pub fn config(&self) -> Result<Vec<u8>> {
        self.ask("GET", "/config?id=active", b"")
    }

    /// The active configuration as text.
    ///
    /// # Errors
    /// When the node does not answer or the bytes are no text.
    pub fn config_text(&self) -> Result<String> {
        String::from_utf8(self.config()?).context("the configuration is not UTF-8")
    }

    /// The configuration that the next boot takes, byte for byte.
    ///
    /// # Errors
    /// When the node does not answer.
    pub fn persistent_config(&self) -> Result<Vec<u8>> {
        self.ask("GET", "/config?id=persistent", b"")
    }

    /// Somebody else writes the configuration, at once.
    ///
    /// # Errors
    /// When the node does not take it.
    pub fn set_config(&self, bytes: &[u8]) -> Result<()> {
        self.ask("PUT", "/config?mode=active", bytes).map(drop)
    }

    /// Somebody else stages a configuration for the next boot.
    ///
    /// # Errors
    /// When the node does not take it.
    pub fn stage_config(&self, bytes: &[u8]) -> Result<()> {
        self.ask("PUT", "/config?mode=staged", bytes).map(drop)
    }

    /// Somebody else tries a configuration, which Talos takes back by itself later.
    ///
    /// # Errors
    /// When the node does not take it.
    pub fn try_config(&self, bytes: &[u8]) -> Result<()> {
        self.ask("PUT", "/config?mode=try", bytes).map(drop)
    }

    /// Somebody else edits the text of the configuration: this, found exactly once, becomes that.
    ///
    /// # Errors
    /// When the text is not there exactly once or the node does not take the result.
    pub fn edit_config(&self, from: &str, to: &str) -> Result<()> {
        let text = self.config_text()?;
        match text.matches(from).count() {
            1 => self.set_config(text.replacen(from, to, 1).as_bytes()),
            count => bail!("{from:?} stands {count} times in the configuration of {}, not once", self.name),
        }
    }

    /// Stage, boot id, versions, modules, sysctls, services, counts of calls, held calls.
    ///
    /// # Errors
    /// When the node does not answer.
    pub fn state(&self) -> Result<Value> {
        let bytes = self.ask("GET", "/state", b"")?;
        serde_json::from_slice(&bytes).context("the state of the test node is not JSON")
    }

    /// From now on something goes wrong.
    ///
    /// # Errors
    /// When the node does not know the fault.
    pub fn fault(&self, fault: &Value) -> Result<()> {
        self.post("/fault", fault)
    }

    /// Lets the calls go that a `hold` fault holds.
    ///
    /// # Errors
    /// When the node does not answer.
    pub fn release(&self) -> Result<()> {
        self.ask("POST", "/release", b"").map(drop)
    }

    /// Waits until a `hold` fault holds a call: the moment at which a case acts, instead of a delay.
    ///
    /// # Errors
    /// When no call comes.
    pub fn wait_until_held(&self) -> Result<()> {
        self.wait_until("a call is held", |state| state["held"].as_array().is_some_and(|held| !held.is_empty()))
    }

    /// Waits until its state is as wanted.
    ///
    /// # Errors
    /// When that does not come about; the message holds the last state.
    pub fn wait_until(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let state = self.state()?;
            if wanted(&state) {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("waited {PATIENCE:?} until {what} on {}; its state is {state}", self.name);
            }
            thread::sleep(LOOK);
        }
    }

    /// It reboots, as its script says.
    ///
    /// # Errors
    /// When the node does not answer.
    pub fn reboot(&self) -> Result<()> {
        self.ask("POST", "/reboot", b"").map(drop)
    }

    /// It is switched off.
    ///
    /// # Errors
    /// When the node does not answer.
    pub fn stop(&self) -> Result<()> {
        self.ask("POST", "/stop", b"").map(drop)
    }

    /// It is switched on again, which is a boot.
    ///
    /// # Errors
    /// When the node does not answer.
    pub fn start(&self) -> Result<()> {
        self.ask("POST", "/start", b"").map(drop)
    }

    /// Somebody unloads a module, under Talos.
    ///
    /// # Errors
    /// When the node does not know it.
    pub fn unload_module(&self, name: &str) -> Result<()> {
        self.post("/module", &json!({"name": name, "unload": true}))
    }

    /// Changes what a module does from now on: the object that the script has under `modules`.
    ///
    /// # Errors
    /// When the node does not take it.
    pub fn set_module(&self, name: &str, behaviour: &Value) -> Result<()> {
        let mut body = behaviour.clone();
        body["name"] = json!(name);
        self.post("/module", &body)
    }

    /// Somebody sets a kernel value, under Talos.
    ///
    /// # Errors
    /// When the node does not take it.
    pub fn set_sysctl(&self, key: &str, value: &str) -> Result<()> {
        self.post("/sysctl", &json!({"key": key, "value": value}))
    }

    /// From now on it is what this says, in the keys of a script's node: its services, its files, its GPUs.
    ///
    /// # Errors
    /// When the node does not take it.
    pub fn become_machine(&self, mut machine: Value) -> Result<()> {
        machine["name"] = json!(self.name);
        let body = json!({"nodes": [machine]}).to_string();
        http::request(&self.control()?, "POST", "/script", body.as_bytes()).map(drop)
    }

    /// Another machine stands at this address from now on.
    ///
    /// # Errors
    /// When the node does not take it.
    pub fn set_uuid(&self, uuid: &str) -> Result<()> {
        self.post("/uuid", &json!({"uuid": uuid}))
    }

    /// It goes into maintenance mode, or out of it.
    ///
    /// # Errors
    /// When the node does not take it.
    pub fn set_maintenance(&self, on: bool) -> Result<()> {
        self.post("/maintenance", &json!({"on": on}))
    }

    /// Talos takes a tried configuration back now.
    ///
    /// # Errors
    /// When none is tried.
    pub fn roll_back(&self) -> Result<()> {
        self.ask("POST", "/rollback", b"").map(drop)
    }

    /// The finished calls that it was asked, in order: `method`, `resource`, `role`, `code`, `conn` and more.
    ///
    /// # Errors
    /// When the node does not answer.
    pub fn calls(&self) -> Result<Vec<Value>> {
        let path = format!("/calls?node={}", encode(&self.name));
        let bytes = http::request(&self.control()?, "GET", &path, b"")?;
        serde_json::from_slice(&bytes).context("the calls of the test node are not JSON")
    }

    /// How many calls of this method (its short name) have finished.
    ///
    /// # Errors
    /// When the node does not answer.
    pub fn count(&self, method: &str) -> Result<usize> {
        let end = format!("/{method}");
        let is = |call: &&Value| call["method"].as_str().is_some_and(|full| full.ends_with(&end));
        Ok(self.calls()?.iter().filter(is).count())
    }

    fn post(&self, path: &str, body: &Value) -> Result<()> {
        self.ask("POST", path, body.to_string().as_bytes()).map(drop)
    }

    fn ask(&self, method: &str, path: &str, body: &[u8]) -> Result<Vec<u8>> {
        http::request(&self.control()?, method, &format!("/nodes/{}{path}", encode(&self.name)), body)
    }

    /// Read anew each time: a node that came back as another version may have another port.
    fn control(&self) -> Result<String> {
        let path = self.folder.join("control");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(text.trim().to_owned())
    }
}

/// A name in a path: IPv6 addresses hold colons, which a path may hold, and brackets and percent signs, which it may not.
fn encode(name: &str) -> String {
    let byte = |byte: u8| match byte {
        b'[' | b']' | b'%' | b' ' | b'?' | b'#' | b'/' | b'&' => format!("%{byte:02X}"),
        _ => char::from(byte).to_string(),
    };
    name.bytes().map(byte).collect()
}
