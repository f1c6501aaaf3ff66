//! Servers that are not there, answer late, or are somebody else; and what is tried again.

use std::fs;
use std::time::Duration;

use kubernetes::{
    Apply, Cluster, ErrorKind, Kind, Limits, ObjectRef, Settings, error::CertificateProblem, error::Unreachable,
    settings::Inline,
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{administrator, limits, object, over, shared};

fn nvidia() -> ObjectRef {
    ObjectRef::of_cluster(Kind::RUNTIME_CLASS, "absent")
}

fn brief() -> Limits {
    Limits::brief(Duration::from_secs(30), &CancellationToken::new())
}

fn inline(host: &str, ca: Option<String>) -> Cluster {
    let inline = Inline { host: host.into(), ca_certificate: ca, token: Some("x".into()), ..Inline::default() };
    Cluster::resolve(&Settings { inline: Some(inline), ..Settings::default() }).unwrap()
}

#[tokio::test]
async fn a_server_that_refuses_connections_is_unreachable_at_once() {
    let proxy = shared().proxy().unwrap();
    proxy.refuse().unwrap();
    let failed = over(proxy.kubeconfig()).get(&nvidia(), &brief()).await.unwrap_err();
    assert!(matches!(failed.kind(), ErrorKind::Unreachable(Unreachable::NoConnection(_))), "{failed:?}");
    assert!(failed.to_string().contains(&proxy.server()) && failed.is_unreachable());
}

#[tokio::test]
async fn a_connection_that_breaks_is_made_anew() {
    let proxy = shared().proxy().unwrap();
    let room = over(proxy.kubeconfig());
    assert!(room.get(&nvidia(), &limits()).await.unwrap().is_none());
    proxy.cut();
    assert!(room.get(&nvidia(), &limits()).await.unwrap().is_none());
    proxy.cut_after(cluster::Direction::Answers, 100);
    assert!(room.get(&nvidia(), &limits()).await.unwrap().is_none());
}

#[tokio::test]
async fn silence_ends_with_the_deadline() {
    let proxy = shared().proxy().unwrap();
    proxy.hold();
    let limits = Limits::brief(Duration::from_millis(300), &CancellationToken::new());
    let failed = over(proxy.kubeconfig()).get(&nvidia(), &limits).await.unwrap_err();
    assert!(failed.is_unreachable(), "{failed:?}");
}

#[tokio::test]
async fn a_stop_ends_the_wait_for_a_server() {
    let proxy = shared().proxy().unwrap();
    proxy.refuse().unwrap();
    let stop = CancellationToken::new();
    let room = over(proxy.kubeconfig());
    let limits = Limits::patient(Duration::from_secs(600), &stop);
    let wanted = nvidia();
    let (failed, ()) = tokio::join!(room.get(&wanted, &limits), async { stop.cancel() });
    assert_eq!(*failed.unwrap_err().kind(), ErrorKind::Interrupted);
}

#[tokio::test]
async fn what_heals_is_tried_again_and_what_does_not_is_not() {
    let front = shared().front().unwrap();
    let room = over(front.kubeconfig());
    for fault in [cluster::Fault::Answer(500, None), cluster::Fault::Answer(429, Some(1)), cluster::Fault::Drop] {
        front.next(1, "GET", "runtimeclasses", fault);
        assert!(room.get(&nvidia(), &limits()).await.unwrap().is_none());
    }
    assert_eq!(front.requests().len(), 6);
    let front = shared().front_as("nobody", &[]).unwrap();
    over(front.kubeconfig()).get(&nvidia(), &limits()).await.unwrap_err();
    assert_eq!(front.requests().len(), 1);
}

#[tokio::test]
async fn a_create_whose_answer_was_lost_is_not_sent_twice() {
    let front = shared().front().unwrap();
    let (room, name) = (over(front.kubeconfig()), shared().unique("lost"));
    let map =
        object(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}}));
    front.next(1, "POST", "configmaps", cluster::Fault::LoseAnswer);
    let failed = room.create(&map, "ours", &limits()).await.unwrap_err();
    assert!(failed.may_have_been_carried_out(), "{failed:?}");
    assert_eq!(front.requests().len(), 1);
    front.next(1, "PATCH", "configmaps", cluster::Fault::LoseAnswer);
    let apply = Apply { manager: "ours", force: true, dry_run: false };
    room.apply(&map, apply, &limits()).await.unwrap();
    assert_eq!(front.requests().len(), 3, "an apply is");
}

