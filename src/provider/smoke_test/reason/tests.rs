//! Statuses, events and logs as clusters give them, and the reason that each means.

use serde_json::{Value, json};

use super::super::{
    model::tests::test,
    pod::tests::{container, with_status},
};
use super::*;

fn event(reason: &str, message: &str, count: u64) -> Event {
    Event {
        warning: true,
        reason: reason.into(),
        message: message.into(),
        count,
        last_seen: String::new(),
        source: String::new(),
        about: String::new(),
    }
}

fn gpus(name: &str, free: u64, ready: bool) -> NodeGpus {
    NodeGpus { name: name.into(), allocatable: free, capacity: free, ready }
}

/// The reason, and whether waiting on is in vain.
fn judge(status: Value, events: &[Event], log: &str, nodes: Option<&[NodeGpus]>) -> (Option<Reason>, bool) {
    let (test, object) = (test(&[]), with_status(status));
    let evidence = Evidence { test: &test, pod: Pod(&object), events, log, nodes };
    (evidence.reason(), evidence.is_hopeless())
}

fn ended(code: i64, reason: &str, message: &str, log: &str) -> Option<Reason> {
    let state = json!({"terminated": {"exitCode": code, "reason": reason, "message": message}});
    judge(container("Failed", state), &[], log, None).0
}

#[test]
fn what_nvidia_smi_complains_of_is_known() {
    for (log, expect) in [
        (
            "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 535.309\n",
            Reason::VersionMismatch(Some("535.309".into())),
        ),
        ("Failed to initialize NVML: Driver/library version mismatch\n", Reason::VersionMismatch(None)),
        (
            "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest NVIDIA driver is installed and running.\n",
            Reason::NoDriver,
        ),
        ("Failed to initialize NVML: Driver Not Loaded\n", Reason::NoDriver),
        ("No devices were found\n", Reason::NoDevices),
        ("Unable to determine the device handle for GPU0000:07:00.0: Unknown Error\n", Reason::GpuLost),
        (
            "Unable to determine the device handle for GPU 0000:07:00.0: GPU is lost.  Reboot the system to recover this GPU\n",
            Reason::GpuLost,
        ),
        ("NVIDIA-SMI couldn't find libnvidia-ml.so library in your system.\n", Reason::NoLibrary),
        ("Failed to initialize NVML: Insufficient Permissions\n", Reason::NoPermission),
        ("Failed to initialize NVML: Unknown Error\n", Reason::AccessLost),
        ("sh: 1: nvidia-smi: not found\n", Reason::CommandNotFound),
    ] {
        assert_eq!(ended(9, "Error", "", log), Some(expect.clone()), "{log}");
        if !log.starts_with("sh") {
            assert_eq!(ended(9, "Error", log, ""), Some(expect), "the end that the kubelet keeps: {log}");
        }
    }
    assert_eq!(ended(1, "Error", "", "Test FAILED\n"), None);
}

#[test]
fn a_container_that_could_not_be_started_says_why() {
    let runc = |what: &str| {
        format!(
            "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: {what}: unknown"
        )
    };
    for (message, expect) in [
        (
            runc("error during container init: exec: \"nvidia-smi\": executable file not found in $PATH"),
            Reason::CommandNotFound,
        ),
        (
            runc(
                "error running prestart hook #0: exit status 1, stdout: , stderr: nvidia-container-cli: requirement error: unsatisfied condition: cuda>=12.5, please update your driver to a newer version, or use an earlier cuda container",
            ),
            Reason::OldDriver("cuda>=12.5".into()),
        ),
        (
            runc(
                "error running prestart hook #0: exit status 1, stdout: , stderr: nvidia-container-cli: initialization error: nvml error: driver/library version mismatch",
            ),
            Reason::VersionMismatch(None),
        ),
        (
            runc(
                "error running prestart hook #0: exit status 1, stdout: , stderr: nvidia-container-cli: initialization error: nvml error: driver not loaded",
            ),
            Reason::NoDriver,
        ),
        (
            runc(
                "error running prestart hook #0: exit status 1, stdout: , stderr: nvidia-container-cli: initialization error: load library failed: libnvidia-ml.so.1: cannot open shared object file: no such file or directory",
            ),
            Reason::NoLibrary,
        ),
    ] {
        assert_eq!(ended(128, "StartError", &message, ""), Some(expect), "{message}");
    }
    assert_eq!(ended(128, "StartError", &runc("permission denied"), ""), None);
    let absolute =
        runc("error during container init: exec: \"/cuda-sample\": stat /cuda-sample: no such file or directory");
    assert_eq!(ended(128, "StartError", &absolute, ""), Some(Reason::CommandNotFound));
    assert_eq!(ended(127, "Error", "", ""), Some(Reason::CommandNotFound));
    assert_eq!(ended(137, "OOMKilled", "", ""), Some(Reason::OutOfMemory));
}

