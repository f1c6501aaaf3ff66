//! The way through a real proxy to the real server, and the faults of one.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cluster::{Gateway, Speaks};
use kubernetes::{
    Cluster, Error, ErrorKind, Kind, Limits, ObjectRef, Settings, error::CertificateProblem, error::Unreachable,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::{limits, shared};

/// A name that only the proxy knows.
const SERVER: &str = "https://cp.example:6443";

fn absent() -> ObjectRef {
    ObjectRef::of_cluster(Kind::RUNTIME_CLASS, "absent")
}

/// The administrator's kubeconfig with these in place of what it says of the cluster.
fn kubeconfig(folder: &TempDir, change: Value) -> PathBuf {
    let mut config: Value = serde_json::from_slice(&fs::read(shared().kubeconfig()).unwrap()).unwrap();
    for (name, value) in change.as_object().unwrap() {
        config["clusters"][0]["cluster"][name] = value.clone();
    }
    let path = folder.path().join("config");
    fs::write(&path, config.to_string()).unwrap();
    path
}

fn settings(path: &Path) -> Settings {
    Settings { config_paths: vec![path.to_owned()], ..Settings::default() }
}

/// A gateway and a folder with a kubeconfig that leads through it.
fn through(speaks: Speaks) -> (Gateway, TempDir, Settings) {
    let (gateway, folder) = (shared().gateway(speaks).unwrap(), tempfile::tempdir().unwrap());
    let change = json!({"server": SERVER, "proxy-url": gateway.url(), "tls-server-name": "localhost"});
    let settings = settings(&kubeconfig(&folder, change));
    (gateway, folder, settings)
}

async fn fails(settings: &Settings) -> Error {
    let brief = Limits::brief(Duration::from_secs(30), &CancellationToken::new());
    Cluster::resolve(settings).unwrap().get(&absent(), &brief).await.unwrap_err()
}

#[tokio::test]
async fn a_proxy_leads_to_a_server_that_only_the_proxy_can_find() {
    for speaks in [Speaks::Http, Speaks::Socks5] {
        let (gateway, _folder, settings) = through(speaks);
        let room = Cluster::resolve(&settings).unwrap();
        assert!(room.get(&absent(), &limits()).await.unwrap().is_none());
        assert_eq!(gateway.asked(), ["cp.example:6443"], "{speaks:?}");
    }
}

#[tokio::test]
async fn the_servers_certificate_is_checked_behind_a_proxy_too() {
    for speaks in [Speaks::Http, Speaks::Socks5] {
        let (gateway, folder, _) = through(speaks);
        let proxied = json!({"server": SERVER, "proxy-url": gateway.url()});
        let failed = fails(&settings(&kubeconfig(&folder, proxied.clone()))).await;
        assert!(
            matches!(failed.kind(), ErrorKind::Certificate(CertificateProblem::NameMismatch { valid_for }) if valid_for.contains(&"localhost".to_owned())),
            "{failed:?}"
        );
        let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap().cert.pem();
        let mut change = proxied;
        change["tls-server-name"] = json!("localhost");
        change["certificate-authority-data"] = json!(STANDARD.encode(other));
        let failed = fails(&settings(&kubeconfig(&folder, change))).await;
        assert_eq!(*failed.kind(), ErrorKind::Certificate(CertificateProblem::WrongAuthority), "{failed:?}");
        assert!(failed.to_string().contains(&gateway.url()), "{failed}");
    }
}

#[tokio::test]
async fn a_proxy_of_the_attribute_comes_before_the_files_and_one_of_the_environment_after() {
    let (of_file, _folder, mut settings) = through(Speaks::Http);
    let of_attribute = shared().gateway(Speaks::Http).unwrap();
    settings.proxy_url = Some(of_attribute.url());
    assert!(Cluster::resolve(&settings).unwrap().get(&absent(), &limits()).await.unwrap().is_none());
    assert_eq!((of_attribute.asked().len(), of_file.asked().len()), (1, 0));
    let (folder, of_environment) = (tempfile::tempdir().unwrap(), shared().gateway(Speaks::Http).unwrap());
    let mut settings = self::settings(&kubeconfig(&folder, json!({"server": SERVER, "tls-server-name": "localhost"})));
    settings.environment.https_proxy = Some(of_environment.url());
    assert!(Cluster::resolve(&settings).unwrap().get(&absent(), &limits()).await.unwrap().is_none());
    assert_eq!(of_environment.asked().len(), 1);
}

#[tokio::test]
async fn a_user_of_a_proxy_is_sent_to_it_and_shown_to_nobody() {
    let (gateway, _folder, mut settings) = through(Speaks::Http);
    settings.proxy_url = Some(gateway.url_for("jane:s3cret"));
    assert!(Cluster::resolve(&settings).unwrap().get(&absent(), &limits()).await.unwrap().is_none());
    assert_eq!(gateway.authorizations(), [format!("Basic {}", STANDARD.encode("jane:s3cret"))]);
    gateway.refuse(407);
    let failed = fails(&settings).await;
    let said = format!("{failed:?} {failed} {} {}", failed.kind(), failed.next_step());
    assert!(said.contains("asks for another user and password") && said.contains(&gateway.url()), "{said}");
    assert!(!said.contains("s3cret") && !said.contains("jane"), "{said}");
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named_with_the_server() {
    for (speaks, words) in [(Speaks::Http, "the proxy refuses"), (Speaks::Socks5, "SOCKS error")] {
        let (gateway, _folder, settings) = through(speaks);
        gateway.refuse(403);
        let failed = fails(&settings).await;
        let ErrorKind::Unreachable(Unreachable::NoConnection(why)) = failed.kind() else { panic!("{failed:?}") };
        assert!(why.contains(words), "{why}");
        for said in [failed.to_string(), failed.next_step()] {
            assert!(said.contains(&gateway.url()) && said.contains(SERVER), "{said}");
        }
    }
}

#[tokio::test]
async fn a_proxy_that_says_nothing_or_is_not_there_is_named_with_the_server() {
    for speaks in [Speaks::Http, Speaks::Socks5] {
        let (gateway, _folder, settings) = through(speaks);
        gateway.fall_silent();
        let brief = Limits::brief(Duration::from_millis(300), &CancellationToken::new());
        let silent = Cluster::resolve(&settings).unwrap().get(&absent(), &brief).await.unwrap_err();
        let url = gateway.url();
        drop(gateway);
        let gone = fails(&settings).await;
        assert!(matches!(gone.kind(), ErrorKind::Unreachable(Unreachable::NoConnection(_))), "{gone:?}");
        for failed in [silent, gone] {
            assert!(failed.is_unreachable() && failed.to_string().contains(&url), "{failed:?}");
        }
    }
}
