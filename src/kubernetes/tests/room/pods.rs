//! What is asked of pods: their log and what was reported about them.

use std::ops::ControlFlow;

use kubernetes::{Kind, LogOptions, Object, ObjectRef};
use serde_json::{Value, json};

use super::{administrator, limits, object, shared};

fn pod(namespace: &str, container: Value) -> Object {
    object(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "test", "namespace": namespace},
        "spec": {"restartPolicy": "Never", "containers": [container]}}))
}

fn has_phase(pod: Option<&Object>, wanted: &str) -> ControlFlow<()> {
    match pod.and_then(|pod| pod.at("/status/phase")?.as_str()) {
        Some(phase) if phase == wanted => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    }
}

#[tokio::test]
async fn the_log_is_read_whole_from_its_end_and_up_to_a_limit() {
    let (room, namespace) = (administrator(), shared().unique("logs"));
    shared().namespace(&namespace).log("one\ntwo\nthree\n").create().unwrap();
    shared().node(&shared().unique("for-logs")).create().unwrap();
    let at = ObjectRef::in_namespace(Kind::POD, &namespace, "test");
    room.create(&pod(&namespace, json!({"name": "a", "image": "a"})), "ours", &limits()).await.unwrap();
    room.wait_for(&at, &limits(), |pod| has_phase(pod, "Succeeded")).await.unwrap();
    let options = LogOptions::default();
    assert_eq!(room.logs(&at, &options, &limits()).await.unwrap(), "one\ntwo\nthree\n");
    let tail = LogOptions { tail_lines: Some(1), ..options.clone() };
    assert_eq!(room.logs(&at, &tail, &limits()).await.unwrap(), "three\n");
    let some = LogOptions { limit_bytes: Some(5), ..options };
    assert_eq!(room.logs(&at, &some, &limits()).await.unwrap(), "one\nt");
}

#[tokio::test]
async fn what_was_reported_about_a_pod_is_told() {
    let (room, namespace) = (administrator(), shared().unique("events"));
    shared().namespace(&namespace).create().unwrap();
    let at = ObjectRef::in_namespace(Kind::POD, &namespace, "test");
    let wants = json!({"name": "a", "image": "a", "resources": {"limits": {"example.com/none": "1"}}});
    let made = room.create(&pod(&namespace, wants), "ours", &limits()).await.unwrap();
    let about = kubernetes::Selection::all(Kind::EVENT, Some(&namespace));
    room.wait(
        &about,
        &limits(),
        |events| {
            if events.is_empty() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        },
    )
    .await
    .unwrap();
    let events = room.events(&at, Some(made.uid()), &limits()).await.unwrap();
    let last = events.last().unwrap();
    assert_eq!((last.reason.as_str(), last.warning, last.about.as_str()), ("FailedScheduling", true, "Pod test"));
    assert!(!last.message.is_empty() && !last.last_seen.is_empty() && last.count >= 1, "{last:?}");
    assert!(room.events(&at, Some("another"), &limits()).await.unwrap().is_empty());
}
