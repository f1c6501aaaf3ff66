//! What is in a namespace: objects of every kind that the server knows, so that nobody's are lost with it.

use http::Request;
use http::header::ACCEPT;
use serde_json::Value;

use super::{Cluster, Limits};
use crate::error::{Call, Error, Place};

/// All kinds of the server in one answer (Kubernetes 1.30 and newer).
const KINDS: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// Names without contents, which may be secret.
const NAMES: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

/// How many objects of a kind are named.
const MOST: usize = 5;

/// A kind whose objects somebody can make and lose.
struct Collection {
    path: String,
    kind: String,
}

impl Cluster {
    /// The objects of a namespace as `Kind name`, up to five of each kind, those left out that are being deleted.
    ///
    /// # Errors
    /// When the kinds cannot be had, or one of them may not be listed: then it is not known what is there.
    pub async fn contents(&self, namespace: &str, limits: &Limits) -> Result<Vec<String>, Error> {
        let place = Place {
            subject: format!("objects of namespace {namespace}"),
            namespace: Some(namespace.to_owned()),
            quotes: false,
            ..self.0.place_of_server(Call::List)
        };
        let mut found = Vec::new();
        for root in ["/api", "/apis"] {
            let groups = self.ask_for(&place, root, KINDS, limits).await?;
            for Collection { path, kind } in collections(root, &groups, namespace) {
                let place = Place { resource: kind.clone(), ..place.clone() };
                let listed = self.ask_for(&place, &format!("{path}?limit={MOST}"), NAMES, limits).await?;
                found.extend(names(&listed).map(|name| format!("{kind} {name}")));
            }
        }
        Ok(found)
    }

    async fn ask_for(&self, place: &Place, path: &str, accept: &str, limits: &Limits) -> Result<Value, Error> {
        let request = || Request::get(path).header(ACCEPT, accept).body(Vec::new()).map_err(|error| error.to_string());
        self.0.ask(place, limits, request).await?.json(place)
    }
}

/// Each resource of a namespace once, in the first version that its group prefers.
fn collections(root: &str, groups: &Value, namespace: &str) -> Vec<Collection> {
    let items = |value: &Value, field: &str| value.get(field).and_then(Value::as_array).cloned().unwrap_or_default();
    let text =
        |value: &Value, pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut found = Vec::new();
    for group in items(groups, "items") {
        let name = text(&group, "/metadata/name");
        let mut seen: Vec<String> = Vec::new();
        for version in items(&group, "versions") {
            let parts = [root.to_owned(), name.clone(), text(&version, "/version")];
            let base = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
            for resource in items(&version, "resources") {
                let plural = text(&resource, "/resource");
                let verbs = items(&resource, "verbs");
                let can = |verb: &str| verbs.iter().any(|known| known == verb);
                let counts = text(&resource, "/scope") == "Namespaced" && can("list") && can("delete");
                if counts && !seen.contains(&plural) {
                    found.push(Collection {
                        path: format!("{base}/namespaces/{namespace}/{plural}"),
                        kind: text(&resource, "/responseKind/kind"),
                    });
                    seen.push(plural);
                }
            }
        }
    }
    found
}

fn names(listed: &Value) -> impl Iterator<Item = &str> {
    let items = listed.get("items").and_then(Value::as_array).into_iter().flatten();
    items
        .filter(|item| item.pointer("/metadata/deletionTimestamp").is_none())
        .filter_map(|item| item.pointer("/metadata/name")?.as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_resource_is_looked_at_once_and_only_where_it_can_be_lost() {
        let resource = |plural: &str, kind: &str, scope: &str, verbs: &[&str]| json!({"resource": plural, "responseKind": {"kind": kind}, "scope": scope, "verbs": verbs});
        let all = ["list", "delete"];
        let groups = json!({"items": [
            {"metadata": {"name": "apps"}, "versions": [
                {"version": "v1", "resources": [
                    resource("statefulsets", "StatefulSet", "Namespaced", &all),
                    resource("things", "Thing", "Cluster", &all),
                ]},
                {"version": "v1beta1", "resources": [resource("statefulsets", "StatefulSet", "Namespaced", &all)]},
            ]},
            {"metadata": {"name": "metrics.k8s.io"}, "versions": [
                {"version": "v1", "resources": [resource("pods", "PodMetrics", "Namespaced", &["list"])]},
            ]},
        ]});
        let found: Vec<String> = collections("/apis", &groups, "gpu").into_iter().map(|one| one.path).collect();
        assert_eq!(found, ["/apis/apps/v1/namespaces/gpu/statefulsets"]);
    }
}
