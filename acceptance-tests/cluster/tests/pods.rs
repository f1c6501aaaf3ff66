//! Pods on nodes that kwok plays.

use anyhow::{Context, Result};
use cluster::Cluster;
use serde_json::{Value, json};

/// A pod that begins by itself: no scheduler chooses among the nodes of other cases.
fn pod(name: &str, node: &str, extra: &Value) -> String {
    let mut spec = json!({
        "nodeName": node, "restartPolicy": "Never", "containers": [{"name": "main", "image": "cuda:12.5.0"}],
    });
    for (key, value) in extra.as_object().into_iter().flatten() {
        spec[key] = value.clone();
    }
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}).to_string()
}

fn create(cluster: &Cluster, namespace: &str, pod: &str) -> Result<()> {
    let object: Value = serde_json::from_str(pod)?;
    cluster.api().create(&format!("/api/v1/namespaces/{namespace}/pods"), &object).map(drop)
}

fn until_phase(cluster: &Cluster, namespace: &str, name: &str, phase: &str) -> Result<Value> {
    let path = format!("/api/v1/namespaces/{namespace}/pods/{name}");
    cluster.until(&format!("pod {name} is {phase}"), || {
        Ok(Some(cluster.api().get(&path)?).filter(|pod| pod["status"]["phase"] == phase))
    })
}

fn waiting(cluster: &Cluster, namespace: &str, name: &str) -> Result<Value> {
    let path = format!("/api/v1/namespaces/{namespace}/pods/{name}");
    cluster.until(&format!("pod {name} says what it waits for"), || {
        let pod = cluster.api().get(&path)?;
        Ok(Some(pod["status"]["containerStatuses"][0]["state"]["waiting"].clone()).filter(Value::is_object))
    })
}

#[test]
fn gpus_can_be_had_while_a_device_plugin_runs_on_a_node_that_has_some() -> Result<()> {
    let cluster = Cluster::shared()?;
    let (namespace, node) = (cluster.unique("plugin"), cluster.unique("gpu"));
    cluster.namespace(&namespace).create()?;
    cluster.node(&node).label("role", &node).gpus(2).create()?;
    cluster.apply(
        &json!({
            "apiVersion": "apps/v1", "kind": "DaemonSet",
            "metadata": {"name": "plugin", "namespace": namespace},
            "spec": {
                "selector": {"matchLabels": {"app": "plugin"}},
                "template": {
                    "metadata": {"labels": {"app": "plugin"}},
                    "spec": {
                        "nodeSelector": {"role": node},
                        "containers": [{"name": "nvidia-device-plugin-ctr", "image": "k8s-device-plugin"}],
                    },
                },
            },
        })
        .to_string(),
    )?;
    let offered = |count: &str| {
        let path = format!("/api/v1/nodes/{node}");
        cluster.until(&format!("node {node} offers {count} GPUs"), || {
            let status = cluster.api().get(&path)?["status"].clone();
            Ok(Some(status).filter(|status| status["allocatable"]["nvidia.com/gpu"] == count))
        })
    };
    assert_eq!(offered("2")?["capacity"]["cpu"], "8");

    let gpu = json!({"nodeName": null, "containers": [{
        "name": "main", "image": "cuda:12.5.0", "resources": {"limits": {"nvidia.com/gpu": 1}}}]});
    create(cluster, &namespace, &pod("uses-one", &node, &gpu))?;
    let ended = until_phase(cluster, &namespace, "uses-one", "Succeeded")?;
    assert_eq!(ended["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"], 0);

    cluster.kubectl(&["delete", "daemonset", "plugin", "-n", &namespace])?.succeeded()?;
    assert_eq!(offered("0")?["capacity"]["nvidia.com/gpu"], "2");
    Ok(())
}

#[test]
fn a_pod_ends_as_its_namespace_says_and_its_log_can_be_read() -> Result<()> {
    let cluster = Cluster::shared()?;
    let (namespace, node) = (cluster.unique("script"), cluster.unique("node"));
    cluster.namespace(&namespace).exit_code(3).log("first line\nsecond line").create()?;
    cluster.node(&node).create()?;
    create(cluster, &namespace, &pod("fails", &node, &json!({})))?;
    until_phase(cluster, &namespace, "fails", "Failed").context("the pod was to fail")?;
    for (arguments, expect) in [
        (vec![], "first line\nsecond line\n"),
        (vec!["--follow"], "first line\nsecond line\n"),
        (vec!["--limit-bytes=5"], "first"),
        (vec!["--tail=1"], "second line\n"),
    ] {
        let all = [vec!["logs", "fails", "-n", &namespace], arguments].concat();
        assert_eq!(cluster.kubectl(&all)?.succeeded()?, expect, "{all:?}");
    }
    let ended = cluster.api().get(&format!("/api/v1/namespaces/{namespace}/pods/fails"))?;
    assert_eq!(ended["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"], 3);
    Ok(())
}

