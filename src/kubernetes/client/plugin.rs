//! Exec plugins: programs that give credentials (`client.authentication.k8s.io`). One that nobody waits for any more is
//! ended, and none gets our standard input, which is Terraform's.

use std::process::{Output, Stdio};
use std::time::SystemTime;

use kube::config::ExecConfig;
use serde::Deserialize;
use serde_json::json;
use tokio::process::Command;

use super::NoClient;
use super::credentials::{Credentials, Identity, Lifetime, header};

/// The longest part of a plugin's own words that a message quotes.
const QUOTED: usize = 400;

/// What a plugin prints.
#[derive(Deserialize)]
struct Printed {
    status: Option<Status>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    expiration_timestamp: Option<String>,
    token: Option<String>,
    client_certificate_data: Option<String>,
    client_key_data: Option<String>,
}

/// Runs a plugin and takes what it gives. When the caller goes away, so does the plugin.
pub(super) async fn ask(exec: &ExecConfig) -> Result<Credentials, NoClient> {
    let ran = command(exec).output().await;
    let output = ran.map_err(|why| NoClient::Plugin(format!("it cannot be started: {why}")))?;
    printed(&output).and_then(credentials).map_err(NoClient::Plugin)
}

fn command(exec: &ExecConfig) -> Command {
    let mut command = Command::new(exec.command.as_deref().unwrap_or_default());
    command.args(exec.args.iter().flatten());
    let variables = exec.env.iter().flatten();
    command.envs(variables.filter_map(|variable| Some((variable.get("name")?, variable.get("value")?))));
    command.env("KUBERNETES_EXEC_INFO", told(exec));
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// What a plugin is told: the version to answer in and, where it asks for that, the cluster.
fn told(exec: &ExecConfig) -> String {
    let mut spec = json!({ "interactive": false });
    if let Some(cluster) = exec.cluster.as_ref().filter(|_| exec.provide_cluster_info) {
        spec["cluster"] = json!(cluster);
    }
    json!({ "apiVersion": exec.api_version, "kind": "ExecCredential", "spec": spec }).to_string()
}

/// Never quotes its standard output, which holds the credentials, nor its arguments.
fn printed(output: &Output) -> Result<Status, String> {
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        let words: String = words.trim().chars().take(QUOTED).collect();
        let ended = output.status;
        return Err(if words.is_empty() { ended.to_string() } else { format!("{ended}: {words}") });
    }
    // Some print YAML, which kubectl reads too; all JSON is YAML.
    let printed: Printed =
        serde_saphyr::from_slice(&output.stdout).map_err(|_| "what it printed is no ExecCredential".to_owned())?;
    printed.status.ok_or_else(|| "what it printed has no status".to_owned())
}

fn credentials(status: Status) -> Result<Credentials, String> {
    let lifetime = match status.expiration_timestamp.as_deref() {
        None => Lifetime::Endless,
        Some(text) => Lifetime::Until(moment(text).ok_or("its expirationTimestamp is no date")?),
    };
    let identity = match (status.client_certificate_data, status.client_key_data) {
        (Some(certificate), Some(key)) => Some(Identity { certificate, key: key.into() }),
        (None, None) => None,
        _ => return Err("it gave a certificate without a key, or a key without a certificate".to_owned()),
    };
    let authorization = match status.token.as_deref().filter(|token| !token.is_empty()) {
        None if identity.is_none() => return Err("it gave neither a token nor a certificate".to_owned()),
        None => None,
        Some(token) => Some(header("Bearer", token).ok_or("its answer cannot be used")?),
    };
    Ok(Credentials { authorization, identity, lifetime })
}

fn moment(text: &str) -> Option<SystemTime> {
    text.parse::<jiff::Timestamp>().ok().map(SystemTime::from)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn output(code: i32, stdout: &str, stderr: &str) -> Output {
        Output { status: ExitStatus::from_raw(code << 8), stdout: stdout.into(), stderr: stderr.into() }
    }

    fn given(status: &str) -> Result<Credentials, String> {
        let text = format!(r#"{{"kind": "ExecCredential", "status": {status}}}"#);
        printed(&output(0, &text, "")).and_then(credentials)
    }

    #[test]
    fn a_plugin_that_fails_is_quoted_with_its_error_alone() {
        let said = printed(&output(1, "s3cret", "log in first\n")).err();
        assert_eq!(said.as_deref(), Some("exit status: 1: log in first"));
        let said = printed(&output(2, "s3cret", " ")).err();
        assert_eq!(said.as_deref(), Some("exit status: 2"));
    }

    #[test]
    fn credentials_are_a_token_or_a_certificate_with_its_key() {
        let token = given(r#"{"token": "abc", "expirationTimestamp": "1970-01-01T00:01:00Z"}"#).unwrap();
        assert_eq!(token.authorization.unwrap(), "Bearer abc");
        assert_eq!(token.lifetime, Lifetime::Until(UNIX_EPOCH + Duration::from_secs(60)));
        let both = given(r#"{"clientCertificateData": "c", "clientKeyData": "k"}"#).unwrap();
        assert!(both.authorization.is_none() && both.lifetime == Lifetime::Endless);
        assert_eq!(both.identity.map(|identity| identity.certificate).as_deref(), Some("c"));
        for (status, said) in [
            ("{}", "neither a token nor a certificate"),
            (r#"{"token": ""}"#, "neither"),
            (r#"{"clientKeyData": "s3cret"}"#, "without a certificate"),
            (r#"{"token": "s3cret\nb"}"#, "cannot be used"),
            (r#"{"token": "s3cret", "expirationTimestamp": "tomorrow"}"#, "no date"),
        ] {
            let why = given(status).err().unwrap();
            assert!(why.contains(said) && !why.contains("s3cret"), "{why}");
        }
    }

    #[test]
    fn what_a_plugin_prints_may_be_yaml() {
        let printed = printed(&output(0, "kind: ExecCredential\nstatus:\n  token: abc\n", "")).unwrap();
        assert_eq!(printed.token.as_deref(), Some("abc"));
    }

    #[test]
    fn a_plugin_is_told_the_version_and_that_nobody_answers_questions() {
        let exec = ExecConfig { api_version: Some("client.authentication.k8s.io/v1".into()), ..ExecConfig::default() };
        let told: serde_json::Value = serde_json::from_str(&told(&exec)).unwrap();
        assert_eq!(told["spec"], json!({ "interactive": false }));
        assert_eq!((&told["kind"], &told["apiVersion"]), (&json!("ExecCredential"), &json!(exec.api_version)));
    }
}
