//! Comparisons of whole objects, as an apply and an edit by hand leave them.

use serde_json::{Value, json};

use super::*;

fn object(mut rest: Value) -> Object {
    let fields = rest.as_object_mut().unwrap();
    fields.insert("apiVersion".into(), json!("v1"));
    fields.insert("kind".into(), json!("X"));
    fields.entry("metadata").or_insert(json!({}))["name"] = json!("a");
    Object::new(rest).unwrap()
}

fn paths(ours: Value, live: Value) -> Vec<String> {
    differences(&object(ours), &object(live)).into_iter().map(|difference| difference.path).collect()
}

fn pod(spec: Value) -> Value {
    json!({"spec": {"template": {"spec": spec}}})
}

#[test]
fn fields_of_others_and_defaults_are_no_drift() {
    let ours = json!({"metadata": {"labels": {"a": "1"}}, "spec": {"template": {"spec": {
        "containers": [{"name": "c", "image": "i"}]}}}});
    let live = json!({"metadata": {"labels": {"a": "1", "foreign": "2"}, "uid": "u", "resourceVersion": "7"},
        "spec": {"template": {"spec": {"dnsPolicy": "ClusterFirst", "containers": [
            {"name": "sidecar", "image": "x"},
            {"name": "c", "image": "i", "imagePullPolicy": "Always", "resources": {}}]}}},
        "status": {"x": 1}});
    assert_eq!(paths(ours, live), Vec::<String>::new());
}

#[test]
fn a_change_is_told_by_its_path_with_both_values() {
    let ours = pod(json!({"containers": [{"name": "c", "image": "i", "env": [{"name": "A", "value": "1"}]}]}));
    let live = pod(json!({"containers": [{"name": "c", "image": "j", "env": []}]}));
    let found = differences(&object(ours), &object(live));
    assert_eq!(
        found,
        [
            Difference {
                path: ".spec.template.spec.containers[name=c].env[name=A]".into(),
                ours: json!({"name": "A", "value": "1"}),
                live: None
            },
            Difference {
                path: ".spec.template.spec.containers[name=c].image".into(),
                ours: json!("i"),
                live: Some(json!("j"))
            },
        ]
    );
}

#[test]
fn amounts_are_compared_where_amounts_stand_and_nowhere_else() {
    let limits =
        |memory: Value| pod(json!({"containers": [{"name": "c", "resources": {"limits": {"memory": memory}}}]}));
    assert_eq!(paths(limits(json!("1024Mi")), limits(json!("1Gi"))), Vec::<String>::new());
    assert_eq!(paths(limits(json!(1)), limits(json!("1"))), Vec::<String>::new());
    assert_eq!(paths(limits(json!("1Gi")), limits(json!("2Gi"))).len(), 1);
    let data = |text: &str| json!({"data": {"limits": text}});
    assert_eq!(paths(data("1024Mi"), data("1Gi")), [".data.limits"]);
    let labels = |text: &str| json!({"metadata": {"labels": {"requests": "x", "a.b/c": text}}});
    assert_eq!(paths(labels("1000m"), labels("1")), [".metadata.labels[\"a.b/c\"]"]);
}

#[test]
fn what_is_empty_is_the_same_as_what_is_not_there() {
    let ours = json!({"metadata": {"labels": {}, "creationTimestamp": null}, "spec": {"hostNetwork": false, "a": "", "list": []}});
    assert_eq!(paths(ours, json!({"spec": {}})), Vec::<String>::new());
    let pointer = json!({"spec": {"automountServiceAccountToken": false}});
    assert_eq!(paths(pointer, json!({"spec": {}})), [".spec.automountServiceAccountToken"]);
}

