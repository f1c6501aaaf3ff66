//! Import by name: the object as it stands becomes ours, without what other tools have noted on it for themselves.

use kubernetes::{Kind, Object, ObjectRef, names};
use plugin::{Context, Diagnostics, Imported, Path, Value};
use serde_json::{Map, Value as Json, json};

use super::{
    MANAGER,
    check::say,
    read::{failed, stored},
    schema,
};
use crate::clusters::{Clusters, refresh_limits};

pub(super) async fn import(
    clusters: &Clusters,
    context: &Context,
    id: &str,
    diagnostics: &mut Diagnostics,
) -> Option<Imported> {
    if let Err(why) = names::subdomain(id) {
        diagnostics.error(
            Path::root(),
            "Invalid import id",
            format!("A runtime class is imported by its name, such as `nvidia`; {why}"),
        );
        return None;
    }
    let at = ObjectRef::of_cluster(Kind::RUNTIME_CLASS, id);
    let mut say = say(&at, diagnostics);
    let cluster = clusters.cluster().map_err(|why| say.no_cluster(&why)).ok()?;
    let limit = schema::TIMEOUTS.read;
    match cluster.get(&at, &refresh_limits(limit, context)).await {
        Ok(Some(_)) if !clusters.claim_import(&at) => {
            say.imported_twice();
            None
        }
        Ok(Some(live)) => Some(stored(&blank(id), &taken_over(&live), &live)),
        Ok(None) => {
            say.nothing_to_import(cluster.server());
            None
        }
        Err(error) => {
            failed(&mut say, "Reading", limit, &error);
            None
        }
    }
}

/// What of an object becomes ours.
fn taken_over(live: &Object) -> Object {
    let mut ours = json!({
        "apiVersion": live.api_version(), "kind": live.kind(), "metadata": {"name": live.name()},
    });
    for name in ["labels", "annotations"] {
        let all = live.at(&format!("/metadata/{name}")).and_then(Json::as_object);
        let applied = owned(live, name);
        let kept: Map<String, Json> = all
            .into_iter()
            .flatten()
            .filter(|(key, _)| applied.contains(key) || !is_of_a_tool(key))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        if !kept.is_empty() {
            ours["metadata"][name] = Json::Object(kept);
        }
    }
    for name in ["handler", "overhead", "scheduling"] {
        // An empty one says nothing, as one that is not there.
        if let Some(value) = live.fields().get(name).filter(|value| **value != json!({})) {
            ours[name] = value.clone();
        }
    }
    Object::new(ours).unwrap_or_else(|_| live.clone())
}

/// The keys that our own field manager has applied: an object whose state was lost.
fn owned(live: &Object, name: &str) -> Vec<String> {
    let entries = live.at("/metadata/managedFields").and_then(Json::as_array).into_iter().flatten();
    let ours = entries.filter(|entry| entry.get("manager").and_then(Json::as_str) == Some(MANAGER));
    let keys = ours.filter_map(|entry| entry.pointer(&format!("/fieldsV1/f:metadata/f:{name}"))?.as_object());
    keys.flat_map(|keys| keys.keys().filter_map(|key| key.strip_prefix("f:").map(ToOwned::to_owned))).collect()
}

/// Whether a key is one that a tool writes for itself: those of kubectl, of Helm and of the tools that follow a repository.
fn is_of_a_tool(key: &str) -> bool {
    let domain = key.split_once('/').map_or("", |(domain, _)| domain);
    let of = |owner: &str| domain == owner || domain.ends_with(&format!(".{owner}"));
    let is_of_the_user = domain == "app.kubernetes.io" && key != "app.kubernetes.io/managed-by";
    !is_of_the_user
        && ["kubernetes.io", "k8s.io", "helm.sh", "argoproj.io", "fluxcd.io", "cattle.io"].iter().any(|owner| of(owner))
}

/// An object with every attribute that a configuration may leave out at its default.
fn blank(name: &str) -> Value {
    let defaults = schema::schema().attributes.into_iter().map(|a| (a.name, a.default.unwrap_or(Value::Null)));
    let mut object = Value::object(defaults);
    object.set("name", Value::from(name));
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tools_have_noted_for_themselves_is_not_taken_over() {
        let live = Object::new(json!({
            "apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "handler": "nvidia",
            "metadata": {
                "name": "nvidia", "uid": "u",
                "labels": {"team": "a", "app.kubernetes.io/name": "x", "app.kubernetes.io/managed-by": "Helm"},
                "annotations": {
                    "kubectl.kubernetes.io/last-applied-configuration": "{}",
                    "meta.helm.sh/release-name": "x",
                    "ours.kubernetes.io/a": "1",
                },
                "managedFields": [{"manager": MANAGER, "fieldsV1": {"f:metadata": {"f:annotations": {"f:ours.kubernetes.io/a": {}}}}}],
            },
            "overhead": {"podFixed": {"cpu": "1"}},
            "scheduling": {},
        }))
        .unwrap();
        assert_eq!(
            taken_over(&live).into_json(),
            json!({
                "apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "handler": "nvidia",
                "metadata": {
                    "name": "nvidia",
                    "labels": {"team": "a", "app.kubernetes.io/name": "x"},
                    "annotations": {"ours.kubernetes.io/a": "1"},
                },
                "overhead": {"podFixed": {"cpu": "1"}},
            })
        );
    }

    #[test]
    fn an_imported_object_has_the_defaults_of_the_schema() {
        let object = blank("other");
        assert_eq!((object.get("name"), object.get("handler")), (&"other".into(), &"nvidia".into()));
        assert!(object.get("timeouts").is_null());
    }
}
