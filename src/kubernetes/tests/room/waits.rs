//! Waiting by watch, through what breaks a watch.

use std::ops::ControlFlow;
use std::time::Duration;

use kubernetes::{Apply, Cluster, ErrorKind, Kind, Limits, ObjectRef, Preconditions, Propagation, Selection};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{administrator, limits, object, over, shared};

async fn put(room: &Cluster, name: &str, value: &str) {
    let map = object(json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default"}, "data": {"a": value}}));
    room.apply(&map, Apply { manager: "ours", force: true, dry_run: false }, &limits()).await.unwrap();
}

fn at(name: &str) -> ObjectRef {
    ObjectRef::in_namespace(Kind::CONFIG_MAP, "default", name)
}

/// Waits until the map has each of these values in turn, and changes it to the next when it has.
async fn turns(watcher: &Cluster, name: &str, broken: impl Fn()) {
    let room = administrator();
    put(&room, name, "1").await;
    let (seen, mut news) = tokio::sync::mpsc::unbounded_channel::<String>();
    let object = at(name);
    let limits = limits();
    let wait = watcher.wait_for(&object, &limits, |map| {
        let value = map.and_then(|map| map.at("/data/a")?.as_str()).unwrap_or_default().to_owned();
        seen.send(value.clone()).unwrap();
        if value == "3" { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let change = async {
        while let Some(value) = news.recv().await {
            match value.as_str() {
                "1" => put(&room, name, "2").await,
                "2" => {
                    broken();
                    put(&room, name, "3").await;
                }
                _ => break,
            }
        }
    };
    let (waited, ()) = tokio::join!(wait, change);
    waited.unwrap();
}

#[tokio::test]
async fn a_wait_sees_each_change() {
    turns(&administrator(), &shared().unique("turns"), || ()).await;
}

#[tokio::test]
async fn a_wait_goes_on_after_its_connection_broke() {
    let proxy = shared().proxy().unwrap();
    turns(&over(proxy.kubeconfig()), &shared().unique("turns"), || proxy.cut()).await;
}

#[tokio::test]
async fn a_wait_ends_with_its_deadline_or_a_stop() {
    let room = administrator();
    let never = |_: &kubernetes::Objects| ControlFlow::<()>::Continue(());
    let selection = Selection::all(Kind::CONFIG_MAP, Some("default"));
    let brief = Limits::brief(Duration::from_millis(300), &CancellationToken::new());
    let ended = room.wait(&selection, &brief, never).await.unwrap_err();
    assert_eq!(*ended.kind(), ErrorKind::DeadlineExceeded);
    let stop = CancellationToken::new();
    let patient = Limits::patient(Duration::from_secs(600), &stop);
    let cancels = |_: &kubernetes::Objects| {
        stop.cancel();
        ControlFlow::<()>::Continue(())
    };
    let ended = room.wait(&selection, &patient, cancels).await.unwrap_err();
    assert_eq!(*ended.kind(), ErrorKind::Interrupted);
}

#[tokio::test]
async fn the_end_of_an_object_is_waited_for() {
    let (room, name) = (administrator(), shared().unique("ends"));
    put(&room, &name, "1").await;
    let uid = room.get(&at(&name), &limits()).await.unwrap().unwrap().uid().to_owned();
    room.wait_until_gone(&at(&name), Some("another"), &limits()).await.unwrap();
    let held = |finalizers: &[&str]| json!({"metadata": {"finalizers": finalizers}});
    room.patch(&at(&name), "theirs", &held(&["example.com/held"]), &limits()).await.unwrap();
    room.delete(&at(&name), &Preconditions::default(), Propagation::Background, &limits()).await.unwrap();
    assert!(room.get(&at(&name), &limits()).await.unwrap().unwrap().is_going());
    let (object, free, limits) = (at(&name), held(&[]), limits());
    let (gone, freed) = tokio::join!(
        room.wait_until_gone(&object, Some(&uid), &limits),
        room.patch(&object, "theirs", &free, &limits),
    );
    freed.unwrap();
    gone.unwrap();
    assert!(room.get(&object, &limits).await.unwrap().is_none());
}
