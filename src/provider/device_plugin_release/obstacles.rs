//! What stands in the way of a DaemonSet's pods, read from what the cluster shows: events, pod states, nodes.
//!
//! Found while the deadline is still far off, so that an operator can mend it. Messages of the API server and of the
//! kubelet are theirs; what they mean is told by types, and worded in `texts`.

use serde_json::Value as Json;

use super::placement::{Misfit, misfit, wanted_labels};
#[cfg(test)]
use crate::texts::device_plugin_release as texts;

/// One thing that stands in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// The namespace's pod security level refuses the pods.
    PodSecurity { message: String },
    /// A quota refuses them.
    Quota { message: String },
    /// There is no such RuntimeClass object.
    RuntimeClass { message: String },
    /// The API server refuses them for another reason.
    Refused { message: String },
    /// No node has the labels; any of `labels` would do, or all of them where a node selector says so.
    NoNode { nodes: usize, labels: Vec<String> },
    /// Nodes have the labels and a taint that the pods do not tolerate.
    Tainted { node: String, taint: String, others: usize },
    /// The node's container runtime has no such handler.
    Handler { node: String, message: String },
    /// The node cannot make the pod's sandbox for another reason, such as its network.
    Sandbox { node: String, message: String },
    /// An image cannot be had.
    Image { node: String, image: String, message: String },
    /// An image that could not be had is being pulled again.
    Pulling { node: String, image: String, message: String },
    /// A volume cannot be mounted.
    Mount { node: String, message: String },
    /// A container ends again and again, or cannot be started.
    Crash { pod: String, node: String, container: String, message: String },
    /// The scheduler finds no place.
    Unscheduled { pod: String, message: String },
}

/// For how long the wait goes on over something that stands in its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// It stays until somebody changes the namespace or the configuration: not at all.
    None,
    /// Somebody may be at it, or the same apply: a quota is raised, an image pushed, a runtime class made, a container
    /// runtime restarted. For a while, so that it is said long before the deadline.
    Some,
    /// It goes as nodes come: they join, are labelled, lose the taint of their start, load the driver. Or something is on its
    /// way. To the deadline; the plan has warned of it already where it could be seen there.
    All,
}

impl Obstacle {
    pub(super) fn patience(&self) -> Patience {
        match self {
            Self::PodSecurity { .. } => Patience::None,
            Self::Image { message, .. } if message.contains("InvalidImageName") => Patience::None,
            Self::Quota { .. }
            | Self::RuntimeClass { .. }
            | Self::Refused { .. }
            | Self::Handler { .. }
            | Self::Sandbox { .. }
            | Self::Image { .. }
            | Self::Mount { .. } => Patience::Some,
            Self::NoNode { .. }
            | Self::Tainted { .. }
            | Self::Pulling { .. }
            | Self::Crash { .. }
            | Self::Unscheduled { .. } => Patience::All,
        }
    }

    /// Whether it is known only by what the controller said of its last attempt.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::PodSecurity { .. } | Self::Quota { .. } | Self::RuntimeClass { .. } | Self::Refused { .. })
    }

    /// Whether both are the same thing, whose message may differ from one attempt to the next.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            // One that is pulled again has not come yet: what it has stood for goes on if that fails too.
            (
                Self::Image { node, image, .. } | Self::Pulling { node, image, .. },
                Self::Image { node: there, image: that, .. } | Self::Pulling { node: there, image: that, .. },
            ) => (node, image) == (there, that),
            (Self::Handler { node, .. }, Self::Handler { node: there, .. })
            | (Self::Sandbox { node, .. }, Self::Sandbox { node: there, .. })
            | (Self::Mount { node, .. }, Self::Mount { node: there, .. }) => node == there,
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }
}

/// What the cluster shows of one DaemonSet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene<'a> {
    pub(super) daemon_set: &'a Json,
    /// Its pods.
    pub(super) pods: &'a [Json],
    /// Events about it and about its pods since the apply began.
    pub(super) events: &'a [Json],
    pub(super) nodes: &'a [Json],
}

/// What stands in the way, each thing once: first what lets no pod exist, then what lets none start.
pub(super) fn obstacles(scene: Scene<'_>) -> Vec<Obstacle> {
    let mut found: Vec<Obstacle> =
        if lacks_pods(scene) { scene.events.iter().filter_map(refused).collect() } else { Vec::new() };
    found.extend(placement(scene));
    found.extend(scene.pods.iter().filter_map(unscheduled));
    found.extend(scene.events.iter().filter_map(|event| kept_from_starting(scene, event)));
    found.extend(scene.pods.iter().flat_map(|pod| waiting(scene, pod)));
    let mut once: Vec<Obstacle> = Vec::new();
    for obstacle in found {
        if !once.contains(&obstacle) {
            once.push(obstacle);
        }
    }
    once
}

