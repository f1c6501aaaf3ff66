//! The release's namespace: made where it is missing, and taken away again only if this resource made it.

use kubernetes::{Apply, Cluster, Error, ErrorKind, Kind, Limits, Object, ObjectRef, Preconditions, Propagation};
use serde_json::{Value as Json, json};

use super::values::Release;

/// Who makes it: not helm, which would put other labels on it.
const MANAGER: &str = "terraform-provider-nvidia";

/// Notes on a namespace for which release this provider made it, so that a run after a killed one knows it again.
const MADE_FOR: &str = "terraform-provider-nvidia/made-for";

/// What became of it.
#[derive(Debug)]
pub(super) enum Ensured {
    /// It was there.
    Theirs,
    /// This resource made it; its uid.
    Ours(String),
    /// It is not there and is not to be made.
    Missing,
}

pub(crate) fn place(release: &Release) -> ObjectRef {
    ObjectRef::of_cluster(Kind::NAMESPACE, &release.namespace)
}

/// Sees to it that there is one. `may_create`: where there is none, it is made.
pub(super) async fn ensure(
    cluster: &Cluster,
    release: &Release,
    may_create: bool,
    limits: &Limits,
) -> Result<Ensured, Error> {
    let at = place(release);
    match cluster.get(&at, limits).await {
        // What still goes takes nothing new.
        Ok(Some(live)) if live.is_going() => cluster.wait_until_gone(&at, Some(live.uid()), limits).await?,
        Ok(Some(live)) if is_made_for(&live, release) => return Ok(Ensured::Ours(live.uid().to_owned())),
        Ok(Some(_)) => return Ok(Ensured::Theirs),
        Ok(None) => {}
        // Whoever may not look at namespaces has been given one.
        Err(error) if !may_create && matches!(error.kind(), ErrorKind::Forbidden { .. }) => return Ok(Ensured::Theirs),
        Err(error) => return Err(error),
    }
    let Some(object) = object(release).filter(|_| may_create) else { return Ok(Ensured::Missing) };
    let apply = Apply { manager: MANAGER, force: false, dry_run: false };
    let applied = cluster.apply(&object, apply, limits).await?;
    Ok(Ensured::Ours(applied.object.uid().to_owned()))
}

fn object(release: &Release) -> Option<Object> {
    let made_for = format!("{}/{}", release.namespace, release.name);
    Object::new(json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": release.namespace,
            "labels": { "pod-security.kubernetes.io/enforce": "privileged" },
            "annotations": { MADE_FOR: made_for },
        },
    }))
    .ok()
}

fn is_made_for(live: &Object, release: &Release) -> bool {
    let noted = live.at("/metadata/annotations").and_then(|all| all.get(MADE_FOR)).and_then(Json::as_str);
    noted == Some(&format!("{}/{}", release.namespace, release.name))
}

/// What became of a namespace that this resource made.
#[derive(Debug)]
pub(super) enum Left {
    Gone,
    /// Others have objects in it; some of them.
    InUse(Vec<String>),
    /// It may not be seen what is in it.
    Unseen(Error),
}

/// Deletes the namespace if this resource made it and nobody has anything in it: the one with this uid, where it is
/// remembered.
pub(super) async fn remove(
    cluster: &Cluster,
    release: &Release,
    uid: Option<&str>,
    limits: &Limits,
) -> Result<Left, Error> {
    let at = place(release);
    let is_ours = |live: &Object| uid.is_none_or(|uid| live.uid() == uid) && is_made_for(live, release);
    let uid = match cluster.get(&at, limits).await? {
        Some(live) if is_ours(&live) => live.uid().to_owned(),
        _ => return Ok(Left::Gone),
    };
    let contents = match cluster.contents(&release.namespace, limits).await {
        Ok(contents) => contents,
        Err(error) if matches!(error.kind(), ErrorKind::Forbidden { .. }) => return Ok(Left::Unseen(error)),
        Err(error) => return Err(error),
    };
    let others: Vec<String> = contents.into_iter().filter(|name| !is_of_every_namespace(name)).collect();
    if !others.is_empty() {
        return Ok(Left::InUse(others));
    }
    let only = Preconditions { uid: Some(uid.clone()), resource_version: None };
    match cluster.delete(&at, &only, Propagation::Background, limits).await {
        Ok(_) => {}
        Err(error) if matches!(error.kind(), ErrorKind::Changed(_)) => return Ok(Left::Gone),
        Err(error) => return Err(error),
    }
    cluster.wait_until_gone(&at, Some(&uid), limits).await?;
    Ok(Left::Gone)
}

/// What Kubernetes itself puts into every namespace, and events, which nobody misses.
fn is_of_every_namespace(name: &str) -> bool {
    matches!(name, "ConfigMap kube-root-ca.crt" | "ServiceAccount default") || name.starts_with("Event ")
}
