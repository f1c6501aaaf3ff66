//! Each call, and the refusals of a real server.

use kubernetes::{
    Apply, ErrorKind, Kind, LogOptions, Object, ObjectRef, Preconditions, Propagation, Selection, error::FieldConflict,
};
use serde_json::json;

use super::{administrator, limits, object, over, shared};

const OURS: Apply<'static> = Apply { manager: "ours", force: false, dry_run: false };
const THEIRS: Apply<'static> = Apply { manager: "theirs", force: false, dry_run: false };

fn map(name: &str, data: serde_json::Value) -> Object {
    object(
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}, "data": data}),
    )
}

fn at(name: &str) -> ObjectRef {
    ObjectRef::in_namespace(Kind::CONFIG_MAP, "default", name)
}

#[tokio::test]
async fn an_object_is_applied_read_changed_and_deleted() {
    let (room, name) = (administrator(), shared().unique("map"));
    assert!(room.get(&at(&name), &limits()).await.unwrap().is_none());
    let dry = Apply { dry_run: true, ..OURS };
    room.apply(&map(&name, json!({"a": "1"})), dry, &limits()).await.unwrap();
    assert!(room.get(&at(&name), &limits()).await.unwrap().is_none(), "a dry run stores nothing");

    let made = room.apply(&map(&name, json!({"a": "1", "b": "2"})), OURS, &limits()).await.unwrap();
    assert!(made.created);
    let again = room.apply(&map(&name, json!({"a": "1"})), OURS, &limits()).await.unwrap();
    assert!(!again.created);
    assert_eq!(again.object.at("/data"), Some(&json!({"a": "1"})), "what is no longer applied goes");
    let patched = room.patch(&at(&name), "ours", &json!({"data": {"c": "3"}}), &limits()).await.unwrap();
    assert_eq!(patched.at("/data/c"), Some(&json!("3")));

    let another = Preconditions { uid: Some("another".into()), resource_version: None };
    let refused = room.delete(&at(&name), &another, Propagation::Background, &limits()).await.unwrap_err();
    assert!(matches!(refused.kind(), ErrorKind::Changed(_)), "{refused:?}");
    let ours = Preconditions { uid: Some(made.object.uid().into()), resource_version: None };
    assert!(room.delete(&at(&name), &ours, Propagation::Background, &limits()).await.unwrap());
    assert!(!room.delete(&at(&name), &ours, Propagation::Background, &limits()).await.unwrap());
}

#[tokio::test]
async fn creating_and_replacing_tell_what_was_there() {
    let (room, name) = (administrator(), shared().unique("map"));
    let made = room.create(&map(&name, json!({"a": "1"})), "ours", &limits()).await.unwrap();
    let there = room.create(&map(&name, json!({})), "ours", &limits()).await.unwrap_err();
    assert_eq!(*there.kind(), ErrorKind::AlreadyExists);
    let newer = room.replace(&made, "ours", &limits()).await.unwrap();
    assert_eq!(newer.uid(), made.uid());
    room.patch(&at(&name), "theirs", &json!({"data": {"a": "2"}}), &limits()).await.unwrap();
    let late = room.replace(&made, "ours", &limits()).await.unwrap_err();
    assert!(matches!(late.kind(), ErrorKind::Changed(_)), "{late:?}");
}

#[tokio::test]
async fn a_conflict_names_the_manager_and_the_field() {
    let (room, name) = (administrator(), shared().unique("map"));
    room.apply(&map(&name, json!({"a": "1"})), THEIRS, &limits()).await.unwrap();
    let conflict = room.apply(&map(&name, json!({"a": "2"})), OURS, &limits()).await.unwrap_err();
    let expected = FieldConflict { manager: "theirs".into(), field: ".data.a".into() };
    assert_eq!(*conflict.kind(), ErrorKind::Conflict(vec![expected]));
    room.apply(&map(&name, json!({"a": "2"})), Apply { force: true, ..OURS }, &limits()).await.unwrap();
}

