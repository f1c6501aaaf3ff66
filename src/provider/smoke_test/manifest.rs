//! The pod of a test.
//!
//! It satisfies the pod security standard `restricted`: it needs no privilege, no capability, no host path and no root,
//! since NVIDIA's runtime and the device plugin bring the device files and libraries, and any user may open them. What it
//! does not restrict is the root file system's being writable: the runtime mounts files into it.

use std::time::Duration;

use kubernetes::{NotAnObject, Object};
use serde_json::{Map, Value, json};

use super::model::Test;

/// Field manager of what this resource writes.
pub(super) const MANAGER: &str = "terraform-provider-nvidia";

/// The resource of NVIDIA's device plugin, and the key of the taint that keeps a node for those who use it.
pub(super) const GPU: &str = "nvidia.com/gpu";

/// The one container.
pub(super) const CONTAINER: &str = "test";

/// Label of every pod that this resource makes; its value tells the runs apart.
const RUN: &str = "terraform-provider-nvidia/smoke-test";

/// Annotation in which a run that is alive counts on.
const BEAT: &str = "terraform-provider-nvidia/beat";

/// How long the container has to end by itself when the pod is deleted, in seconds. There is nothing to save.
const GRACE: u64 = 5;

/// The longest that the API lets a pod say that it may be active, in seconds.
const LONGEST: u64 = i32::MAX as u64;

/// Whose pod stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// This run's.
    Mine,
    /// That of another run of a smoke test, with the last sign of life that it gave.
    Run(String),
    /// Somebody else's.
    Foreign,
}

/// Whose a pod is, to the run `run`.
pub(super) fn owner(pod: &Object, run: &str) -> Owner {
    let text = |pointer: String| pod.at(&pointer).and_then(Value::as_str);
    let is_managed = text("/metadata/labels/app.kubernetes.io~1managed-by".to_owned()) == Some(MANAGER);
    match text(format!("/metadata/labels/{}", escaped(RUN))) {
        Some(label) if is_managed && label == run => Owner::Mine,
        Some(label) if is_managed => {
            let beat = text(format!("/metadata/annotations/{}", escaped(BEAT))).unwrap_or_default();
            Owner::Run(format!("{label} {beat}"))
        }
        _ => Owner::Foreign,
    }
}

fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// The patch that shows that the run of this very pod is alive.
pub(super) fn beat(uid: &str, count: u64) -> Value {
    json!({"metadata": {"uid": uid, "annotations": {BEAT: count.to_string()}}})
}

/// The pod of `test` for the run `run`, which ends by itself after `most` should its run be killed.
pub(super) fn pod(test: &Test, run: &str, most: Duration) -> Result<Object, NotAnObject> {
    let mut spec = json!({
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": GRACE,
        "activeDeadlineSeconds": most.as_secs().clamp(1, LONGEST),
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "tolerations": tolerations(test),
        "securityContext": pod_security(test.run_as_user),
        "containers": [container(test)],
    });
    if let Some(class) = &test.runtime_class {
        spec["runtimeClassName"] = json!(class);
    }
    if !test.node_selector.is_empty() {
        spec["nodeSelector"] = json!(test.node_selector);
    }
    if let Some(node) = &test.node_name {
        // Not `nodeName`, which passes the scheduler by: it is the one that knows whether a GPU is free.
        let field = json!([{"key": "metadata.name", "operator": "In", "values": [node]}]);
        let required = json!({"nodeSelectorTerms": [{"matchFields": field}]});
        spec["affinity"] = json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}});
    }
    Object::new(json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": test.name,
            "namespace": test.namespace,
            "labels": {
                "app.kubernetes.io/name": "nvidia-smoke-test",
                "app.kubernetes.io/managed-by": MANAGER,
                RUN: run,
            },
            "annotations": {BEAT: "0"},
        },
        "spec": spec,
    }))
}

fn pod_security(user: i64) -> Value {
    let mut context = json!({"runAsUser": user, "seccompProfile": {"type": "RuntimeDefault"}});
    if user != 0 {
        context["runAsNonRoot"] = json!(true);
        context["runAsGroup"] = json!(user);
    }
    context
}

fn container(test: &Test) -> Value {
    let mut container = json!({
        "name": CONTAINER,
        "image": test.image,
        "command": test.command,
        // What is in the pod's status when the node does not give the log.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
    });
    if test.gpus > 0 {
        container["resources"] = json!({"limits": {GPU: test.gpus.to_string()}});
    }
    container
}

fn tolerations(test: &Test) -> Vec<Value> {
    let mut all = vec![json!({"key": GPU, "operator": "Exists"})];
    all.extend(test.tolerations.iter().map(|toleration| {
        let texts = [
            ("key", &toleration.key),
            ("operator", &toleration.operator),
            ("value", &toleration.value),
            ("effect", &toleration.effect),
        ];
        let mut fields: Map<String, Value> =
            texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), json!(text.as_ref()?)))).collect();
        if let Some(seconds) = toleration.toleration_seconds {
            fields.insert("tolerationSeconds".to_owned(), json!(seconds));
        }
        Value::Object(fields)
    }));
    all
}

