//! A webhook that writes the script of a namespace on the pods that are created in it.
//!
//! A case scripts pods that it does not write itself: a DaemonSet's, or the provider's. What the provider applies stays
//! as it is, since the annotations are of the pod and not of its owner.

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::api::Api;
use crate::server::{Request, reply};

/// Prefix of the annotations that script a pod.
pub(crate) const PREFIX: &str = "pod.test/";
/// Label of a namespace that scripts its pods: all others never reach the webhook.
pub(crate) const SCRIPTED: &str = "pod.test/scripted";

/// The configuration that makes the API server call `https://127.0.0.1:PORT/admit`.
pub(crate) fn configuration(port: u16, authority: &str) -> Value {
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "scripts.pod.test"},
        "webhooks": [{
            "name": "scripts.pod.test",
            "clientConfig": {
                "url": format!("https://127.0.0.1:{port}/admit"),
                "caBundle": STANDARD.encode(authority),
            },
            "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}],
            "namespaceSelector": {"matchExpressions": [{"key": SCRIPTED, "operator": "Exists"}]},
            "failurePolicy": "Fail",
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            "timeoutSeconds": 10,
        }],
    })
}

/// Answers a review of a pod's creation.
pub(crate) fn admit(api: &Api, request: &Request, to: &mut dyn Write) -> io::Result<()> {
    let review: Value = serde_json::from_slice(&request.body)?;
    let asked = &review["request"];
    let path = format!("/api/v1/namespaces/{}", asked["namespace"].as_str().unwrap_or_default());
    let namespace = api.get(&path).map_err(io::Error::other)?;
    let patch = patch(&asked["object"], &namespace);
    let answer = json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": {
            "uid": asked["uid"],
            "allowed": true,
            "patchType": "JSONPatch",
            "patch": STANDARD.encode(serde_json::to_vec(&patch)?),
        },
    });
    reply(to, 200, "application/json", &serde_json::to_vec(&answer)?)
}

/// What the pod says itself stands.
fn patch(pod: &Value, namespace: &Value) -> Value {
    let none = Map::new();
    let own = pod["metadata"]["annotations"].as_object().unwrap_or(&none);
    let script = namespace["metadata"]["annotations"].as_object().unwrap_or(&none);
    let mut all = own.clone();
    for (key, value) in script.iter().filter(|(key, _)| key.starts_with(PREFIX)) {
        all.entry(key.clone()).or_insert_with(|| value.clone());
    }
    json!([{"op": "add", "path": "/metadata/annotations", "value": all}])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::patch;

    #[test]
    fn a_pod_gets_the_script_of_its_namespace_and_keeps_its_own_annotations() {
        let pod = json!({"metadata": {"annotations": {"mine": "1", "pod.test/log": "own"}}});
        let namespace = json!({"metadata": {"annotations": {
            "pod.test/log": "script", "pod.test/exit-code": "3", "kubectl": "other"}}});
        let value = patch(&pod, &namespace)[0]["value"].clone();
        assert_eq!(value, json!({"mine": "1", "pod.test/log": "own", "pod.test/exit-code": "3"}));
        assert_eq!(patch(&json!({}), &json!({}))[0]["value"], json!({}));
    }
}