fn unschedulable(said: &str) -> Value {
    json!({"phase": "Pending", "conditions": [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": said},
    ]})
}

#[test]
fn the_scheduler_is_understood() {
    let nodes = [gpus("gpu-1", 4, true), gpus("cpu-1", 0, true)];
    let tail = " preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod.";
    for (said, expect) in [
        ("0/2 nodes are available: 2 Insufficient nvidia.com/gpu.", Reason::NoGpuFree(nodes.to_vec())),
        (
            "0/2 nodes are available: 1 Insufficient nvidia.com/gpu, 1 node(s) had untolerated taint {team: a}.",
            Reason::NoGpuFree(nodes.to_vec()),
        ),
        (
            "0/2 nodes are available: 2 node(s) had untolerated taint {team: a}.",
            Reason::Tainted("0/2 nodes are available: 2 node(s) had untolerated taint {team: a}.".into()),
        ),
        (
            "0/1 nodes are available: 1 Insufficient cpu.",
            Reason::NoRoom("0/1 nodes are available: 1 Insufficient cpu.".into()),
        ),
        ("0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.", Reason::NoNodeFits),
        ("0/2 nodes are available: 2 node(s) didn't satisfy plugin(s) [NodeAffinity].", Reason::NoNodeFits),
        ("no nodes available to schedule pods", Reason::NoNodeFits),
    ] {
        let (reason, hopeless) = judge(unschedulable(&format!("{said}{tail}")), &[], "", Some(&nodes));
        assert_eq!((reason, hopeless), (Some(expect), false), "{said}");
    }
}

#[test]
fn a_node_that_is_not_there_is_told_from_one_that_does_not_fit() {
    let object =
        with_status(unschedulable("0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."));
    let of = |name: &str, nodes: Option<&[NodeGpus]>| {
        let test = test(&[("node_name", plugin::Value::from(name))]);
        Evidence { test: &test, pod: Pod(&object), events: &[], log: "", nodes }.reason()
    };
    let nodes = [gpus("gpu-1", 1, true)];
    assert_eq!(of("gpu-9", Some(&nodes)), Some(Reason::NodeUnknown));
    assert_eq!(of("gpu-1", Some(&nodes)), Some(Reason::NoNodeFits));
    assert_eq!(of("gpu-9", None), Some(Reason::NoNodeFits), "who may not list nodes cannot tell");
}

#[test]
fn a_missing_runtime_is_final_once_the_kubelet_has_tried_again() {
    let creating = container("Pending", json!({"waiting": {"reason": "ContainerCreating"}}));
    let said = "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to get sandbox runtime: no runtime for \"nvidia\" is configured";
    for (count, hopeless) in [(1, false), (2, true)] {
        let events = [event("FailedCreatePodSandBox", said, count)];
        assert_eq!(judge(creating.clone(), &events, "", None), (Some(Reason::NoRuntime), hopeless));
    }
    assert_eq!(judge(creating, &[event("Pulling", "Pulling image", 1)], "", None), (None, false));
}

