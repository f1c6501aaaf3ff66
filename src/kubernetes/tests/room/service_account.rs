//! The credentials that Kubernetes gives to a pod: a folder with a token that is written anew, and where the server is.

use std::fs;

use kubernetes::{Cluster, ErrorKind, Kind, ObjectRef, Settings, error::CertificateProblem};
use tempfile::TempDir;

use super::{limits, shared};

fn absent() -> ObjectRef {
    ObjectRef::of_cluster(Kind::RUNTIME_CLASS, "absent")
}

/// The settings of a pod with this account.
fn pod(account: &str) -> (TempDir, Settings) {
    let folder = tempfile::tempdir().unwrap();
    shared().service_account(account, folder.path()).unwrap();
    let mut settings = Settings::default();
    settings.environment.service = Some(("127.0.0.1".into(), shared().port().to_string()));
    settings.environment.service_account = folder.path().into();
    (folder, settings)
}

/// Gives an account the right to read runtime classes.
fn allow(account: &str) {
    let (role, user) = (format!("--clusterrole={account}"), format!("--serviceaccount=default:{account}"));
    let make = ["create", "clusterrole", account, "--verb=get", "--resource=runtimeclasses.node.k8s.io"];
    shared().kubectl(&make).unwrap().succeeded().unwrap();
    shared().kubectl(&["create", "clusterrolebinding", account, &role, &user]).unwrap().succeeded().unwrap();
    let name = format!("--as=system:serviceaccount:default:{account}");
    let may = ["auth", "can-i", "get", "runtimeclasses.node.k8s.io", &name];
    let is_allowed = || Ok(shared().kubectl(&may)?.succeeded().ok().map(drop));
    shared().until("the role is in force", is_allowed).unwrap();
}

#[tokio::test]
async fn a_pod_is_its_service_account_to_the_server() {
    let account = shared().unique("pod");
    let (_folder, settings) = pod(&account);
    let room = Cluster::resolve(&settings).unwrap();
    let refused = room.get(&absent(), &limits()).await.unwrap_err();
    let name = format!("system:serviceaccount:default:{account}");
    assert!(matches!(refused.kind(), ErrorKind::Forbidden { user: Some(user), .. } if *user == name), "{refused:?}");
    allow(&account);
    assert!(room.get(&absent(), &limits()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_token_that_was_written_anew_is_read_again_when_the_old_one_is_refused() {
    let account = shared().unique("renewed");
    allow(&account);
    let (folder, settings) = pod(&account);
    let token = folder.path().join("token");
    let valid = fs::read(&token).unwrap();
    fs::write(&token, "of.another.cluster").unwrap();
    let room = Cluster::resolve(&settings).unwrap();
    let refused = room.get(&absent(), &limits()).await.unwrap_err();
    assert_eq!(*refused.kind(), ErrorKind::Unauthorized);
    fs::write(&token, &valid).unwrap();
    assert!(room.get(&absent(), &limits()).await.unwrap().is_none());
}

#[tokio::test]
async fn an_authority_that_is_not_the_servers_is_not_trusted() {
    let (folder, settings) = pod(&shared().unique("foreign"));
    let other = rcgen::generate_simple_self_signed(vec!["a".to_owned()]).unwrap().cert.pem();
    fs::write(folder.path().join("ca.crt"), other).unwrap();
    let refused = Cluster::resolve(&settings).unwrap().get(&absent(), &limits()).await.unwrap_err();
    assert_eq!(*refused.kind(), ErrorKind::Certificate(CertificateProblem::WrongAuthority));
}

#[tokio::test]
async fn a_token_file_that_holds_none_is_named() {
    let (folder, settings) = pod(&shared().unique("empty"));
    let token = folder.path().join("token");
    fs::write(&token, "\n").unwrap();
    let refused = Cluster::resolve(&settings).unwrap().get(&absent(), &limits()).await.unwrap_err();
    let ErrorKind::TokenFile { path, .. } = refused.kind() else { panic!("{refused:?}") };
    assert_eq!(*path, token.display().to_string());
}
