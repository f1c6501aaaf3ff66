//! Takes the pod of a test away: after every run, and on destroy where that had not worked.

use std::time::Duration;

use kubernetes::{Cluster, Error, ErrorKind, Limits, ObjectRef, Preconditions, Propagation};
use plugin::{Applied, Context, DeleteRequest, Diagnostics};
use tokio::time::Instant;

use super::{
    model::{Memory, Test},
    timeouts,
};
use crate::{
    clusters::Clusters,
    texts::{cluster::SayOf, smoke_test::SayTest},
};

/// How long the end of a run may take: nothing of it waits for the user's deadline, or stops with Ctrl-C.
const AFTERWARDS: Duration = Duration::from_secs(30);

/// How long a server that nobody reaches is tried at the end of a run.
const UNREACHABLE: Duration = Duration::from_secs(10);

/// What became of a pod that was to go.
#[derive(Debug)]
pub(super) enum Removed {
    /// It is gone.
    Gone,
    /// It was told to go, and was not seen to be gone in time.
    Going,
    /// It could not be told.
    Failed(Error),
}

/// Limits of what comes after a run, however it ended.
pub(super) fn limits() -> Limits {
    Limits { deadline: Instant::now() + AFTERWARDS, unreachable_for: UNREACHABLE, stop: Default::default() }
}

/// Deletes the pod with this uid and waits until it is gone. Another pod of its name is left alone.
pub(super) async fn remove(cluster: &Cluster, at: &ObjectRef, uid: &str, limits: &Limits) -> Removed {
    let only = Preconditions { uid: Some(uid.to_owned()), resource_version: None };
    match cluster.delete(at, &only, Propagation::Background, limits).await {
        Ok(true) => {}
        Ok(false) => return Removed::Gone,
        // The precondition does not hold: ours is gone, and another pod has its name.
        Err(error) if matches!(error.kind(), ErrorKind::Changed(_)) => return Removed::Gone,
        Err(error) => return Removed::Failed(error),
    }
    match cluster.wait_until_gone(at, Some(uid), limits).await {
        Ok(()) => Removed::Gone,
        Err(_) => Removed::Going,
    }
}

/// A destroy. Without a pod that was left behind there is nothing to ask the cluster for. `Some`: it is still there.
pub(super) async fn delete(
    clusters: &Clusters,
    context: &Context,
    request: DeleteRequest,
    diagnostics: &mut Diagnostics,
) -> Option<Applied> {
    let DeleteRequest { prior, private } = request;
    let (Some(uid), Some(test)) = (Memory::of(&private).left, Test::from(&prior)) else { return None };
    let at = test.pod();
    let limits = Limits::patient(timeouts(&prior).delete, &context.stop);
    let removed = match clusters.cluster() {
        Ok(cluster) => remove(&cluster, &at, &uid, &limits).await,
        Err(why) => {
            SayOf { object: &at, at: "name", diagnostics }.no_cluster(&why);
            return Some(Applied { state: prior, private });
        }
    };
    let mut say = SayTest { test: &test, diagnostics };
    match removed {
        Removed::Gone => None,
        Removed::Going => {
            say.pod_left(None, false);
            None
        }
        Removed::Failed(error) => {
            say.not_removed(&error);
            Some(Applied { state: prior, private })
        }
    }
}
