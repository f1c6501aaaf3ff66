//! Waiting until a release runs: each DaemonSet by the rules of kstatus, then the nodes on which the plugin is ready, then
//! the GPUs that they offer.
//!
//! What stands in the way is logged when it becomes visible, and ends the wait long before its deadline where waiting does
//! not help: `standing` has the rule, `obstacles` says for each thing how much patience it deserves.

use std::{
    collections::{BTreeSet, HashSet},
    ops::ControlFlow,
    pin::pin,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use kubernetes::{Cluster, Error, ErrorKind, Kind, Limits, Object, ObjectRef, Selection};
use serde_json::Value as Json;
use tokio::time::Instant;

use super::{
    objects,
    obstacles::{self, Obstacle, Scene},
    rollout::{Progress, Rollout},
    standing::{Ending, Standing},
    wanted::{Manner, WaitFor},
};

/// How often it is looked at what stands in the way.
const BEAT: Duration = Duration::from_secs(2);

/// How long one such look may take.
const LOOK: Duration = Duration::from_secs(10);

/// Why a release does not run.
#[derive(Debug)]
pub(crate) enum NotReady {
    /// A DaemonSet, its numbers, the nodes asked for, what stands in the way, and what ended the wait.
    Pods { at: ObjectRef, rollout: Rollout, least: u64, obstacles: Vec<Obstacle>, ending: Ending },
    /// The plugin runs on these nodes, and fewer than asked for offer GPUs.
    Gpus { nodes: Vec<String>, offering: u64, least: u64 },
    /// The cluster could not be asked how it goes on, or the user asked to stop.
    Call(Error),
}

/// A wait for the DaemonSets of a release.
pub(super) struct Wait<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) limits: &'a Limits,
    pub(super) manner: Manner,
    /// Events that were there before the apply, by uid and count: what they say may be mended.
    pub(super) before: &'a HashSet<String>,
}

/// The refusals that the controllers have reported in a namespace until now.
pub(super) async fn refusals(cluster: &Cluster, namespace: &str, limits: &Limits) -> HashSet<String> {
    let selection = Selection::all(Kind::EVENT, Some(namespace)).with_fields("reason=FailedCreate");
    // Without the right to see events less is said of a wait that fails.
    let listed = cluster.list(&selection, &brief(limits)).await;
    listed.map(|listed| listed.items.iter().map(event_id).collect()).unwrap_or_default()
}

fn event_id(event: &Object) -> String {
    let count = event.at("/series/count").or_else(|| event.at("/count")).map(ToString::to_string);
    format!("{} {}", event.uid(), count.unwrap_or_default())
}

fn brief(limits: &Limits) -> Limits {
    Limits::brief(LOOK, &limits.stop)
}

