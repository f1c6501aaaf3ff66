//! A provider's process, started as the CLI starts it.

use std::{
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
};

use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};

/// The test provider's binary.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_terraform-provider-faulty");

const COOKIE: (&str, &str) =
    ("TF_PLUGIN_MAGIC_COOKIE", "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2");

/// A running provider.
pub(crate) struct Process {
    child: Child,
    stdout: BufReader<ChildStdout>,
    /// Its handshake line.
    pub(crate) line: String,
    _directory: tempfile::TempDir,
}

impl Process {
    /// Started for the client with this certificate (plaintext without), with more of an environment.
    pub(crate) fn start(client_certificate: Option<&str>, environment: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut command = command();
        command.env(COOKIE.0, COOKIE.1);
        command.env("PLUGIN_PROTOCOL_VERSIONS", "5,6");
        if let Some(certificate) = client_certificate {
            command.env("PLUGIN_CLIENT_CERT", certificate);
        }
        command.envs(environment.iter().copied());
        let mut process = Self::spawn(command, directory);
        process.line = process.next_line();
        process
    }

    /// Started as a person starts it, to attach to it.
    pub(crate) fn debug() -> Self {
        let mut command = command();
        command.arg("--debug");
        Self::spawn(command, tempfile::tempdir().unwrap())
    }

    fn spawn(mut command: Command, directory: tempfile::TempDir) -> Self {
        command.env("PLUGIN_UNIX_SOCKET_DIR", directory.path());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdout, line: String::new(), _directory: directory }
    }

    /// What it says next on stdout; empty at the end.
    pub(crate) fn next_line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line
    }

    fn field(&self, index: usize) -> &str {
        self.line.trim_end_matches('\n').split('|').nth(index).unwrap()
    }

    /// Its socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.field(3).into()
    }

    /// Its certificate.
    pub(crate) fn certificate(&self) -> Vec<u8> {
        BASE64_STANDARD_NO_PAD.decode(self.field(5)).unwrap()
    }

    /// Sends it a signal, such as `INT`.
    pub(crate) fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// Waits for its end. Returns how it ended, what it wrote to stdout after the line, and its log.
    pub(crate) fn ended(mut self) -> (ExitStatus, String, String) {
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        let mut stdout = String::new();
        self.stdout.read_to_string(&mut stdout).unwrap();
        (self.child.wait().unwrap(), stdout, stderr)
    }
}

/// A test that fails must not leave it behind.
impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The binary, without anything of the user's that would change what it does.
pub(crate) fn command() -> Command {
    let mut command = Command::new(BINARY);
    for name in [COOKIE.0, "TF_LOG", "TF_LOG_PROVIDER", "TF_LOG_PROVIDER_FAULTY", "PLUGIN_CLIENT_CERT"] {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

/// Sends a signal to a process, or to a whole group when the number is negative.
pub(crate) fn signal(process: impl std::fmt::Display, name: &str) {
    let status = Command::new("kill").args([&format!("-{name}"), "--", &process.to_string()]).status().unwrap();
    assert!(status.success(), "kill -{name} {process}: {status}");
}

/// Whether nothing is left of a socket.
pub(crate) fn is_gone(socket: &Path) -> bool {
    !socket.exists()
}