#[tokio::test]
async fn a_change_without_an_answer_is_known_as_one_however_its_last_attempt_ends() {
    let proxy = shared().proxy().unwrap();
    let (room, name) = (over(proxy.kubeconfig()), shared().unique("unanswered"));
    let map = object(json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default"}, "data": {"a": "1"}}));
    let at = ObjectRef::in_namespace(Kind::CONFIG_MAP, "default", &name);
    assert!(room.get(&at, &limits()).await.unwrap().is_none());
    proxy.refuse_after(cluster::Direction::Answers, 0);
    let limits = Limits::patient(Duration::from_secs(2), &CancellationToken::new());
    let apply = Apply { manager: "ours", force: false, dry_run: false };
    let failed = room.apply(&map, apply, &limits).await.unwrap_err();
    assert!(matches!(failed.kind(), ErrorKind::Unreachable(Unreachable::NoConnection(_))), "{failed:?}");
    assert!(failed.may_have_been_carried_out() && failed.next_step().contains("may have been"), "{failed:?}");
    assert!(administrator().get(&at, &super::limits()).await.unwrap().is_some());
}

#[tokio::test]
async fn certificates_that_do_not_fit_are_told_apart() {
    let cluster = shared();
    let other = rcgen::generate_simple_self_signed(vec!["a".to_owned()]).unwrap().cert.pem();
    let failed = inline(&cluster.server(), Some(other)).get(&nvidia(), &brief()).await.unwrap_err();
    assert_eq!(*failed.kind(), ErrorKind::Certificate(CertificateProblem::WrongAuthority));

    let inline = Inline { host: cluster.server(), ca_certificate: Some(cluster.ca().into()), ..Inline::default() };
    let settings =
        Settings { inline: Some(inline), tls_server_name: Some("other.example".into()), ..Settings::default() };
    let failed = Cluster::resolve(&settings).unwrap().get(&nvidia(), &brief()).await.unwrap_err();
    assert!(matches!(failed.kind(), ErrorKind::Certificate(CertificateProblem::NameMismatch { .. })), "{failed:?}");
}

#[tokio::test]
async fn a_token_that_is_wrong_is_not_accepted() {
    let failed = inline(&shared().server(), Some(shared().ca().into())).get(&nvidia(), &brief()).await.unwrap_err();
    assert_eq!(*failed.kind(), ErrorKind::Unauthorized);
}

#[tokio::test]
async fn several_files_and_a_server_name_reach_the_cluster() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty");
    fs::write(&empty, "apiVersion: v1\nkind: Config\n").unwrap();
    let mut settings = Settings { tls_server_name: Some("localhost".into()), ..Settings::default() };
    settings.environment.kubeconfig = Some(std::env::join_paths([empty, shared().kubeconfig()]).unwrap());
    let room = Cluster::resolve(&settings).unwrap();
    assert!(room.get(&nvidia(), &limits()).await.unwrap().is_none());
}

#[tokio::test]
async fn calls_share_their_connections() {
    let proxy = shared().proxy().unwrap();
    let room = over(proxy.kubeconfig());
    assert_eq!(proxy.connections(), 0, "settings connect to nothing");
    for _ in 0..5 {
        room.get(&nvidia(), &limits()).await.unwrap();
    }
    assert_eq!(proxy.connections(), 1);
    administrator().get(&nvidia(), &limits()).await.unwrap();
    assert_eq!(proxy.connections(), 1);
}

#[tokio::test]
async fn many_calls_at_once_take_a_few_connections() {
    let proxy = shared().proxy().unwrap();
    let (room, wanted, limits) = (over(proxy.kubeconfig()), nvidia(), limits());
    let calls: Vec<_> = (0..100)
        .map(|_| {
            let (room, wanted, limits) = (room.clone(), wanted.clone(), limits.clone());
            tokio::spawn(async move { room.get(&wanted, &limits).await })
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    // A connection is free a moment after its answer is there, so a few more are made than answers are waited for.
    let made = proxy.connections();
    assert!((2..=40).contains(&made), "{made} connections");
}
