//! Starts a test node, tells it what to do, and asks it what it saw.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use talos::config::{Discovery, InlineCredentials};
use talos::{Client, ClientConfig, Endpoint, Node};
use tempfile::TempDir;

/// The minor that a test runs against unless it is about another one.
pub(crate) const MINOR: &str = "1.13";

/// A running test node; it ends with the value.
pub(crate) struct TestNode {
    process: Child,
    folder: TempDir,
    address: String,
    control: String,
}

impl TestNode {
    /// One control plane node of the default minor, named like its address.
    pub(crate) fn start() -> Self {
        Self::with(MINOR, "127.0.0.1:0", &Value::Null)
    }

    /// What a script describes.
    pub(crate) fn scripted(script: &Value) -> Self {
        Self::with(MINOR, "127.0.0.1:0", script)
    }

    pub(crate) fn with(minor: &str, listen: &str, script: &Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy(&secrets_of(minor), &folder.path().join("pki"));
        if !script.is_null() {
            fs::write(folder.path().join("script.json"), script.to_string()).unwrap();
        }
        let mut process = start(minor, listen, folder.path());
        let (address, control) = ready(&mut process);
        Self { process, folder, address, control }
    }

    /// Where its API listens: `127.0.0.1:40123`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        self.address.parse().unwrap()
    }

    /// A file of the node's folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The configuration in one of the talosconfigs that it wrote.
    pub(crate) fn config(&self, talosconfig: &str) -> ClientConfig {
        let discovery = Discovery { config_path: Some(self.path(talosconfig)), ..Discovery::default() };
        discovery.resolve().unwrap()
    }

    /// The credentials in one of them, as they are written there.
    pub(crate) fn credentials(&self, talosconfig: &str) -> InlineCredentials {
        let text = fs::read_to_string(self.path(talosconfig)).unwrap();
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.trim().strip_prefix(name)).unwrap();
            line.trim().to_owned()
        };
        InlineCredentials {
            ca_certificate: field("ca:"),
            client_certificate: field("crt:"),
            client_key: field("key:").into(),
        }
    }

    /// An admin's client.
    pub(crate) fn client(&self) -> Client {
        Client::new(self.config("talosconfig")).unwrap()
    }

    /// The node of a script without nodes, as an admin.
    pub(crate) fn node(&self) -> Node {
        self.client().node("127.0.0.1", None)
    }

    /// What a client with these credentials and the node's own endpoint makes of the node.
    pub(crate) fn node_as(&self, credentials: InlineCredentials) -> Node {
        let endpoints = Some(vec![self.address.clone()]);
        let discovery = Discovery { inline: Some(credentials), endpoints, ..Discovery::default() };
        Client::new(discovery.resolve().unwrap()).unwrap().node("127.0.0.1", None)
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        serde_json::from_slice(&self.control("GET", path, b"")).unwrap()
    }

    pub(crate) fn post(&self, path: &str, body: &Value) {
        self.control("POST", path, body.to_string().as_bytes());
    }

    pub(crate) fn fault(&self, fault: &Value) {
        self.post("/nodes/127.0.0.1/fault", fault);
    }

    /// The address of an endpoint that a node of the script has for itself.
    pub(crate) fn endpoint_of(&self, node: &str) -> Endpoint {
        fs::read_to_string(self.path("nodes").join(node).join("address")).unwrap().parse().unwrap()
    }

    /// How often a method was called, on any node.
    pub(crate) fn count(&self, method: &str) -> u64 {
        self.calls().iter().filter(|call| call["method"].as_str().unwrap().ends_with(&format!("/{method}"))).count()
            as u64
    }

    /// The lines of its log about calls.
    pub(crate) fn calls(&self) -> Vec<Value> {
        self.get("/calls").as_array().cloned().unwrap_or_default()
    }

    /// How many connections it accepted.
    pub(crate) fn connections(&self) -> usize {
        let log = fs::read_to_string(self.path("log")).unwrap();
        let events = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        events.filter(|event| event["event"] == "tls").count()
    }

    /// Ends the process and starts another over the same folder, at the same address: a boot.
    pub(crate) fn restart(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.process = start(MINOR, &self.address, self.folder.path());
        let (address, control) = ready(&mut self.process);
        assert_eq!(address, self.address);
        self.control = control;
    }

    fn control(&self, method: &str, path: &str, body: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(&self.control).unwrap();
        let length = body.len();
        write!(stream, "{method} {path} HTTP/1.0\r\nHost: node\r\nContent-Length: {length}\r\n\r\n").unwrap();
        stream.write_all(body).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let split = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("an HTTP answer");
        let head = String::from_utf8_lossy(&answer[..split]).into_owned();
        let body = answer.split_off(split + 4);
        assert!(
            head.contains(" 200 ") || head.contains(" 204 "),
            "{method} {path}: {head}\n{}",
            String::from_utf8_lossy(&body)
        );
        body
    }
}

impl Drop for TestNode {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The secrets of a cluster of that minor, made once a run: they are most of what a node's first start takes.
fn secrets_of(minor: &str) -> PathBuf {
    static MADE: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = made.entry(minor.to_owned()).or_insert_with(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("talos-{minor}"));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let mut process = start(minor, "127.0.0.1:0", &folder);
        ready(&mut process);
        process.kill().unwrap();
        process.wait().unwrap();
        folder
    });
    folder.join("pki")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

fn start(minor: &str, listen: &str, folder: &Path) -> Child {
    let mut command = Command::new(program(minor));
    command.args(["--listen", listen, "--dir"]).arg(folder).arg("--log").arg(folder.join("log"));
    let script = folder.join("script.json");
    if script.exists() {
        command.arg("--script").arg(script);
    }
    command.stdout(Stdio::piped()).spawn().unwrap()
}

fn program(minor: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../target/tools/talos-node-{minor}"));
    assert!(path.exists(), "{} is missing: run `make tools`", path.display());
    path
}

/// `ready ADDRESS control=ADDRESS`
fn ready(process: &mut Child) -> (String, String) {
    let mut line = String::new();
    let mut output = BufReader::new(process.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    let mut words = line.split_whitespace();
    assert_eq!(words.next(), Some("ready"), "the test node did not start: {line}");
    let address = words.next().unwrap().to_owned();
    let control = words.next().unwrap().strip_prefix("control=").unwrap().to_owned();
    (address, control)
}