#[cfg(test)]
/// The same as summary and detail for an operator.
fn sentences(scene: Scene<'_>) -> Vec<(&'static str, String)> {
    let (name, namespace) = (text(scene.daemon_set, "/metadata/name"), text(scene.daemon_set, "/metadata/namespace"));
    obstacles(scene).iter().map(|obstacle| texts::obstacle(name, namespace, obstacle)).collect()
}

fn text<'a>(value: &'a Json, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Json::as_str).unwrap_or_default()
}

fn items<'a>(value: &'a Json, pointer: &str) -> &'a [Json] {
    value.pointer(pointer).and_then(Json::as_array).map_or(&[], Vec::as_slice)
}

/// Whether a pod is missing. Where none is, a refusal is an old story: events outlive what they tell of.
fn lacks_pods(scene: Scene<'_>) -> bool {
    let desired = scene.daemon_set.pointer("/status/desiredNumberScheduled").and_then(Json::as_u64);
    desired.is_none_or(|desired| (scene.pods.len() as u64) < desired)
}

/// When the controller could not create a pod for the last time.
pub(super) fn last_refusal(events: &[Json]) -> &str {
    events.iter().filter(|event| is_refusal(event)).map(time).max().unwrap_or_default()
}

fn is_refusal(event: &Json) -> bool {
    text(event, "/reason") == "FailedCreate"
}

/// The controller could not create a pod.
fn refused(event: &Json) -> Option<Obstacle> {
    if !is_refusal(event) {
        return None;
    }
    let message = without_pod_name(text(event, "/message"));
    Some(if message.contains("violates PodSecurity") {
        Obstacle::PodSecurity { message }
    } else if ["exceeded quota", "failed quota", "insufficient quota"].iter().any(|mark| message.contains(mark)) {
        Obstacle::Quota { message }
    } else if message.contains("RuntimeClass") {
        Obstacle::RuntimeClass { message }
    } else {
        Obstacle::Refused { message }
    })
}

/// `Error creating: pods "x-7kq2z" is forbidden: …`: the name changes with each attempt.
fn without_pod_name(message: &str) -> String {
    let message = message.strip_prefix("Error creating: ").unwrap_or(message);
    match message.strip_prefix("pods \"").and_then(|rest| rest.split_once('"')) {
        Some((_, rest)) => format!("pods{rest}"),
        None => message.to_owned(),
    }
}

/// No node that gets a pod.
fn placement(scene: Scene<'_>) -> Vec<Obstacle> {
    if scene.daemon_set.pointer("/status/desiredNumberScheduled").and_then(Json::as_u64) != Some(0) {
        return Vec::new();
    }
    let Some(spec) = scene.daemon_set.pointer("/spec/template/spec") else { return Vec::new() };
    let tainted: Vec<(&str, String)> = scene
        .nodes
        .iter()
        .filter_map(|node| match misfit(spec, node) {
            Some(Misfit::Taint(taint)) => Some((text(node, "/metadata/name"), taint)),
            _ => None,
        })
        .collect();
    match tainted.as_slice() {
        [] => vec![Obstacle::NoNode { nodes: scene.nodes.len(), labels: wanted_labels(spec) }],
        [(node, taint), others @ ..] => {
            vec![Obstacle::Tainted { node: (*node).to_owned(), taint: taint.clone(), others: others.len() }]
        }
    }
}

fn unscheduled(pod: &Json) -> Option<Obstacle> {
    let condition = items(pod, "/status/conditions")
        .iter()
        .find(|one| text(one, "/type") == "PodScheduled" && text(one, "/status") == "False")?;
    Some(Obstacle::Unscheduled {
        pod: text(pod, "/metadata/name").to_owned(),
        message: text(condition, "/message").to_owned(),
    })
}

/// What the kubelet tells of once a pod has its volumes and its sandbox.
const BEYOND_THE_SANDBOX: [&str; 6] = ["Pulling", "Pulled", "Created", "Started", "BackOff", "Failed"];