#[tokio::test]
async fn an_apply_for_one_object_does_not_meet_another() {
    let (room, name) = (administrator(), shared().unique("map"));
    let mut wanted = map(&name, json!({"a": "1"})).into_json();
    wanted["metadata"]["uid"] = json!("11111111-1111-1111-1111-111111111111");
    let absent = room.apply(&object(wanted.clone()), OURS, &limits()).await.unwrap_err();
    assert!(matches!(absent.kind(), ErrorKind::Changed(_) | ErrorKind::NotFound), "{absent:?}");
    room.apply(&map(&name, json!({"a": "1"})), OURS, &limits()).await.unwrap();
    let another = room.apply(&object(wanted), OURS, &limits()).await.unwrap_err();
    assert!(matches!(another.kind(), ErrorKind::Changed(_)), "{another:?}");
}

#[tokio::test]
async fn what_the_server_does_not_take_is_told_by_field() {
    let room = administrator();
    let class = |handler: &str| {
        object(
            json!({"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": "bad"}, "handler": handler}),
        )
    };
    let refused = room.apply(&class("Not A Handler"), OURS, &limits()).await.unwrap_err();
    let ErrorKind::Invalid(causes) = refused.kind() else { panic!("{refused:?}") };
    assert_eq!(causes[0].field, "handler");
    let mut unknown = class("a").into_json();
    unknown["hadnler"] = json!("a");
    let refused = room.apply(&object(unknown), OURS, &limits()).await.unwrap_err();
    assert!(refused.kind().to_string().contains("hadnler"), "{refused:?}");
}

#[tokio::test]
async fn a_missing_right_is_told_with_verb_and_resource() {
    let room = over(&shared().user("nobody", &[]).unwrap());
    let nvidia = ObjectRef::of_cluster(Kind::RUNTIME_CLASS, "nvidia");
    let refused = room.get(&nvidia, &limits()).await.unwrap_err();
    let expected = ErrorKind::Forbidden {
        user: Some("nobody".into()),
        verb: "get".into(),
        resource: "runtimeclasses.node.k8s.io".into(),
        namespace: None,
    };
    assert_eq!(*refused.kind(), expected);
    let refused = room.list(&Selection::all(Kind::POD, Some("default")), &limits()).await.unwrap_err();
    assert!(matches!(refused.kind(), ErrorKind::Forbidden { namespace: Some(ns), .. } if ns == "default"));
}

#[tokio::test]
async fn a_kind_that_the_server_does_not_have_is_not_taken_for_an_absent_object() {
    let policy = ObjectRef::of_cluster(Kind::CLUSTER_POLICY, "cluster-policy");
    let refused = administrator().get(&policy, &limits()).await.unwrap_err();
    assert_eq!(*refused.kind(), ErrorKind::NoSuchKind("clusterpolicies.nvidia.com".into()));
}

#[tokio::test]
async fn objects_are_listed_by_label_in_pages() {
    let (room, label) = (administrator(), shared().unique("set"));
    for index in 0..3 {
        let mut one = map(&format!("{label}-{index}"), json!({})).into_json();
        one["metadata"]["labels"] = json!({"set": label});
        room.apply(&object(one), OURS, &limits()).await.unwrap();
    }
    let selection = Selection::all(Kind::CONFIG_MAP, Some("default")).with_labels(&format!("set={label}"));
    let listed = room.list(&selection, &limits()).await.unwrap();
    assert_eq!(listed.items.len(), 3);
    assert_eq!(listed.items[0].reference().unwrap().kind, Kind::CONFIG_MAP, "items of a list know their kind");
    assert_eq!(room.first(&selection, 2, &limits()).await.unwrap().len(), 2);
    let one = Selection::one(&at(&format!("{label}-1")));
    assert_eq!(room.list(&one, &limits()).await.unwrap().items.len(), 1);
}

#[tokio::test]
async fn the_version_is_that_of_the_server() {
    let version = administrator().version(&limits()).await.unwrap();
    assert!(version.tag.starts_with("v1.") && version.minor.is_some_and(|(major, minor)| major == 1 && minor >= 30));
}

#[tokio::test]
async fn the_log_of_a_pod_that_is_not_there_is_an_error() {
    let pod = ObjectRef::in_namespace(Kind::POD, "default", "absent");
    let refused = administrator().logs(&pod, &LogOptions::default(), &limits()).await.unwrap_err();
    assert_eq!(*refused.kind(), ErrorKind::NotFound);
}
