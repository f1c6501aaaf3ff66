//! Exec plugins: real programs that give credentials, fail, or would like to ask.

use std::fs;
use std::io::Read as _;
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
async fn a_plugin_that_fails_is_told_without_anything_that_it_wrote() {
    let folder = tempfile::tempdir().unwrap();
    for (text, said) in [
        ("echo s3cret-output; echo 'token s3cret-error' >&2; exit 3", "exit status: 3"),
        ("echo s3cret-output", "no ExecCredential"),
        ("echo '{\"kind\":\"ExecCredential\"}'", "no status"),
        (r#"echo '{"kind":"ExecCredential","status":{"token":"s3cret\\nb"}}'"#, "cannot be used"),
    ] {
        let command = script(&folder, text);
        let failed = room(&command).get(&nvidia(), &limits()).await.unwrap_err();
        let ErrorKind::ExecPlugin { command: named, why } = failed.kind() else { panic!("{failed:?}") };
        assert!(*named == command && why.contains(said), "{why}");
        assert!(!format!("{failed:?}").contains("s3cret"), "{failed:?}");
        assert!(failed.next_step().contains(&format!("Run `{command}` by hand")), "{}", failed.next_step());
    }
    let missing = room("/nowhere/plugin").get(&nvidia(), &limits()).await.unwrap_err();
    assert!(missing.kind().to_string().contains("cannot be started"), "{missing:?}");
}

/// A plugin that never ends and has started another program that never ends. Both hold a pipe: whoever reads it gets its
/// end when both are gone.
struct Hanging {
    folder: TempDir,
    command: String,
}

impl Hanging {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (pipe, starts) = (folder.path().join("pipe"), folder.path().join("starts"));
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let text = format!(
            "echo >> {}; exec 3> {}; tail -f /dev/null > /dev/null & echo >&3; tail -f /dev/null",
            starts.display(),
            pipe.display()
        );
        let command = script(&folder, &text);
        Self { folder, command }
    }

    /// Reads the pipe to its end; `begun` is told when both programs run.
    fn until_all_are_gone(&self, begun: impl FnOnce() + Send + 'static) -> tokio::task::JoinHandle<()> {
        let pipe = self.folder.path().join("pipe");
        tokio::task::spawn_blocking(move || {
            let mut reader = fs::File::open(pipe).unwrap();
            reader.read_exact(&mut [0]).unwrap();
            begun();
            assert_eq!(reader.read_to_end(&mut Vec::new()).unwrap(), 0);
        })
    }

    fn starts(&self) -> usize {
        fs::read(self.folder.path().join("starts")).unwrap_or_default().len()
    }
}

#[tokio::test]
async fn a_plugin_that_does_not_end_is_named_and_ended_with_all_that_it_has_started() {
    let hanging = Hanging::new();
    let gone = hanging.until_all_are_gone(|| ());
    let limits = Limits::patient(Duration::from_secs(5), &CancellationToken::new());
    let failed = room(&hanging.command).get(&nvidia(), &limits).await.unwrap_err();
    let ErrorKind::ExecPlugin { command: named, why } = failed.kind() else { panic!("{failed:?}") };
    assert!(*named == hanging.command && why.contains("did not end"), "{why}");
    gone.await.unwrap();
    assert_eq!(hanging.starts(), 1, "it is not started again");
}

#[tokio::test]
async fn a_stop_ends_a_plugin_with_all_that_it_has_started() {
    let hanging = Hanging::new();
    let stop = CancellationToken::new();
    let user = stop.clone();
    let gone = hanging.until_all_are_gone(move || user.cancel());
    let limits = Limits::patient(Duration::from_secs(600), &stop);
    let failed = room(&hanging.command).get(&nvidia(), &limits).await.unwrap_err();
    assert_eq!(*failed.kind(), ErrorKind::Interrupted);
    gone.await.unwrap();
}

#[tokio::test]
async fn credentials_that_are_refused_are_asked_for_once_more() {
    let folder = tempfile::tempdir().unwrap();
    let (answer, starts) = (folder.path().join("answer"), folder.path().join("starts"));
    let token = |token: &str| json!({"kind": "ExecCredential", "status": {"token": token}}).to_string();
    fs::write(&answer, token("of.another.cluster")).unwrap();
    let command = script(&folder, &format!("echo >> {}; cat {}", starts.display(), answer.display()));
    let room = room(&command);
    let refused = room.get(&nvidia(), &limits()).await.unwrap_err();
    assert_eq!(*refused.kind(), ErrorKind::Unauthorized);
    assert_eq!(fs::read(&starts).unwrap().len(), 2);
    fs::write(&answer, credentials(&shared().kubeconfig())).unwrap();
    assert!(room.get(&nvidia(), &limits()).await.unwrap().is_none());
    assert_eq!(fs::read(&starts).unwrap().len(), 3);
    assert!(room.get(&nvidia(), &limits()).await.unwrap().is_none());
    assert_eq!(fs::read(&starts).unwrap().len(), 3, "what has no end is not asked for again");
}

#[tokio::test]
async fn credentials_that_have_run_out_are_asked_for_again() {
    let folder = tempfile::tempdir().unwrap();
    let (answer, starts) = (folder.path().join("answer"), folder.path().join("starts"));
    let mut ended: Value = serde_json::from_str(&credentials(&shared().kubeconfig())).unwrap();
    ended["status"]["expirationTimestamp"] = json!("2020-01-01T00:00:00Z");
    fs::write(&answer, ended.to_string()).unwrap();
    let command = script(&folder, &format!("echo >> {}; cat {}", starts.display(), answer.display()));
    let room = room(&command);
    for count in 1..=2 {
        assert!(room.get(&nvidia(), &limits()).await.unwrap().is_none());
        assert_eq!(fs::read(&starts).unwrap().len(), count);
    }
}