/// The kubelet could not make the pod's sandbox or volumes. Only for pods that still do not run, and only until the kubelet
/// has got further: the event stays for an hour.
fn kept_from_starting(scene: Scene<'_>, event: &Json) -> Option<Obstacle> {
    let is_beyond = |other: &Json| {
        text(other, "/involvedObject/name") == text(event, "/involvedObject/name")
            && BEYOND_THE_SANDBOX.contains(&text(other, "/reason"))
            && time(other) > time(event)
    };
    if scene.events.iter().any(is_beyond) {
        return None;
    }
    let pod = scene.pods.iter().find(|pod| {
        text(pod, "/metadata/name") == text(event, "/involvedObject/name") && text(pod, "/status/phase") != "Running"
    })?;
    let (node, message) = (text(pod, "/spec/nodeName").to_owned(), text(event, "/message").to_owned());
    match text(event, "/reason") {
        "FailedCreatePodSandBox" if message.contains("no runtime for") || message.contains("RuntimeHandler") => {
            Some(Obstacle::Handler { node, message })
        }
        "FailedCreatePodSandBox" => Some(Obstacle::Sandbox { node, message }),
        "FailedMount" | "FailedAttachVolume" => Some(Obstacle::Mount { node, message }),
        _ => None,
    }
}

/// When an event was last seen, as RFC 3339 in UTC, which sorts as text does.
fn time(event: &Json) -> &str {
    let times = ["/series/lastObservedTime", "/lastTimestamp", "/eventTime"].map(|pointer| text(event, pointer));
    times.into_iter().find(|time| !time.is_empty()).unwrap_or_default()
}

/// Containers that wait for something that does not come.
fn waiting(scene: Scene<'_>, pod: &Json) -> Vec<Obstacle> {
    let statuses = items(pod, "/status/initContainerStatuses").iter().chain(items(pod, "/status/containerStatuses"));
    statuses.filter_map(|status| container(scene, pod, status)).collect()
}

/// Whether the kubelet is at the image again. The container's state does not say so: it tells of the attempt before until
/// this one has ended, however long it takes.
fn is_pulled_again(scene: Scene<'_>, pod: &Json, container: &str) -> bool {
    let last = |reasons: &[&str]| {
        let of_container = scene.events.iter().filter(|event| {
            text(event, "/involvedObject/name") == text(pod, "/metadata/name")
                && text(event, "/involvedObject/fieldPath").ends_with(&format!("{{{container}}}"))
                && reasons.contains(&text(event, "/reason"))
        });
        of_container.map(time).max().unwrap_or_default()
    };
    last(&["Pulling"]) > last(&["Failed", "BackOff"])
}

fn container(scene: Scene<'_>, pod: &Json, status: &Json) -> Option<Obstacle> {
    let (reason, message) = (text(status, "/state/waiting/reason"), text(status, "/state/waiting/message"));
    let node = text(pod, "/spec/nodeName").to_owned();
    match reason {
        "ImagePullBackOff"
        | "ErrImagePull"
        | "InvalidImageName"
        | "ErrImageNeverPull"
        | "ImageInspectError"
        | "RegistryUnavailable" => {
            let image = text(status, "/image").to_owned();
            let message = if message.is_empty() { reason.to_owned() } else { format!("{reason}, {message}") };
            Some(match is_pulled_again(scene, pod, text(status, "/name")) {
                true => Obstacle::Pulling { node, image, message },
                false => Obstacle::Image { node, image, message },
            })
        }
        "CrashLoopBackOff" | "CreateContainerError" | "CreateContainerConfigError" | "RunContainerError" => {
            Some(Obstacle::Crash {
                pod: text(pod, "/metadata/name").to_owned(),
                node,
                container: text(status, "/name").to_owned(),
                message: last_words(status, reason, message),
            })
        }
        _ => None,
    }
}