#[test]
fn a_pull_is_final_when_another_try_finds_the_same() {
    let waiting =
        |reason: &str, message: &str| container("Pending", json!({"waiting": {"reason": reason, "message": message}}));
    let not_found = "Failed to pull image \"x/cuda:0\": rpc error: code = NotFound desc = failed to pull and unpack image \"x/cuda:0\": x/cuda:0: not found";
    let unreachable = "Failed to pull image \"x/cuda:0\": dial tcp 10.0.0.1:443: i/o timeout";
    for (reason, message, said, hopeless) in [
        ("ErrImagePull", "x/cuda:0: not found", "x/cuda:0: not found", false),
        ("ImagePullBackOff", "Back-off pulling image \"x/cuda:0\"", not_found, true),
        ("ImagePullBackOff", "Back-off pulling image \"x/cuda:0\"", unreachable, false),
        (
            "ImagePullBackOff",
            "Back-off pulling image \"x/cuda:0\": ErrImagePull: pull access denied",
            "Back-off pulling image \"x/cuda:0\": ErrImagePull: pull access denied",
            true,
        ),
    ] {
        let events = [event("Failed", if said == unreachable { unreachable } else { not_found }, 1)];
        let expect = Some(Reason::ImagePull(said.to_owned()));
        assert_eq!(judge(waiting(reason, message), &events, "", None), (expect, hopeless), "{reason} {message}");
    }
    let bad = judge(waiting("InvalidImageName", "couldn't parse image name"), &[], "", None);
    assert_eq!(bad, (Some(Reason::BadImage("couldn't parse image name".into())), true));
    let root = "container has runAsNonRoot and image will run as root";
    let bad = judge(waiting("CreateContainerConfigError", root), &[], "", None);
    assert_eq!(bad, (Some(Reason::BadContainer(root.into())), true));
}

#[test]
fn a_pod_that_was_taken_away_says_by_whom() {
    let failed = |reason: &str| json!({"phase": "Failed", "reason": reason, "message": "m"});
    for (status, expect) in [
        (failed("Evicted"), Reason::Evicted("m".into())),
        (failed("Preempting"), Reason::Preempted),
        (failed("NodeLost"), Reason::NodeLost),
        (failed("NodeShutdown"), Reason::NodeLost),
        (failed("DeadlineExceeded"), Reason::EndedByDeadline),
        (failed("UnexpectedAdmissionError"), Reason::NodeRefused("m".into())),
        (failed("OutOfnvidia.com/gpu"), Reason::NodeRefused("m".into())),
        (
            json!({"phase": "Failed", "conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}]}),
            Reason::Preempted,
        ),
        (
            json!({"phase": "Running", "conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager"}]}),
            Reason::NodeLost,
        ),
    ] {
        assert_eq!(judge(status.clone(), &[], "", None).0, Some(expect), "{status}");
    }
    let running = container("Running", json!({"running": {}}));
    assert_eq!(judge(running.clone(), &[], "", Some(&[gpus("gpu-1", 1, false)])).0, Some(Reason::NodeLost));
    assert_eq!(judge(running.clone(), &[], "", Some(&[gpus("gpu-1", 1, true)])).0, None);
    assert_eq!(judge(running, &[event("Preempted", "Preempted by pod x", 1)], "", None).0, Some(Reason::Preempted));
}

#[test]
fn a_pod_that_is_refused_is_refused_for_a_reason() {
    let admission = |said: &str| ErrorKind::Admission { by: None, said: said.to_owned() };
    for (said, expect) in [
        (
            "pods \"a\" is forbidden: violates PodSecurity \"restricted:latest\": runAsUser=0 (pod must not set runAsUser=0)",
            Reason::PodSecurity("\"restricted:latest\": runAsUser=0 (pod must not set runAsUser=0)".into()),
        ),
        ("pods \"a\" is forbidden: pod rejected: RuntimeClass \"nvidia\" not found", Reason::NoRuntimeClass),
        (
            "pods \"a\" is forbidden: exceeded quota: gpus, requested: requests.nvidia.com/gpu=1, used: requests.nvidia.com/gpu=4, limited: requests.nvidia.com/gpu=4",
            Reason::Quota("exceeded quota: gpus, requested: requests.nvidia.com/gpu=1, used: requests.nvidia.com/gpu=4, limited: requests.nvidia.com/gpu=4".into()),
        ),
    ] {
        assert_eq!(of_refusal(&admission(said)), Some(expect), "{said}");
    }
    assert_eq!(of_refusal(&ErrorKind::NotFound), Some(Reason::NoNamespace));
    assert_eq!(of_refusal(&admission("a policy says no")), None);
    let early =
        "pods \"a\" is forbidden: error looking up service account gpu/default: serviceaccount \"default\" not found";
    assert!(heals(&admission(early)) && !heals(&admission("a policy says no")));
}

proptest::proptest! {
    #[test]
    fn any_log_and_message_is_judged_without_a_panic(log in "(.|\n){0,200}", message in ".{0,200}", code: i64) {
        ended(code, "Error", &message, &log);
    }
}
