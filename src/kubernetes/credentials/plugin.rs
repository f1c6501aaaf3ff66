//! A program that gives credentials, as kubectl runs it (`client.authentication.k8s.io`).
//!
//! It gets no standard input, which is Terraform's, and nothing of what it writes is repeated: its output holds the
//! credentials, and what it says of a failure may quote them. It is never left behind either: it and whatever it has
//! started are one process group, which ends with the future that waits for it.

use std::fmt;
use std::io;
use std::process::Stdio;

use kube::config::{ExecConfig, ExecInteractiveMode};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};

use super::{Credentials, Identity, is_token};
use crate::settings::is_identity;

/// The most that it may print: an answer with two certificate chains is a hundredth of it.
const LARGEST: u64 = 1 << 20;

/// A program, checked.
#[derive(Clone)]
pub(crate) struct Plugin {
    command: String,
    exec: ExecConfig,
}

/// Why something is no plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotAPlugin {
    /// It names no program.
    NoCommand,
    /// It must ask questions, and there is no terminal.
    Asks(String),
}

/// Its arguments and variables may hold secrets.
impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin").field("command", &self.command).finish_non_exhaustive()
    }
}

impl Plugin {
    pub(crate) fn new(exec: ExecConfig) -> Result<Self, NotAPlugin> {
        let command = exec.command.clone().filter(|command| !command.is_empty()).ok_or(NotAPlugin::NoCommand)?;
        if exec.interactive_mode == Some(ExecInteractiveMode::Always) {
            return Err(NotAPlugin::Asks(command));
        }
        Ok(Self { command, exec })
    }

    /// The program, without its arguments.
    pub(crate) fn command(&self) -> &str {
        &self.command
    }

    /// Runs it to its end. The error says in which way it failed, and nothing of what it wrote.
    pub(super) async fn run(&self) -> Result<Credentials, String> {
        let printed = self.printed().await?;
        credentials(&printed)
    }

    async fn printed(&self) -> Result<Vec<u8>, String> {
        let mut group = Group::start(&mut self.to_start()).map_err(|why| format!("it cannot be started: {why}"))?;
        let lost = |why: io::Error| format!("it cannot be waited for: {why}");
        let mut printed = Vec::new();
        if let Some(output) = group.child.stdout.take() {
            output.take(LARGEST).read_to_end(&mut printed).await.map_err(lost)?;
        }
        let status = group.child.wait().await.map_err(lost)?;
        group.has_ended();
        if status.success() {
            Ok(printed)
        } else {
            Err(format!("{status}; what it wrote is not repeated here, since it may hold a secret"))
        }
    }

    fn to_start(&self) -> Command {
        let ExecConfig { args, env, drop_env, .. } = &self.exec;
        let mut command = Command::new(&self.command);
        command.args(args.iter().flatten());
        for variable in env.iter().flatten() {
            if let (Some(name), Some(value)) = (variable.get("name"), variable.get("value")) {
                command.env(name, value);
            }
        }
        command.env("KUBERNETES_EXEC_INFO", self.told().to_string());
        for name in drop_env.iter().flatten() {
            command.env_remove(name);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        command
    }

    /// What it is told of the cluster and of us.
    fn told(&self) -> Value {
        let mut told = json!({"kind": "ExecCredential", "spec": {"interactive": false}});
        if let Some(version) = &self.exec.api_version {
            told["apiVersion"] = json!(version);
        }
        if let Some(cluster) = self.exec.cluster.as_ref().filter(|_| self.exec.provide_cluster_info) {
            told["spec"]["cluster"] = json!(cluster);
        }
        told
    }
}

/// A started program and whatever it starts. All of it is killed when this is dropped before the program has ended.
struct Group {
    child: Child,
    #[cfg(unix)]
    id: Option<rustix::process::Pid>,
}

impl Group {
    fn start(command: &mut Command) -> io::Result<Self> {
        #[cfg(unix)]
        command.process_group(0);
        // Where there are no process groups, the program alone.
        let child = command.kill_on_drop(true).spawn()?;
        #[cfg(unix)]
        let id = child.id().and_then(|id| rustix::process::Pid::from_raw(id.try_into().ok()?));
        Ok(Self {
            child,
            #[cfg(unix)]
            id,
        })
    }

