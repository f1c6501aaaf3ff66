//! Makes the pod, and sees to it that its name is free: what a killed run has left is removed, what lives or is somebody
//! else's is not.
//!
//! A create has no memory: Terraform gives it no state and tells no address, so nothing but the pod itself can say whose
//! it is. That it was made by a smoke test its labels say; that its run is dead it says by silence, since a run that is
//! alive counts on in an annotation (`manifest::beat`). No clocks are compared: silence is what this run itself has seen.

use std::{ops::ControlFlow, time::Duration};

use kubernetes::{Cluster, Error, ErrorKind, Limits, Object, ObjectRef, Preconditions, Propagation};
use tokio::time::Instant;

use super::{
    cleanup,
    manifest::{MANAGER, Owner, owner},
    reason,
};

/// How long a run must have been silent to be taken for dead: three beats and some.
const SILENCE: Duration = Duration::from_secs(10);

/// Between two attempts at a create that may heal.
const PAUSE: Duration = Duration::from_secs(1);

/// How often such a create is made: a namespace has its service account within seconds, and etcd its leader.
const ATTEMPTS: u32 = 30;

/// Why there is no pod of this run.
#[derive(Debug)]
pub(super) enum NotMade {
    /// The cluster does not take it, or does not answer.
    Refused(Error),
    /// Somebody else's stands there.
    Foreign,
    /// Another test's stands there and lives, or does not go.
    Taken,
    Interrupted,
}

/// Makes `pod` for the run `run`. An error leaves no pod of this run behind.
pub(super) async fn make(
    cluster: &Cluster,
    at: &ObjectRef,
    pod: &Object,
    run: &str,
    limits: &Limits,
) -> Result<Object, NotMade> {
    // An answer was lost, so the pod may be there.
    let mut unsure = false;
    let made = attempts(cluster, at, pod, run, limits, &mut unsure).await;
    if made.is_err() && unsure {
        withdraw(cluster, at, run).await;
    }
    made
}

async fn attempts(
    cluster: &Cluster,
    at: &ObjectRef,
    pod: &Object,
    run: &str,
    limits: &Limits,
    unsure: &mut bool,
) -> Result<Object, NotMade> {
    let mut failures = 0;
    loop {
        let error = match cluster.create(pod, MANAGER, limits).await {
            Ok(made) => return Ok(made),
            Err(error) => error,
        };
        // A server that fails may have stored it all the same. The next attempt then finds it.
        let is_lost = error.may_have_been_carried_out() || matches!(error.kind(), ErrorKind::Server { .. });
        *unsure |= is_lost;
        match error.kind() {
            ErrorKind::AlreadyExists => {
                if let Some(mine) = freed(cluster, at, run, limits).await? {
                    return Ok(mine);
                }
            }
            ErrorKind::Interrupted => return Err(NotMade::Interrupted),
            kind if is_lost || reason::heals(kind) => {
                failures += 1;
                if failures == ATTEMPTS || Instant::now() + PAUSE >= limits.deadline {
                    return Err(NotMade::Refused(error));
                }
                tokio::select! {
                    () = limits.stop.cancelled() => return Err(NotMade::Interrupted),
                    () = tokio::time::sleep(PAUSE) => {}
                }
            }
            _ => return Err(NotMade::Refused(error)),
        }
    }
}

/// What is seen of the name.
enum Seen {
    Free,
    /// A create whose answer was lost had made it.
    Mine(Object),
    Foreign,
    /// Another run gave this sign of life.
    Alive(String),
}

