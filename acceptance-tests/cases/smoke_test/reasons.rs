//! Each known reason, as a user reads it: the sentence, the line of the configuration that it points at, nothing in the
//! state, and no pod left.

use anyhow::{Result, ensure};
use harness::{Case, Diagnostic};
use serde_json::{Value, json};

use super::{ADDRESS, Ground, Script, expect_nothing_stored};

/// The apply fails with one error that says all of this, and leaves nothing.
fn expect_failed(case: &Case, ground: &Ground, arguments: &str, says: &[&str]) -> Result<Diagnostic> {
    let workspace = ground.workspace(case, arguments)?;
    let error = workspace.apply_that_fails()?.only_error()?;
    for part in says {
        ensure!(error.says(part), "{part:?} is not in\n{error}");
    }
    assert_eq!(error.address.as_deref(), Some(ADDRESS));
    expect_nothing_stored(&workspace)?;
    if ground.cluster.api().find(&format!("/api/v1/namespaces/{}", ground.namespace))?.is_some() {
        ground.expect_no_pod()?;
    }
    Ok(error)
}

fn points_at(error: &Diagnostic, line: &str) -> Result<()> {
    ensure!(error.code.as_deref().is_some_and(|code| code.contains(line)), "points at {:?}\n{error}", error.code);
    Ok(())
}

fn what_nvidia_smi_complains_of_is_said_in_words_with_its_log(case: &Case) -> Result<()> {
    for (log, says) in [
        (
            "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 535.309\n",
            "(535.309) are of another version than its kernel module",
        ),
        ("No devices were found\n", "finds no GPU that it can use"),
        (
            "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n",
            "does not reach the driver",
        ),
    ] {
        let ground = Ground::new(case, &Script { log, exit_code: Some(9), ..Script::default() })?;
        let first_line = log.lines().next().unwrap_or_default();
        expect_failed(case, &ground, "", &[says, "exit code 9", first_line, &ground.node, &ground.namespace])?;
    }
    Ok(())
}
harness::on_one_minor!(what_nvidia_smi_complains_of_is_said_in_words_with_its_log);

fn a_failure_of_no_known_reason_shows_state_and_log(case: &Case) -> Result<()> {
    let ground = Ground::new(case, &Script { log: "Test FAILED\n", exit_code: Some(3), ..Script::default() })?;
    expect_failed(case, &ground, "command = [\"/cuda-sample\"]", &["/cuda-sample", "exit code 3", "Test FAILED"])
        .map(drop)
}
harness::on_one_minor!(a_failure_of_no_known_reason_shows_state_and_log);

fn a_node_without_nvidias_runtime(case: &Case) -> Result<()> {
    let ground = Ground::new(case, &Script { node: Some("noruntime"), ..Script::default() })?;
    let says = ["has no runtime", "nvidia-container-toolkit", "FailedCreatePodSandBox", &ground.node];
    let error = expect_failed(case, &ground, "", &says)?;
    points_at(&error, "runtime_class_name")
}
harness::on_one_minor!(a_node_without_nvidias_runtime);

fn an_image_that_cannot_be_pulled(case: &Case) -> Result<()> {
    let ground = Ground::new(case, &Script::default())?;
    let says = ["unpullable.test/cuda:0", "cannot be pulled", "not found", "ImagePullBackOff"];
    let error = expect_failed(case, &ground, "image = \"unpullable.test/cuda:0\"", &says)?;
    points_at(&error, "image")
}
harness::on_one_minor!(an_image_that_cannot_be_pulled);

fn a_container_that_the_kubelet_refuses(case: &Case) -> Result<()> {
    let waits = Some(("CreateContainerConfigError", "container has runAsNonRoot and image will run as root"));
    let ground = Ground::new(case, &Script { waits, ..Script::default() })?;
    expect_failed(case, &ground, "", &["refuses the container", "image will run as root"]).map(drop)
}
harness::on_one_minor!(a_container_that_the_kubelet_refuses);

/// The status of the pod is what a kubelet would write, at the moment when the pod waits for its container.
fn expect_failed_with(case: &Case, status: &Value, says: &[&str]) -> Result<()> {
    let ground = Ground::new(case, &Script { waits: Some(("ContainerCreating", "")), ..Script::default() })?;
    let workspace = ground.workspace(case, "")?;
    let running = workspace.start(&["apply", "-json", "-auto-approve"])?;
    ground.pod_that_is("waiting")?;
    let path = format!("{}/nvidia-smoke-test/status", ground.pods());
    ground.cluster.api().patch(&path, &json!({"status": status}))?;
    let error = workspace.finish(running)?.failed()?.only_error()?;
    for part in says {
        ensure!(error.says(part), "{part:?} is not in\n{error}");
    }
    expect_nothing_stored(&workspace)?;
    ground.expect_no_pod()
}