    /// What it has left running is meant to run on.
    fn has_ended(&mut self) {
        #[cfg(unix)]
        self.id.take();
    }
}

#[cfg(unix)]
impl Drop for Group {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            // One that has ended in this moment is what was wanted.
            let _ = rustix::process::kill_process_group(id, rustix::process::Signal::KILL);
        }
    }
}

/// What it has printed: JSON, or YAML, which client-go takes as well.
fn credentials(printed: &[u8]) -> Result<Credentials, String> {
    let answer: Value = serde_saphyr::from_slice(printed).unwrap_or_default();
    if !answer.is_object() {
        return Err("what it printed is no ExecCredential".to_owned());
    }
    let status = answer.get("status").filter(|status| status.is_object());
    let status = status.ok_or("what it printed has no status")?;
    let text = |name: &str| status.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let token = text("token").map(|token| {
        is_token(token)
            .then(|| SecretString::from(token))
            .ok_or("its token cannot be used: it has a character that no token has")
    });
    let identity = text("clientCertificateData").zip(text("clientKeyData")).map(|(certificate, key)| {
        let key = SecretString::from(key);
        let identity = Identity { certificate: certificate.to_owned(), key };
        is_identity(&identity.certificate, &identity.key)
            .then_some(identity)
            .ok_or("its certificate and key cannot be used, or are not of one another")
    });
    let until = text("expirationTimestamp").map(|end| end.parse().map_err(|_| "its expirationTimestamp is no date"));
    let found = Credentials { token: token.transpose()?, identity: identity.transpose()?, until: until.transpose()? };
    if found.token.is_none() && found.identity.is_none() {
        return Err("it printed neither a token nor a certificate with its key".to_owned());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn plugin(exec: Value) -> Result<Plugin, NotAPlugin> {
        Plugin::new(serde_json::from_value(exec).unwrap())
    }

    #[test]
    fn one_without_a_command_or_with_questions_is_none() {
        assert_eq!(plugin(json!({"command": ""})).unwrap_err(), NotAPlugin::NoCommand);
        assert_eq!(plugin(json!({})).unwrap_err(), NotAPlugin::NoCommand);
        let asks = plugin(json!({"command": "aws", "interactiveMode": "Always"}));
        assert_eq!(asks.unwrap_err(), NotAPlugin::Asks("aws".into()));
        let may_ask = plugin(json!({"command": "aws", "args": ["s3cret"], "interactiveMode": "IfAvailable"})).unwrap();
        assert_eq!(may_ask.told()["spec"]["interactive"], json!(false), "it is told that it cannot");
        assert!(!format!("{may_ask:?}").contains("s3cret"));
    }

    #[test]
    fn an_answer_is_read_as_json_and_as_yaml() {
        for printed in [
            r#"{"kind": "ExecCredential", "status": {"token": "t", "expirationTimestamp": "2026-01-01T12:00:00Z"}}"#,
            "kind: ExecCredential\nstatus:\n  token: t\n  expirationTimestamp: \"2026-01-01T12:00:00Z\"\n",
        ] {
            let found = credentials(printed.as_bytes()).unwrap();
            assert_eq!(found.token.unwrap().expose_secret(), "t");
            assert_eq!(found.until.unwrap().to_string(), "2026-01-01T12:00:00Z");
        }
    }

    #[test]
    fn an_answer_that_cannot_be_used_is_said_without_repeating_it() {
        for (printed, said) in [
            ("", "no ExecCredential"),
            ("s3cret", "no ExecCredential"),
            ("{\"s3cret", "no ExecCredential"),
            (r#"{"kind": "ExecCredential"}"#, "no status"),
            (r#"{"status": {}}"#, "neither a token nor"),
            (r#"{"status": {"clientKeyData": "s3cret"}}"#, "neither a token nor"),
            (r#"{"status": {"token": "s3cret\nb"}}"#, "its token cannot be used"),
            (r#"{"status": {"token": "t", "expirationTimestamp": "s3cret"}}"#, "no date"),
            (r#"{"status": {"clientCertificateData": "s3cret", "clientKeyData": "s3cret"}}"#, "cannot be used"),
        ] {
            let why = credentials(printed.as_bytes()).unwrap_err();
            assert!(why.contains(said) && !why.contains("s3cret"), "{printed}: {why}");
        }
    }
}
