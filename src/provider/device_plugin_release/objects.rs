//! One object of a release on the cluster: whose it is, applied, deleted.
//!
//! An object is the release's by Helm's own rule: the label and the two annotations that Helm puts on what it makes.

use std::time::Duration;

use kubernetes::{Apply, Cluster, Error, ErrorKind, Limits, Object, ObjectRef, Preconditions, Propagation, drift};
use serde_json::{Value as Json, json};

use super::{MANAGER, apply::Stopped, managed_fields, manifest, values::Release};

/// On objects of a create without a release record, until it has ended.
pub(super) const UNDER_WAY: &str = "terraform-provider-nvidia/under-way";

/// How long it is looked at what became of a call that got no answer.
pub(super) const AFTERWARDS: Duration = Duration::from_secs(10);

/// As it is sent. Rendered objects have a kind and a name.
pub(super) fn sendable(object: &Json, release: &Release, is_under_way: bool) -> Option<Object> {
    let mut applied = manifest::applied(object, release);
    if is_under_way {
        applied["metadata"]["annotations"][UNDER_WAY] = json!("create");
    }
    Object::new(applied).ok()
}

/// Where the pods' account stands.
const ACCOUNT: &str = "/spec/template/spec/serviceAccountName";

/// An account that the pods had and have no more is taken away in so many words. The server keeps it in an older field of
/// the same meaning, `serviceAccount`, which nobody owns, and would bring it back from there, until it is deleted and no
/// pod can be made.
pub(super) fn without_account(sent: Object, was: Option<&Json>) -> Object {
    if sent.at(ACCOUNT).is_some() || was.and_then(|was| was.pointer(ACCOUNT)).is_none() {
        return sent;
    }
    let mut json = sent.clone().into_json();
    for name in ["serviceAccountName", "serviceAccount"] {
        json["spec"]["template"]["spec"][name] = json!("");
    }
    Object::new(json).unwrap_or(sent)
}

/// Where an object that is owned stands; `None` for a kind that this provider does not know.
pub(super) fn place(owned: &Json) -> Option<ObjectRef> {
    Object::new(owned.clone()).ok()?.reference().ok()
}

/// Whether an object belongs to a release. The label is one of the release's own fields, which tools that label what they
/// find write over: where it is not Helm's, the object is the release's as long as helm is among those who have applied it.
pub(super) fn belongs(live: &Object, release: &Release) -> bool {
    let is = |pointer: &str, text: &str| live.at(pointer).and_then(Json::as_str) == Some(text);
    is("/metadata/annotations/meta.helm.sh~1release-name", &release.name)
        && is("/metadata/annotations/meta.helm.sh~1release-namespace", &release.namespace)
        && (is("/metadata/labels/app.kubernetes.io~1managed-by", "Helm") || live.managers().contains(&MANAGER))
}

/// Whether a create without a record has made it and not ended.
pub(super) fn is_under_way(live: &Object) -> bool {
    live.at("/metadata/annotations").and_then(|all| all.get(UNDER_WAY)).is_some()
}

/// Whether an object has what is sent, and nothing of ours that is no longer sent.
pub(super) fn is_as_sent(sent: &Object, before: Option<&Json>, live: &Object) -> bool {
    let was = before.and_then(|before| Object::new(before.clone()).ok());
    let dropped = was.is_some_and(|was| !drift::differences(&was, sent).is_empty());
    !dropped && drift::differences(sent, live).is_empty() && !managed_fields::has_updates_of_helm(live)
}

/// A field that stands otherwise than it is sent, and that the API server does not let change.
pub(super) fn immutable(sent: &Object, live: &Object) -> Option<&'static str> {
    let wanted = sent.clone().into_json();
    manifest::immutable(&manifest::Key::of(&wanted).kind, &drift::standing(sent, live), &wanted)
}

/// Applies an object that is ours or not there: what others have set of its fields becomes ours again, and what it had
/// before and has no more goes, whoever wrote it last.
pub(super) async fn apply(
    cluster: &Cluster,
    sent: &Object,
    before: Option<&Json>,
    live: Option<&Object>,
    limits: &Limits,
) -> Result<Object, Error> {
    let mut sent = sent.clone();
    if let Some(live) = live {
        hand_over(cluster, &sent, before, live, limits).await?;
        // With the uid an apply never makes anew what somebody deleted in between.
        sent = with_uid(&sent, live.uid());
    }
    let apply = Apply { manager: MANAGER, force: live.is_some(), dry_run: false };
    cluster.apply(&sent, apply, limits).await.map(|applied| applied.object)
}

fn with_uid(object: &Object, uid: &str) -> Object {
    let mut json = object.clone().into_json();
    json["metadata"]["uid"] = json!(uid);
    Object::new(json).unwrap_or_else(|_| object.clone())
}

