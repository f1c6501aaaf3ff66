//! Destroy: our object and no other, whatever stands under its name.

use std::time::Duration;

use kubernetes::{Cluster, Error, ErrorKind, Limits, ObjectRef, Preconditions, Propagation};
use plugin::{Applied, Context, DeleteRequest, Diagnostics};
use serde_json::Value as Json;

use super::{check::say, read::failed, target, timeouts};
use crate::{clusters::Clusters, texts::cluster::SayOf};

/// How long it is looked at what keeps an object that does not go.
const AFTERWARDS: Duration = Duration::from_secs(5);

/// `Some`: the object is still there.
pub(super) async fn delete(
    clusters: &Clusters,
    context: &Context,
    request: DeleteRequest,
    diagnostics: &mut Diagnostics,
) -> Option<Applied> {
    let DeleteRequest { prior, private } = request;
    let at = target(&prior)?;
    let mut say = say(&at, diagnostics);
    let limit = timeouts(&prior).delete;
    let uid = prior.get("uid").string().known().filter(|uid| !uid.is_empty()).map(ToOwned::to_owned);
    let still_there = Some(Applied { state: prior, private });
    let cluster = match clusters.cluster() {
        Ok(cluster) => cluster,
        Err(why) => {
            say.no_cluster(&why);
            return still_there;
        }
    };
    let limits = Limits::patient(limit, &context.stop);
    let only = Preconditions { uid: uid.clone(), resource_version: None };
    match cluster.delete(&at, &only, Propagation::Background, &limits).await {
        Ok(false) => return None,
        Ok(true) => {}
        Err(error) if matches!(error.kind(), ErrorKind::Changed(_)) => {
            say.another_is_left(&uid.unwrap_or_default());
            return None;
        }
        Err(error) => {
            failed(&mut say, "Deleting", limit, &error);
            return still_there;
        }
    }
    match cluster.wait_until_gone(&at, uid.as_deref(), &limits).await {
        Ok(()) => None,
        Err(error) => {
            not_gone(&cluster, &at, limit, &error, &mut say).await;
            still_there
        }
    }
}

/// Says why an object is still there, or that it is not known.
async fn not_gone(cluster: &Cluster, at: &ObjectRef, limit: Duration, error: &Error, say: &mut SayOf<'_>) {
    if *error.kind() != ErrorKind::DeadlineExceeded {
        return failed(say, "Waiting for the end of", limit, error);
    }
    let live = cluster.get(at, &Limits::brief(AFTERWARDS, &Default::default())).await.ok().flatten();
    let finalizers = live.as_ref().and_then(|live| live.at("/metadata/finalizers")).and_then(Json::as_array);
    let names: Vec<&str> = finalizers.into_iter().flatten().filter_map(Json::as_str).collect();
    say.stays(limit, &names);
}