impl Wait<'_> {
    /// Waits for the objects of a release.
    pub(super) async fn until_ready(&self, owned: &[Json]) -> Result<(), NotReady> {
        if self.manner.wait_for == WaitFor::Nothing {
            return Ok(());
        }
        let sets = owned.iter().filter(|object| object["kind"] == "DaemonSet");
        for (set, at) in sets.filter_map(|set| Some((set, objects::place(set)?))) {
            let is_plugin = is_plugin(set);
            self.rolled_out(&at, if is_plugin { self.manner.least } else { 0 }).await?;
            if is_plugin && self.manner.wait_for == WaitFor::Gpus {
                self.gpus(&at, set).await?;
            }
        }
        Ok(())
    }

    async fn rolled_out(&self, at: &ObjectRef, least: u64) -> Result<(), NotReady> {
        let last: Mutex<Option<Object>> = Mutex::new(None);
        let mut said: Vec<Obstacle> = Vec::new();
        let mut standing = Standing::over(self.limits.deadline.saturating_duration_since(Instant::now()));
        let ended = {
            let follow = self.cluster.wait_for(at, self.limits, |live| {
                *lock(&last) = live.cloned();
                let rollout = live.map(|live| Rollout::of(&Json::Object(live.fields().clone())));
                match rollout.map(|rollout| rollout.progress(least)) {
                    Some(Progress::Done) => ControlFlow::Break(()),
                    _ => ControlFlow::Continue(()),
                }
            });
            let mut follow = pin!(follow);
            loop {
                tokio::select! {
                    biased;
                    ended = &mut follow => break Err(ended),
                    () = tokio::time::sleep(BEAT) => {}
                }
                let Some(seen) = lock(&last).clone() else { continue };
                let (found, refusal) = tokio::select! {
                    biased;
                    ended = &mut follow => break Err(ended),
                    seen = self.obstacles(&seen, true) => seen,
                };
                for obstacle in found.iter().filter(|obstacle| !said.contains(obstacle)) {
                    log(at, obstacle);
                }
                if let Some(ending) = standing.note(&found, &refusal, Instant::now()) {
                    break Ok(ending);
                }
                said.extend(found);
            }
        };
        let ending = match ended {
            Ok(ending) => ending,
            Err(Ok(())) => return Ok(()),
            Err(Err(error)) if *error.kind() != ErrorKind::DeadlineExceeded => return Err(NotReady::Call(error)),
            Err(Err(_)) => Ending::Deadline,
        };
        let seen = lock(&last).clone();
        let (mut obstacles, mut rollout) = (Vec::new(), Rollout::default());
        if let Some(seen) = seen {
            rollout = Rollout::of(&Json::Object(seen.fields().clone()));
            (obstacles, _) = self.obstacles(&seen, ending != Ending::Deadline).await;
        }
        Err(NotReady::Pods { at: at.clone(), rollout, least, obstacles, ending })
    }

    /// What stands in the way of a DaemonSet now, and when a pod was refused for the last time. What cannot be read is left
    /// out.
    async fn obstacles(&self, live: &Object, only_new: bool) -> (Vec<Obstacle>, String) {
        let limits = brief(self.limits);
        let namespace = live.namespace().unwrap_or_default();
        let events = Selection::all(Kind::EVENT, Some(namespace));
        let nodes = Selection::all(Kind::NODE, None);
        let (pods, events, nodes) = tokio::join!(
            self.pods(live, &limits),
            self.cluster.list(&events, &limits),
            self.cluster.list(&nodes, &limits)
        );
        let events = events.map(|listed| listed.items).unwrap_or_default();
        let events: Vec<Json> = events
            .into_iter()
            .filter(|event| is_about(event, live, &pods) && !(only_new && self.before.contains(&event_id(event))))
            .map(Object::into_json)
            .collect();
        let json = |objects: Vec<Object>| objects.into_iter().map(Object::into_json).collect::<Vec<_>>();
        let (pods, nodes) = (json(pods), json(nodes.map(|listed| listed.items).unwrap_or_default()));
        let daemon_set = Json::Object(live.fields().clone());
        let scene = Scene { daemon_set: &daemon_set, pods: &pods, events: &events, nodes: &nodes };
        (obstacles::obstacles(scene), obstacles::last_refusal(&events).to_owned())
    }

    async fn pods(&self, live: &Object, limits: &Limits) -> Vec<Object> {
        let labels = selector(live.at("/spec/selector/matchLabels"));
        let selection = Selection::all(Kind::POD, live.namespace()).with_labels(&labels);
        let mut pods = self.cluster.list(&selection, limits).await.map(|listed| listed.items).unwrap_or_default();
        // Two DaemonSets of one release have the same labels.
        pods.retain(|pod| is_owned_by(pod, live.uid()));
        pods
    }

    /// Waits until enough of the nodes with a ready pod of the plugin offer GPUs.
    async fn gpus(&self, at: &ObjectRef, set: &Json) -> Result<(), NotReady> {
        let labels = selector(set.pointer("/spec/selector/matchLabels"));
        let selection = Selection::all(Kind::POD, at.namespace.as_deref()).with_labels(&labels);
        let pods = self.cluster.list(&selection, self.limits).await.map_err(NotReady::Call)?.items;
        let on = |pod: &Object| pod.at("/spec/nodeName").and_then(Json::as_str).map(ToOwned::to_owned);
        let nodes: BTreeSet<String> = pods.iter().filter(|pod| runs_plugin(pod)).filter_map(on).collect();
        let least = self.manner.least;
        let offering = Mutex::new(0);
        let all = Selection::all(Kind::NODE, None);
        let waited = self.cluster.wait(&all, self.limits, |live| {
            let count = live.values().filter(|node| nodes.contains(node.name()) && offers_gpus(node)).count();
            *offering.lock().unwrap_or_else(PoisonError::into_inner) = count;
            if count as u64 >= least { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        match waited.await {
            Ok(()) => Ok(()),
            Err(error) if *error.kind() == ErrorKind::DeadlineExceeded => {
                let offering = *offering.lock().unwrap_or_else(PoisonError::into_inner) as u64;
                Err(NotReady::Gpus { nodes: nodes.into_iter().collect(), offering, least })
            }
            Err(error) => Err(NotReady::Call(error)),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What it holds is whole between any two statements, so a panic elsewhere spoils nothing.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn log(at: &ObjectRef, obstacle: &Obstacle) {
    let (name, namespace) = (at.name.as_str(), at.namespace.as_deref().unwrap_or_default());
    let (summary, detail) = crate::texts::device_plugin_release::obstacle(name, namespace, obstacle);
    tracing::warn!(daemon_set = %at, summary, detail, "something stands in the way of the pods");
}

fn is_about(event: &Object, daemon_set: &Object, pods: &[Object]) -> bool {
    let uid = event.at("/involvedObject/uid").and_then(Json::as_str).unwrap_or_default();
    !uid.is_empty() && (uid == daemon_set.uid() || pods.iter().any(|pod| pod.uid() == uid))
}

fn is_owned_by(pod: &Object, uid: &str) -> bool {
    let owners = pod.at("/metadata/ownerReferences").and_then(Json::as_array);
    owners.is_some_and(|owners| owners.iter().any(|owner| owner["uid"] == uid))
}

fn selector(labels: Option<&Json>) -> String {
    let labels = labels.and_then(Json::as_object).into_iter().flatten();
    let each: Vec<String> = labels.filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?))).collect();
    each.join(",")
}

/// The container of the plugin itself, in every version.
const PLUGIN: &str = "nvidia-device-plugin-ctr";

fn is_plugin(set: &Json) -> bool {
    has_plugin(set.pointer("/spec/template/spec/containers"))
}

fn runs_plugin(pod: &Object) -> bool {
    has_plugin(pod.at("/spec/containers"))
}

fn has_plugin(containers: Option<&Json>) -> bool {
    containers.and_then(Json::as_array).is_some_and(|all| all.iter().any(|one| one["name"] == PLUGIN))
}

/// Whether pods can have GPUs there, under whatever name the configuration gives them.
fn offers_gpus(node: &Object) -> bool {
    let offered = node.at("/status/allocatable").and_then(Json::as_object).into_iter().flatten();
    offered
        .into_iter()
        .any(|(name, amount)| name.starts_with("nvidia.com/") && amount.as_str().is_some_and(|n| n != "0"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_gpu_counts_by_whatever_name_it_has_and_only_if_there_is_one() {
        let offers = |allocatable: Json| {
            let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "a"},
                "status": {"allocatable": allocatable}});
            offers_gpus(&Object::new(node).unwrap())
        };
        assert!(offers(json!({"nvidia.com/gpu": "1"})));
        assert!(offers(json!({"nvidia.com/gpu.shared": "4", "nvidia.com/gpu": "0"})));
        assert!(offers(json!({"nvidia.com/mig-1g.5gb": "7"})));
        assert!(!offers(json!({"nvidia.com/gpu": "0", "cpu": "8"})));
    }

    #[test]
    fn only_the_daemon_set_of_the_plugin_is_asked_for_nodes() {
        let set = |container: &str| json!({"spec": {"template": {"spec": {"containers": [{"name": container}]}}}});
        assert!(is_plugin(&set(PLUGIN)));
        assert!(!is_plugin(&set("mps-control-daemon-ctr")));
    }
}