async fn hand_over(
    cluster: &Cluster,
    sent: &Object,
    before: Option<&Json>,
    live: &Object,
    limits: &Limits,
) -> Result<(), Error> {
    let fields = managed_fields::handed_over(live, before, sent);
    let (Some(fields), Ok(at)) = (fields, live.reference()) else { return Ok(()) };
    let patch = json!({"metadata": {"resourceVersion": live.resource_version(), "managedFields": fields}});
    cluster.patch(&at, MANAGER, &patch, limits).await.map(drop)
}

/// What became of an object that was to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Removed {
    Gone,
    /// It belongs to somebody else.
    Foreign,
}

/// Deletes an object of the release, and waits until it is gone, with its pods where it has some.
pub(super) async fn remove(
    cluster: &Cluster,
    at: &ObjectRef,
    release: &Release,
    limits: &Limits,
) -> Result<Removed, Stopped> {
    let Some(live) = cluster.get(at, limits).await? else { return Ok(Removed::Gone) };
    if !belongs(&live, release) {
        return Ok(Removed::Foreign);
    }
    let uid = Some(live.uid().to_owned());
    let only = Preconditions { uid: uid.clone(), resource_version: None };
    match cluster.delete(at, &only, Propagation::Foreground, limits).await {
        Ok(false) => return Ok(Removed::Gone),
        Ok(true) => {}
        Err(error) if matches!(error.kind(), ErrorKind::Changed(_)) => return Ok(Removed::Foreign),
        Err(error) => return Err(error.into()),
    }
    match cluster.wait_until_gone(at, uid.as_deref(), limits).await {
        Ok(()) => Ok(Removed::Gone),
        Err(error) if *error.kind() == ErrorKind::DeadlineExceeded => Err(what_keeps(cluster, at, error).await),
        Err(error) => Err(error.into()),
    }
}

/// Why an object is still there, if the cluster still answers.
async fn what_keeps(cluster: &Cluster, at: &ObjectRef, error: Error) -> Stopped {
    match cluster.get(at, &Limits::brief(AFTERWARDS, &Default::default())).await {
        Ok(live) => {
            let finalizers = live.as_ref().and_then(|live| live.at("/metadata/finalizers")).and_then(Json::as_array);
            let names = finalizers.into_iter().flatten().filter_map(Json::as_str).map(ToOwned::to_owned);
            Stopped::Stays { at: at.clone(), finalizers: names.collect() }
        }
        Err(_) => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live() -> Object {
        Object::new(json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {
            "name": "a", "namespace": "b",
            "labels": {"app.kubernetes.io/managed-by": "Helm"},
            "annotations": {"meta.helm.sh/release-name": "r", "meta.helm.sh/release-namespace": "n"},
        }}))
        .unwrap()
    }

    #[test]
    fn an_object_belongs_to_the_release_that_helm_noted_on_it() {
        let release = |name: &str, namespace: &str| Release { name: name.into(), namespace: namespace.into() };
        assert!(belongs(&live(), &release("r", "n")));
        assert!(!belongs(&live(), &release("r", "other")));
        assert!(!belongs(&live(), &release("other", "n")));
    }

    #[test]
    fn an_object_whose_label_drifted_is_still_the_release_s_where_helm_applied_it() {
        let release = Release { name: "r".into(), namespace: "n".into() };
        let relabelled = |managed: Json, label: Json| {
            let mut object = live().into_json();
            object["metadata"]["managedFields"] = managed;
            object["metadata"]["labels"] = label;
            belongs(&Object::new(object).unwrap(), &release)
        };
        let by = |manager: &str| json!([{"manager": manager, "operation": "Apply"}]);
        assert!(relabelled(by("helm"), json!({})));
        assert!(relabelled(by("helm"), json!({"app.kubernetes.io/managed-by": "argocd"})));
        assert!(!relabelled(by("kubectl"), json!({})));
    }

    #[test]
    fn an_account_that_the_pods_have_no_more_is_taken_away_in_both_of_its_fields() {
        let set = |pod: Json| {
            json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "a"},
            "spec": {"template": {"spec": pod}}})
        };
        let sent = |pod: Json, was: Json| {
            without_account(Object::new(set(pod)).unwrap(), Some(&set(was))).at("/spec/template/spec").cloned()
        };
        let (with, without) = (json!({"serviceAccountName": "a"}), json!({"hostPID": true}));
        let taken = json!({"hostPID": true, "serviceAccountName": "", "serviceAccount": ""});
        assert_eq!(sent(without.clone(), with.clone()), Some(taken));
        assert_eq!(sent(without.clone(), without.clone()), Some(without), "what others have set is theirs");
        assert_eq!(sent(with.clone(), with.clone()), Some(with));
    }
}