/// Waits until the name is free, and frees it of what a dead run has left. `Some`: it is this run's own already.
async fn freed(cluster: &Cluster, at: &ObjectRef, run: &str, limits: &Limits) -> Result<Option<Object>, NotMade> {
    let mut last_sign = None;
    let mut there: Option<Object> = None;
    loop {
        let silent = Instant::now() + SILENCE;
        let patience = Limits { deadline: limits.deadline.min(silent), ..limits.clone() };
        let seen = cluster
            .wait_for(at, &patience, |pod| {
                there = pod.cloned();
                look(pod, run, last_sign.as_deref())
            })
            .await;
        match seen {
            Ok(Seen::Free) => return Ok(None),
            Ok(Seen::Mine(pod)) => return Ok(Some(pod)),
            Ok(Seen::Foreign) => return Err(NotMade::Foreign),
            Ok(Seen::Alive(sign)) => last_sign = Some(sign),
            Err(error) => match error.kind() {
                ErrorKind::Interrupted => return Err(NotMade::Interrupted),
                ErrorKind::DeadlineExceeded if silent >= limits.deadline => return Err(NotMade::Taken),
                // That nobody answers is no silence of the run: it is listened for anew.
                ErrorKind::Unreachable(_) if silent < limits.deadline => last_sign = None,
                ErrorKind::DeadlineExceeded => {
                    if let Some(dead) = there.as_ref().filter(|pod| !pod.is_going()) {
                        remove_dead(cluster, at, dead, limits).await?;
                    }
                }
                _ => return Err(NotMade::Refused(error)),
            },
        }
    }
}

fn look(pod: Option<&Object>, run: &str, last_sign: Option<&str>) -> ControlFlow<Seen> {
    let Some(pod) = pod else { return ControlFlow::Break(Seen::Free) };
    match owner(pod, run) {
        Owner::Mine => ControlFlow::Break(Seen::Mine(pod.clone())),
        Owner::Foreign => ControlFlow::Break(Seen::Foreign),
        Owner::Run(sign) if last_sign != Some(sign.as_str()) => ControlFlow::Break(Seen::Alive(sign)),
        Owner::Run(_) => ControlFlow::Continue(()),
    }
}

/// Deletes exactly the pod that was silent: one that has beaten since has another version, and another pod another uid.
async fn remove_dead(cluster: &Cluster, at: &ObjectRef, dead: &Object, limits: &Limits) -> Result<(), NotMade> {
    tracing::info!(pod = %at, "removing the pod of a smoke test that was left behind");
    let only =
        Preconditions { uid: Some(dead.uid().to_owned()), resource_version: Some(dead.resource_version().to_owned()) };
    match cluster.delete(at, &only, Propagation::Background, limits).await {
        Ok(_) => Ok(()),
        Err(error) if matches!(error.kind(), ErrorKind::Changed(_)) => Ok(()),
        Err(error) if *error.kind() == ErrorKind::Interrupted => Err(NotMade::Interrupted),
        Err(error) => Err(NotMade::Refused(error)),
    }
}

/// Takes back a pod that may have been made.
async fn withdraw(cluster: &Cluster, at: &ObjectRef, run: &str) {
    let limits = cleanup::limits();
    if let Ok(Some(pod)) = cluster.get(at, &limits).await
        && owner(&pod, run) == Owner::Mine
    {
        // What it is that cannot be reached now is found, silent, by the next test.
        drop(cleanup::remove(cluster, at, pod.uid(), &limits).await);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{manifest, model::tests::test};
    use super::*;

    fn pod_of(run: &str) -> Object {
        manifest::pod(&test(&[]), run, Duration::from_secs(60)).unwrap()
    }

    fn seen(pod: Option<&Object>, last_sign: Option<&str>) -> &'static str {
        match look(pod, "r1", last_sign) {
            ControlFlow::Continue(()) => "silent",
            ControlFlow::Break(Seen::Free) => "free",
            ControlFlow::Break(Seen::Mine(_)) => "mine",
            ControlFlow::Break(Seen::Foreign) => "foreign",
            ControlFlow::Break(Seen::Alive(_)) => "alive",
        }
    }

    #[test]
    fn a_name_is_free_mine_alive_silent_or_foreign() {
        let other = pod_of("r2");
        let Owner::Run(sign) = owner(&other, "r1") else { panic!("another run's") };
        let stranger = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}});
        assert_eq!(seen(None, None), "free");
        assert_eq!(seen(Some(&pod_of("r1")), None), "mine");
        assert_eq!(seen(Some(&other), None), "alive", "until it was looked at for a while");
        assert_eq!(seen(Some(&other), Some(&sign)), "silent");
        assert_eq!(seen(Some(&other), Some("an earlier sign")), "alive");
        assert_eq!(seen(Some(&Object::new(stranger).unwrap()), None), "foreign");
    }
}