#[test]
fn a_list_that_is_one_value_is_compared_as_a_whole() {
    let tolerations = |items: Value| pod(json!({"tolerations": items}));
    let ours = json!([{"key": "a", "operator": "Exists"}]);
    for (live, differs) in [
        (json!([{"key": "a", "operator": "Exists"}]), false),
        (json!([{"key": "a", "operator": "Exists"}, {"key": "b", "operator": "Exists"}]), true),
        (json!([{"key": "a", "operator": "Exists", "effect": "NoSchedule"}]), true),
        (json!([]), true),
    ] {
        let found = paths(tolerations(ours.clone()), tolerations(live.clone()));
        assert_eq!(!found.is_empty(), differs, "{live}");
    }
    assert!(
        paths(tolerations(json!([{"key": "a"}])), tolerations(json!([{"key": "a", "operator": "Equal"}]))).is_empty()
    );
    let args = |items: Value| pod(json!({"containers": [{"name": "c", "args": items}]}));
    assert_eq!(
        paths(args(json!(["a", "b"])), args(json!(["b", "a"]))),
        [".spec.template.spec.containers[name=c].args"]
    );
}

#[test]
fn a_selector_is_one_value() {
    let selector = |labels: Value| json!({"scheduling": {"nodeSelector": labels}});
    assert_eq!(paths(selector(json!({"a": "1"})), selector(json!({"a": "1", "b": "2"}))), [".scheduling.nodeSelector"]);
}

#[test]
fn lists_of_objects_are_merged_by_their_keys_in_any_order() {
    let spec = |mounts: Value, ports: Value| {
        pod(json!({"containers": [{"name": "c", "volumeMounts": mounts, "ports": ports}]}))
    };
    let ours = spec(
        json!([{"name": "v", "mountPath": "/a"}, {"name": "v", "mountPath": "/b"}]),
        json!([{"containerPort": 80}]),
    );
    let live = spec(
        json!([{"name": "v", "mountPath": "/b"}, {"name": "w", "mountPath": "/a"}]),
        json!([{"containerPort": 80, "protocol": "UDP"}, {"containerPort": 80, "protocol": "TCP"}]),
    );
    assert_eq!(paths(ours, live), [".spec.template.spec.containers[name=c].volumeMounts[mountPath=/a].name"]);
}

#[test]
fn a_second_item_of_one_key_shows_when_it_differs() {
    let env = |env: Value| pod(json!({"containers": [{"name": "c", "env": env}]}));
    let (ours, other) = (json!({"name": "A", "value": "1"}), json!({"name": "A", "value": "2"}));
    assert_eq!(paths(env(json!([ours])), env(json!([ours, ours]))), Vec::<String>::new());
    for doubled in [json!([ours, other]), json!([other, ours])] {
        let (ours, live) = (object(env(json!([ours]))), object(env(doubled)));
        assert_eq!(differences(&ours, &live).len(), 1);
        assert_eq!(standing(&ours, &live)["spec"]["template"]["spec"]["containers"][0]["env"], json!([other]));
    }
}

#[test]
fn ours_as_it_stands_has_our_fields_with_live_values() {
    let ours = object(json!({
        "metadata": {"labels": {"a": "1", "gone": "x"}, "resourceVersion": "1"},
        "overhead": {"podFixed": {"memory": "1024Mi", "cpu": "1"}},
        "scheduling": {"tolerations": [{"key": "a", "operator": "Exists"}], "nodeSelector": {}},
        "spec": {"containers": [{"name": "c", "image": "i"}, {"name": "removed"}]},
    }));
    let live = object(json!({
        "metadata": {"labels": {"a": "2", "foreign": "y"}, "resourceVersion": "9"},
        "overhead": {"podFixed": {"memory": "1Gi", "cpu": "2"}},
        "scheduling": {"tolerations": []},
        "spec": {"containers": [{"name": "c", "image": "j", "imagePullPolicy": "Always"}]},
    }));
    assert_eq!(
        standing(&ours, &live),
        json!({
            "apiVersion": "v1", "kind": "X",
            "metadata": {"name": "a", "labels": {"a": "2"}},
            "overhead": {"podFixed": {"memory": "1024Mi", "cpu": "2"}},
            "scheduling": {"tolerations": [], "nodeSelector": {}},
            "spec": {"containers": [{"name": "c", "image": "j"}]},
        })
    );
}