/// Why the container ended, if it says; else why it waits.
fn last_words(status: &Json, reason: &str, message: &str) -> String {
    let ended = "/lastState/terminated";
    let exit_code = status.pointer(&format!("{ended}/exitCode")).and_then(Json::as_i64);
    let words = [text(status, &format!("{ended}/message")), message, reason];
    let words = words.into_iter().find(|words| !words.trim().is_empty()).unwrap_or_default().trim();
    match exit_code {
        Some(code) => format!("exit code {code}, {words}"),
        None => words.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::device_plugin_release::values::nvidia_nodes;

    fn daemon_set(desired: u64) -> Json {
        json!({
            "spec": { "template": { "spec": { "affinity": nvidia_nodes() } } },
            "status": { "desiredNumberScheduled": desired },
        })
    }

    fn found(desired: u64, pods: Vec<Json>, events: Vec<Json>, nodes: Vec<Json>) -> Vec<Obstacle> {
        let daemon_set = daemon_set(desired);
        obstacles(Scene { daemon_set: &daemon_set, pods: &pods, events: &events, nodes: &nodes })
    }

    fn event(reason: &str, message: &str) -> Json {
        json!({ "reason": reason, "message": message, "involvedObject": { "name": "p" } })
    }

    fn pod(state: Json) -> Json {
        json!({
            "metadata": { "name": "p" },
            "spec": { "nodeName": "gpu-1" },
            "status": { "phase": "Pending", "containerStatuses": [{ "name": "c", "image": "i:1", "state": state }] },
        })
    }

    #[test]
    fn a_refusal_is_told_by_its_reason_and_told_once() {
        let security = |name: &str| {
            event(
                "FailedCreate",
                &format!(
                    "Error creating: pods \"{name}\" is forbidden: violates PodSecurity \"baseline:latest\": hostPath volumes (volume \"device-plugin\")"
                ),
            )
        };
        assert_eq!(
            found(1, vec![], vec![security("ds-abc12"), security("ds-xyz34")], vec![]),
            [Obstacle::PodSecurity {
                message: "pods is forbidden: violates PodSecurity \"baseline:latest\": hostPath volumes (volume \"device-plugin\")".into()
            }]
        );
        for (message, is_that) in [
            (
                "pods \"a\" is forbidden: exceeded quota: q",
                (|o| matches!(o, Obstacle::Quota { .. })) as fn(&Obstacle) -> bool,
            ),
            ("pods \"a\" is forbidden: failed quota: q: must specify requests.cpu for: c", |o| {
                matches!(o, Obstacle::Quota { .. })
            }),
            ("pods \"a\" is forbidden: pod rejected: RuntimeClass \"nvidia\" not found", |o| {
                matches!(o, Obstacle::RuntimeClass { .. })
            }),
            ("pods \"a\" is forbidden: no PriorityClass with name x was found", |o| {
                matches!(o, Obstacle::Refused { .. })
            }),
        ] {
            let found = found(1, vec![], vec![event("FailedCreate", message)], vec![]);
            assert!(found.len() == 1 && is_that(&found[0]), "{message} {found:?}");
        }
    }

    #[test]
    fn no_node_with_a_label_names_the_labels() {
        let plain = json!({ "metadata": { "name": "a" } });
        let Obstacle::NoNode { nodes, labels } = &found(0, vec![], vec![], vec![plain.clone()])[0] else { panic!() };
        assert_eq!((*nodes, labels.len()), (1, 3));
        let tainted = json!({
            "metadata": { "name": "gpu-1", "labels": { "nvidia.com/gpu.present": "true" } },
            "spec": { "taints": [{ "key": "k", "value": "v", "effect": "NoSchedule" }] },
        });
        assert_eq!(
            found(0, vec![], vec![], vec![plain.clone(), tainted]),
            [Obstacle::Tainted { node: "gpu-1".into(), taint: "k=v:NoSchedule".into(), others: 0 }]
        );
        assert_eq!(found(1, vec![], vec![], vec![plain]), []);
    }

    #[test]
    fn what_keeps_a_pod_from_starting_names_the_node() {
        let starting = || pod(json!({ "waiting": { "reason": "ContainerCreating" } }));
        let handler = "failed to get sandbox runtime: no runtime for \"nvidia\" is configured";
        assert_eq!(
            found(1, vec![starting()], vec![event("FailedCreatePodSandBox", handler)], vec![]),
            [Obstacle::Handler { node: "gpu-1".into(), message: handler.into() }]
        );
        assert!(matches!(
            &found(1, vec![starting()], vec![event("FailedCreatePodSandBox", "cni: not ready")], vec![])[..],
            [Obstacle::Sandbox { node, .. }] if node == "gpu-1"
        ));
        assert!(matches!(
            &found(1, vec![starting()], vec![event("FailedMount", "configmap \"x\" not found")], vec![])[..],
            [Obstacle::Mount { .. }]
        ));
        let mut running = starting();
        running["status"]["phase"] = json!("Running");
        assert_eq!(found(1, vec![running], vec![event("FailedMount", "was long ago")], vec![]), []);
    }

    #[test]
    fn an_event_that_was_followed_by_better_ones_is_an_old_story() {
        let starting = || pod(json!({ "waiting": { "reason": "ContainerCreating" } }));
        let at = |reason: &str, message: &str, time: &str| {
            let mut event = event(reason, message);
            event["lastTimestamp"] = json!(time);
            event
        };
        let failed = at("FailedCreatePodSandBox", "no runtime for \"nvidia\" is configured", "2026-01-01T00:00:09Z");
        let pulling = |time: &str| at("Pulling", "Pulling image", time);
        let with = |other: Json| found(1, vec![starting()], vec![failed.clone(), other], vec![]);
        assert_eq!(with(pulling("2026-01-01T00:00:10Z")), []);
        assert!(matches!(&with(pulling("2026-01-01T00:00:08Z"))[..], [Obstacle::Handler { .. }]));
        let elsewhere = at("DNSConfigForming", "Nameserver limits were exceeded", "2026-01-01T00:00:10Z");
        assert!(matches!(&with(elsewhere)[..], [Obstacle::Handler { .. }]));

        let refused = |time: &str| at("FailedCreate", "", time);
        assert_eq!(last_refusal(&[refused("2026-01-02"), refused("2026-01-03"), pulling("2026-01-04")]), "2026-01-03");
        let refusal = event("FailedCreate", "pods \"a\" is forbidden: exceeded quota: q");
        assert_eq!(found(1, vec![starting()], vec![refusal.clone()], vec![]), []);
        assert!(matches!(&found(2, vec![starting()], vec![refusal], vec![])[..], [Obstacle::Quota { .. }]));
    }

    #[test]
    fn an_image_that_is_pulled_again_may_still_come_whatever_the_container_says_of_the_attempt_before() {
        let waits = || pod(json!({ "waiting": { "reason": "ImagePullBackOff" } }));
        let at = |reason: &str, container: &str, time: &str| {
            let mut event = event(reason, "");
            event["involvedObject"]["fieldPath"] = json!(format!("spec.containers{{{container}}}"));
            event["lastTimestamp"] = json!(format!("2026-01-01T00:00:{time}Z"));
            event
        };
        let is_pulled = |events: Vec<Json>| match &found(1, vec![waits()], events, vec![])[..] {
            [Obstacle::Pulling { .. }] => true,
            [Obstacle::Image { .. }] => false,
            other => panic!("{other:?}"),
        };
        let failed = || at("Failed", "c", "10");
        assert!(is_pulled(vec![failed(), at("BackOff", "c", "12"), at("Pulling", "c", "20")]));
        assert!(!is_pulled(vec![failed(), at("BackOff", "c", "12"), at("Pulling", "c", "08")]));
        assert!(!is_pulled(vec![failed(), at("Pulling", "c", "10")]), "it failed within the second");
        assert!(!is_pulled(vec![failed(), at("Pulling", "other", "20")]));
        assert!(!is_pulled(vec![failed()]));
    }

    #[test]
    fn a_waiting_container_says_why() {
        assert_eq!(
            found(
                1,
                vec![pod(json!({ "waiting": { "reason": "ImagePullBackOff", "message": "Back-off pulling" } }))],
                vec![],
                vec![]
            ),
            [Obstacle::Image {
                node: "gpu-1".into(),
                image: "i:1".into(),
                message: "ImagePullBackOff, Back-off pulling".into()
            }]
        );
        let mut crashed = pod(json!({ "waiting": { "reason": "CrashLoopBackOff", "message": "back-off 40s" } }));
        crashed["status"]["containerStatuses"][0]["lastState"] =
            json!({ "terminated": { "exitCode": 1, "message": "no driver\n" } });
        assert_eq!(
            found(1, vec![crashed], vec![], vec![]),
            [Obstacle::Crash {
                pod: "p".into(),
                node: "gpu-1".into(),
                container: "c".into(),
                message: "exit code 1, no driver".into()
            }]
        );
        assert_eq!(found(1, vec![pod(json!({ "running": {} }))], vec![], vec![]), []);
    }

    #[test]
    fn a_sentence_names_the_object_the_place_and_the_next_step() {
        let mut daemon_set = daemon_set(0);
        daemon_set["metadata"] = json!({ "name": "nvdp", "namespace": "gpu" });
        let nodes = [json!({ "metadata": { "name": "a" } })];
        let found = sentences(Scene { daemon_set: &daemon_set, pods: &[], events: &[], nodes: &nodes });
        let [(summary, detail)] = &found[..] else { panic!("{found:?}") };
        assert_eq!(*summary, "No node for the pods");
        for part in [
            "DaemonSet gpu/nvdp",
            "none of the cluster's 1 nodes",
            "kubectl label node NODE nvidia.com/gpu.present=true",
            "affinity = {}",
        ] {
            assert!(detail.contains(part), "{part}: {detail}");
        }
    }

    #[test]
    fn a_pod_without_a_place_says_what_the_scheduler_says() {
        let mut waiting = pod(json!({}));
        waiting["status"]["conditions"] = json!([{ "type": "PodScheduled", "status": "False", "message": "0/3 nodes are available: 1 Insufficient memory." }]);
        assert!(matches!(
            &found(1, vec![waiting], vec![], vec![])[..],
            [Obstacle::Unscheduled { message, .. }] if message.contains("Insufficient memory")
        ));
    }
}
