//! Exec plugins: real programs that give credentials, fail, or would like to ask.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kubernetes::{Cluster, ErrorKind, Kind, Limits, ObjectRef, Settings, settings::Exec, settings::Inline};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::{limits, shared};

fn script(folder: &TempDir, text: &str) -> String {
    let path = folder.path().join("plugin");
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

fn room(command: &str) -> Cluster {
    let exec = Exec {
        api_version: "client.authentication.k8s.io/v1".into(),
        command: command.to_owned(),
        args: vec!["s3cret-argument".into()],
        env: [("PLUGIN".to_owned(), "s3cret-variable".into())].into(),
    };
    let inline = Inline {
        host: shared().server(),
        ca_certificate: Some(shared().ca().into()),
        exec: Some(exec),
        ..Inline::default()
    };
    Cluster::resolve(&Settings { inline: Some(inline), ..Settings::default() }).unwrap()
}

fn nvidia() -> ObjectRef {
    ObjectRef::of_cluster(Kind::RUNTIME_CLASS, "absent")
}

/// The administrator's certificate and key, as a plugin prints them.
fn credentials(kubeconfig: &Path) -> String {
    let config: Value = serde_json::from_slice(&fs::read(kubeconfig).unwrap()).unwrap();
    let field = |name: &str| {
        let data = config["users"][0]["user"][name].as_str().unwrap();
        String::from_utf8(STANDARD.decode(data).unwrap()).unwrap()
    };
    json!({"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1", "status": {
        "clientCertificateData": field("client-certificate-data"),
        "clientKeyData": field("client-key-data"),
    }})
    .to_string()
}

#[tokio::test]
async fn a_plugin_gives_credentials_and_gets_its_arguments_but_no_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let answer = folder.path().join("answer");
    fs::write(&answer, credentials(&shared().kubeconfig())).unwrap();
    let command = script(
        &folder,
        &format!(
            "[ \"$1\" = s3cret-argument ] && [ \"$PLUGIN\" = s3cret-variable ] && ! read -r line && cat {}",
            answer.display()
        ),
    );
    assert!(room(&command).get(&nvidia(), &limits()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_plugin_that_fails_is_told_with_its_error_and_without_its_secrets() {
    let folder = tempfile::tempdir().unwrap();
    for (text, said) in [
        ("echo s3cret-output; echo 'log in first' >&2; exit 3", "log in first"),
        ("echo s3cret-output", "no ExecCredential"),
        ("echo '{\"kind\":\"ExecCredential\"}'", "no status"),
        (r#"echo '{"kind":"ExecCredential","status":{"token":"s3cret\\nb"}}'"#, "cannot be used"),
    ] {
        let command = script(&folder, text);
        let failed = room(&command).get(&nvidia(), &limits()).await.unwrap_err();
        let ErrorKind::ExecPlugin { command: named, why } = failed.kind() else { panic!("{failed:?}") };
        assert!(*named == command && why.contains(said), "{why}");
        assert!(!format!("{failed:?}").contains("s3cret"), "{failed:?}");
    }
    let missing = room("/nowhere/plugin").get(&nvidia(), &limits()).await.unwrap_err();
    assert!(missing.kind().to_string().contains("cannot be started"), "{missing:?}");
}

#[tokio::test]
async fn a_plugin_that_does_not_end_is_named_and_not_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let (pipe, starts) = (folder.path().join("pipe"), folder.path().join("starts"));
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    // For reading too, so that neither side waits for the other to open it.
    let mut held = fs::OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
    let command = script(&folder, &format!("echo >> {}; read -r line < {}", starts.display(), pipe.display()));
    let limits = Limits::patient(Duration::from_secs(2), &CancellationToken::new());
    let failed = room(&command).get(&nvidia(), &limits).await;
    // It ends now, and the runtime with it.
    held.write_all(b"\n\n").unwrap();
    let failed = failed.unwrap_err();
    let ErrorKind::ExecPlugin { command: named, why } = failed.kind() else { panic!("{failed:?}") };
    assert!(*named == command && why.contains("did not end"), "{why}");
    assert!(fs::read(&starts).unwrap_or_default().len() < 2);
}