#[test]
fn a_log_that_is_followed_ends_with_its_pod() -> Result<()> {
    let cluster = Cluster::shared()?;
    let (namespace, node) = (cluster.unique("follow"), cluster.unique("node"));
    cluster.namespace(&namespace).runs_on().log("begun").create()?;
    cluster.node(&node).create()?;
    create(cluster, &namespace, &pod("runs", &node, &json!({})))?;
    until_phase(cluster, &namespace, "runs", "Running")?;
    let followed = std::thread::scope(|scope| {
        let follower = scope.spawn(|| cluster.kubectl(&["logs", "--follow", "runs", "-n", &namespace]));
        cluster.kubectl(&[
            "annotate",
            "pod",
            "runs",
            "-n",
            &namespace,
            "--overwrite",
            "pod.test/log=begun\nwent on",
        ])?;
        cluster.kubectl(&["annotate", "pod", "runs", "-n", &namespace, "pod.test/exit-code-"])?.succeeded()?;
        follower.join().map_err(|_| anyhow::anyhow!("the follower panicked"))?
    })?;
    assert_eq!(followed.succeeded()?, "begun\nwent on\n");
    Ok(())
}

#[test]
fn a_pod_that_cannot_start_says_why() -> Result<()> {
    let cluster = Cluster::shared()?;
    let (namespace, scripted) = (cluster.unique("fault"), cluster.unique("waits"));
    let (node, bare) = (cluster.unique("node"), cluster.unique("noruntime"));
    let class = cluster.unique("class");
    cluster.apply(
        &json!({"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": class}, "handler": "nvidia"})
            .to_string(),
    )?;
    cluster.namespace(&namespace).create()?;
    cluster.namespace(&scripted).waits("CreateContainerError", "no such device").create()?;
    cluster.node(&node).create()?;
    cluster.node(&bare).create()?;

    let image = json!({"containers": [{"name": "main", "image": "unpullable.test/cuda:1"}]});
    create(cluster, &namespace, &pod("image", &node, &image))?;
    create(cluster, &namespace, &pod("runtime", &bare, &json!({"runtimeClassName": class})))?;
    create(cluster, &namespace, &pod("plain", &bare, &json!({})))?;
    create(cluster, &scripted, &pod("scripted", &node, &json!({})))?;

    assert_eq!(waiting(cluster, &namespace, "image")?["reason"], "ImagePullBackOff");
    assert_eq!(waiting(cluster, &namespace, "runtime")?["reason"], "ContainerCreating");
    assert_eq!(waiting(cluster, &scripted, "scripted")?["message"], "no such device");
    until_phase(cluster, &namespace, "plain", "Succeeded")?;
    let refused = cluster.kubectl(&["logs", "runtime", "-n", &namespace])?.failed()?;
    assert!(refused.contains("is waiting to start: ContainerCreating"), "{refused}");
    cluster.until("there is an event", || {
        let events = cluster.kubectl(&["get", "events", "-n", &namespace, "-o", "name"])?.succeeded()?;
        Ok(events.contains("event/runtime.").then_some(()))
    })
}

#[test]
fn a_daemon_that_crashes_backs_off() -> Result<()> {
    let cluster = Cluster::shared()?;
    let (namespace, node) = (cluster.unique("crash"), cluster.unique("node"));
    cluster.namespace(&namespace).exit_code(1).log("no NVML").create()?;
    cluster.node(&node).create()?;
    create(cluster, &namespace, &pod("daemon", &node, &json!({"restartPolicy": "Always"})))?;
    assert_eq!(waiting(cluster, &namespace, "daemon")?["reason"], "CrashLoopBackOff");
    for arguments in [vec![], vec!["--previous"]] {
        let all = [vec!["logs", "daemon", "-n", &namespace], arguments].concat();
        assert_eq!(cluster.kubectl(&all)?.succeeded()?, "no NVML\n");
    }
    Ok(())
}