#[cfg(test)]
mod tests {
    use plugin::Value as Attribute;

    use super::super::model::tests::test;
    use super::*;

    fn made(change: &[(&str, Attribute)]) -> Object {
        pod(&test(change), "r1", Duration::from_secs(600)).unwrap()
    }

    #[test]
    fn the_pod_satisfies_the_restricted_standard() {
        let pod = made(&[]);
        let spec = |pointer: &str| pod.at(&format!("/spec{pointer}")).cloned().unwrap_or_default();
        assert_eq!(spec("/securityContext/runAsNonRoot"), json!(true));
        assert_eq!(spec("/securityContext/runAsUser"), json!(65534));
        assert_eq!(spec("/securityContext/seccompProfile/type"), json!("RuntimeDefault"));
        assert_eq!(spec("/containers/0/securityContext/allowPrivilegeEscalation"), json!(false));
        assert_eq!(spec("/containers/0/securityContext/capabilities/drop"), json!(["ALL"]));
        assert_eq!(spec("/automountServiceAccountToken"), json!(false));
    }

    #[test]
    fn root_is_root_where_it_is_asked_for() {
        let pod = made(&[("run_as_user", Attribute::from(0))]);
        assert_eq!(pod.at("/spec/securityContext/runAsUser"), Some(&json!(0)));
        assert_eq!(pod.at("/spec/securityContext/runAsNonRoot"), None);
    }

    #[test]
    fn gpus_are_a_limit_and_none_is_no_limit() {
        let limit = |pod: &Object| pod.at("/spec/containers/0/resources/limits/nvidia.com~1gpu").cloned();
        assert_eq!(limit(&made(&[("gpus", Attribute::from(2))])), Some(json!("2")));
        assert_eq!(made(&[("gpus", Attribute::from(0))]).at("/spec/containers/0/resources"), None);
    }

    #[test]
    fn the_node_is_asked_of_the_scheduler() {
        let pod = made(&[("node_name", Attribute::from("gpu-1"))]);
        let terms = "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms/0";
        assert_eq!(pod.at(&format!("{terms}/matchFields/0/values")), Some(&json!(["gpu-1"])));
        assert_eq!(pod.at("/spec/nodeName"), None);
        let selected = made(&[("node_selector", Attribute::map([("gpu", Attribute::from("yes"))]))]);
        assert_eq!(selected.at("/spec/nodeSelector"), Some(&json!({"gpu": "yes"})));
    }

    #[test]
    fn the_gpu_taint_is_tolerated_before_those_of_the_configuration() {
        let toleration = Attribute::object([
            ("key", Attribute::from("team")),
            ("operator", Attribute::from("Exists")),
            ("effect", Attribute::from("NoExecute")),
            ("toleration_seconds", Attribute::from(5)),
        ]);
        let pod = made(&[("tolerations", Attribute::List(vec![toleration]))]);
        let expect = json!([
            {"key": "nvidia.com/gpu", "operator": "Exists"},
            {"key": "team", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5},
        ]);
        assert_eq!(pod.at("/spec/tolerations"), Some(&expect));
    }

    #[test]
    fn the_pod_ends_by_itself_within_what_the_api_takes() {
        for (most, seconds) in [(Duration::from_millis(20), 1), (Duration::from_secs(600), 600)] {
            let pod = pod(&test(&[]), "r1", most).unwrap();
            assert_eq!(pod.at("/spec/activeDeadlineSeconds"), Some(&json!(seconds)));
        }
        let century = pod(&test(&[]), "r1", Duration::from_secs(100 * 365 * 86_400)).unwrap();
        assert_eq!(century.at("/spec/activeDeadlineSeconds"), Some(&json!(i32::MAX)));
    }

    #[test]
    fn a_run_without_a_class_has_none() {
        assert_eq!(made(&[]).at("/spec/runtimeClassName"), Some(&json!("nvidia")));
        assert_eq!(made(&[("runtime_class_name", Attribute::from(""))]).at("/spec/runtimeClassName"), None);
    }

    #[test]
    fn a_pod_is_known_by_its_labels() {
        let pod = made(&[]);
        assert_eq!(owner(&pod, "r1"), Owner::Mine);
        let Owner::Run(first) = owner(&pod, "r2") else { panic!("another run's") };
        let mut later = pod.clone().into_json();
        later["metadata"]["annotations"][BEAT] = json!("1");
        let Owner::Run(second) = owner(&Object::new(later).unwrap(), "r2") else { panic!("another run's") };
        assert_ne!(first, second, "a sign of life shows");
        for label in ["app.kubernetes.io/managed-by", RUN] {
            let mut foreign = pod.clone().into_json();
            foreign["metadata"]["labels"].as_object_mut().unwrap().remove(label);
            assert_eq!(owner(&Object::new(foreign).unwrap(), "r1"), Owner::Foreign, "{label}");
        }
    }

    #[test]
    fn the_label_of_a_run_is_one_that_the_api_takes() {
        kubernetes::names::label_key(RUN).unwrap();
        kubernetes::names::annotation_key(BEAT).unwrap();
        kubernetes::names::label_value(&crate::run::id()).unwrap();
    }
}