fn a_container_without_nvidia_smi(case: &Case) -> Result<()> {
    let message = "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: exec: \"nvidia-smi\": executable file not found in $PATH: unknown";
    let terminated = json!({"exitCode": 128, "reason": "StartError", "message": message});
    let container = json!({"name": "test", "image": "a", "imageID": "", "ready": false, "restartCount": 0, "state": {"terminated": terminated}});
    let status = json!({"phase": "Failed", "containerStatuses": [container]});
    expect_failed_with(case, &status, &["There is no nvidia-smi in the container", "exit code 128", "StartError"])
}
harness::on_one_minor!(a_container_without_nvidia_smi);

fn a_pod_that_is_evicted(case: &Case) -> Result<()> {
    let status = json!({"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."});
    expect_failed_with(case, &status, &["was evicted from node", "low on resource: memory"])
}
harness::on_one_minor!(a_pod_that_is_evicted);

fn no_node_with_a_free_gpu_and_which_have_how_many(case: &Case) -> Result<()> {
    let ground = Ground::new(case, &Script::default())?;
    let says = ["asks for 2 GPUs (nvidia.com/gpu)", "FailedScheduling", "had not ended after 4 s"];
    let error = expect_failed(case, &ground, "gpus = 2\ntimeouts = { create = \"4s\" }", &says)?;
    ensure!(error.says(&format!("{} has 1", ground.node)), "{error}");
    points_at(&error, "gpus")
}
harness::on_one_minor!(no_node_with_a_free_gpu_and_which_have_how_many);

fn a_taint_that_nobody_tolerates_and_one_that_is_tolerated(case: &Case) -> Result<()> {
    let ground = Ground::new(case, &Script { taint: true, ..Script::default() })?;
    let says = ["No node takes it", "taint", "`tolerations`"];
    expect_failed(case, &ground, "timeouts = { create = \"4s\" }", &says)?;
    let tolerated = "tolerations = [{ key = \"team\", operator = \"Exists\", effect = \"NoSchedule\" }]";
    ground.workspace(case, tolerated)?.apply()?;
    ground.expect_no_pod()
}
harness::on_one_minor!(a_taint_that_nobody_tolerates_and_one_that_is_tolerated);

fn a_node_that_the_cluster_does_not_have(case: &Case) -> Result<()> {
    let mut ground = Ground::new(case, &Script::default())?;
    ground.node = "no-such-node".to_owned();
    let error = expect_failed(case, &ground, "timeouts = { create = \"4s\" }", &["has no node no-such-node"])?;
    points_at(&error, "node_name")
}
harness::on_one_minor!(a_node_that_the_cluster_does_not_have);

fn a_runtime_class_that_is_missing(case: &Case) -> Result<()> {
    let ground = Ground::new(case, &Script { no_class: true, ..Script::default() })?;
    let error = expect_failed(case, &ground, "", &["no RuntimeClass", &ground.class, "nvidia_runtime_class"])?;
    points_at(&error, "runtime_class_name")
}
harness::on_one_minor!(a_runtime_class_that_is_missing);

fn pod_security_that_does_not_let_root_in(case: &Case) -> Result<()> {
    let ground = Ground::new(case, &Script { enforce: Some("restricted"), ..Script::default() })?;
    let says = ["Pod security of namespace", &ground.namespace, "restricted", "runAsUser=0"];
    let error = expect_failed(case, &ground, "run_as_user = 0", &says)?;
    points_at(&error, "namespace")
}
harness::on_one_minor!(pod_security_that_does_not_let_root_in);

fn a_quota_that_is_used_up(case: &Case) -> Result<()> {
    let ground = Ground::new(case, &Script::default())?;
    let path = format!("/api/v1/namespaces/{}/resourcequotas", ground.namespace);
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "gpus"},
        "spec": {"hard": {"requests.nvidia.com/gpu": "0"}},
    });
    ground.cluster.api().create(&path, &quota)?;
    ground.cluster.until("the quota is counted", || {
        let quota = ground.cluster.api().get(&format!("{path}/gpus"))?;
        Ok(quota["status"]["hard"].is_object().then_some(()))
    })?;
    expect_failed(case, &ground, "", &["A quota of namespace", "exceeded quota: gpus"]).map(drop)
}
harness::on_one_minor!(a_quota_that_is_used_up);

fn a_namespace_that_is_missing(case: &Case) -> Result<()> {
    let mut ground = Ground::new(case, &Script::default())?;
    ground.namespace = ground.cluster.unique("no-namespace");
    let error = expect_failed(case, &ground, "", &["is not there", &ground.namespace])?;
    points_at(&error, "namespace")
}
harness::on_one_minor!(a_namespace_that_is_missing);
