//! `nvidia_smoke_test` on a real cluster: what a test that passes tells, when it runs again, and what it leaves alone.
//!
//! Each case has a namespace, a node and a runtime class of its own (`Ground`); the namespace scripts what pods do.

mod endings;
mod reasons;

use anyhow::{Context, Result, ensure};
use harness::{Case, Cluster, Fault, Workspace};
use serde_json::{Value, json};

pub(crate) const ADDRESS: &str = "nvidia_smoke_test.this";

/// What the played pods print: a table of driver 610, with its labels.
pub(crate) const TABLE: &str = "\
+-----------------------------------------------------------------------------------------+
| NVIDIA-SMI 610.57.04              KMD Version: 610.57.04     CUDA UMD Version: 13.3     |
+-----------------------------------------+------------------------+----------------------+
| GPU  Name                 Persistence-M | Bus-Id          Disp.A | Volatile Uncorr. ECC |
|=========================================+========================+======================|
|   0  NVIDIA L40S                    On  |   00000000:63:00.0 Off |                    0 |
| N/A   26C    P0             39W /  350W |       0MiB /  46068MiB |      0%      Default |
+-----------------------------------------+------------------------+----------------------+
";

/// Where a case tests.
pub(crate) struct Ground {
    pub(crate) cluster: &'static Cluster,
    pub(crate) namespace: String,
    pub(crate) node: String,
    pub(crate) class: String,
}

/// What the pods of a ground do.
#[derive(Default)]
pub(crate) struct Script<'a> {
    pub(crate) log: &'a str,
    pub(crate) exit_code: Option<u8>,
    pub(crate) runs_on: bool,
    pub(crate) waits: Option<(&'a str, &'a str)>,
    /// A level of pod security in place of `privileged`.
    pub(crate) enforce: Option<&'a str>,
    /// Begins the node's name; `noruntime` is one without NVIDIA's runtime.
    pub(crate) node: Option<&'a str>,
    pub(crate) taint: bool,
    pub(crate) no_gpu: bool,
    pub(crate) no_class: bool,
}

impl Ground {
    pub(crate) fn new(case: &Case, script: &Script<'_>) -> Result<Self> {
        let cluster = case.cluster()?;
        let (namespace, class) = (cluster.unique("smoke"), cluster.unique("nvidia"));
        let node = cluster.unique(script.node.unwrap_or("gpu"));
        let mut made = cluster.namespace(&namespace).log(script.log);
        if let Some(code) = script.exit_code {
            made = made.exit_code(code);
        }
        if script.runs_on {
            made = made.runs_on();
        }
        if let Some((reason, message)) = script.waits {
            made = made.waits(reason, message);
        }
        if let Some(level) = script.enforce {
            made = made.label("pod-security.kubernetes.io/enforce", level);
        }
        made.create()?;
        let mut machine = cluster.node(&node);
        if !script.no_gpu {
            machine = machine.registered_gpus(1);
        }
        if script.taint {
            machine = machine.taint("team", "other", "NoSchedule");
        }
        machine.create()?;
        if !script.no_class {
            let object = json!({
                "apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": class}, "handler": "nvidia",
            });
            cluster.api().create("/apis/node.k8s.io/v1/runtimeclasses", &object)?;
        }
        Ok(Self { cluster, namespace, node, class })
    }

    /// The resource, with more arguments.
    pub(crate) fn resource(&self, arguments: &str) -> String {
        let Self { namespace, node, class, .. } = self;
        format!(
            "resource \"nvidia_smoke_test\" \"this\" {{\n  namespace = \"{namespace}\"\n  node_name = \"{node}\"\n  runtime_class_name = \"{class}\"\n{arguments}\n}}\n"
        )
    }

    pub(crate) fn workspace(&self, case: &Case, arguments: &str) -> Result<Workspace> {
        case.workspace_over(&self.cluster.kubeconfig(), &self.resource(arguments))
    }

    pub(crate) fn pods(&self) -> String {
        format!("/api/v1/namespaces/{}/pods", self.namespace)
    }

    pub(crate) fn pod(&self) -> Result<Option<Value>> {
        self.cluster.api().find(&format!("{}/nvidia-smoke-test", self.pods()))
    }

    /// The pod, once its container is in this state: `running`, `waiting`.
    pub(crate) fn pod_that_is(&self, state: &str) -> Result<Value> {
        self.cluster.until(&format!("the pod's container is {state}"), || {
            let pod = self.pod()?;
            Ok(pod.filter(|pod| pod["status"]["containerStatuses"][0]["state"][state].is_object()))
        })
    }

    pub(crate) fn expect_no_pod(&self) -> Result<()> {
        let list = self.cluster.api().get(&self.pods())?;
        let left: Vec<&Value> = list["items"].as_array().into_iter().flatten().collect();
        ensure!(left.is_empty(), "pods are left: {left:#?}");
        Ok(())
    }
}

pub(crate) fn expect_nothing_stored(workspace: &Workspace) -> Result<()> {
    let addresses = workspace.state()?.addresses();
    ensure!(addresses.is_empty(), "{addresses:?} is in the state");
    Ok(())
}

fn expect_settled(workspace: &Workspace) -> Result<()> {
    workspace.plan()?.expect_empty().context("with refresh")?;
    workspace.plan_with(&["-refresh=false"])?.expect_empty().context("without refresh")
}

pub(crate) fn a_test_that_passes_tells_what_nvidia_smi_found(case: &Case) -> Result<()> {
    let ground = Ground::new(case, &Script { log: TABLE, ..Script::default() })?;
    let front = ground.cluster.front()?;
    let workspace = case.workspace_over(front.kubeconfig(), &ground.resource(""))?;
    assert_eq!(workspace.plan()?.actions(ADDRESS), ["create"]);
    ensure!(front.requests().is_empty(), "a plan asks for nothing: {:?}", front.requests());
    workspace.apply_plan()?;
    let state = workspace.state()?;
    let values = state.values(ADDRESS)?;
    assert_eq!(values["id"], json!(format!("{}/nvidia-smoke-test", ground.namespace)));
    assert_eq!(values["output"], json!(TABLE));
    assert_eq!(values["driver_version"], "610.57.04");
    assert_eq!(values["cuda_version"], "13.3");
    assert_eq!(values["detected_gpus"], json!(["NVIDIA L40S"]));
    assert_eq!(values["node"], json!(ground.node));
    ensure!(values["duration"].as_str().is_some_and(|text| text.ends_with('s')), "{}", values["duration"]);
    ground.expect_no_pod()?;

    front.forget();
    expect_settled(&workspace)?;
    workspace.destroy()?;
    ensure!(front.requests().is_empty(), "neither a refresh nor a destroy asks for anything: {:?}", front.requests());
    Ok(())
}
harness::on_one_minor!(a_test_that_passes_tells_what_nvidia_smi_found);

fn a_namespace_with_the_restricted_standard_lets_the_pod_in(case: &Case) -> Result<()> {
    let ground = Ground::new(case, &Script { log: TABLE, enforce: Some("restricted"), ..Script::default() })?;
    let workspace = ground.workspace(case, "")?;
    workspace.apply()?;
    assert_eq!(workspace.state()?.values(ADDRESS)?["driver_version"], "610.57.04");
    ground.expect_no_pod()
}
harness::on_one_minor!(a_namespace_with_the_restricted_standard_lets_the_pod_in);

fn a_trigger_runs_it_again_and_a_timeout_does_not(case: &Case) -> Result<()> {
    let ground = Ground::new(case, &Script { log: "first\n", ..Script::default() })?;
    let front = ground.cluster.front()?;
    let write = |workspace: &Workspace, arguments: &str| {
        workspace.write("main.tf", &harness::main_tf_over(None, Some(front.kubeconfig()), &ground.resource(arguments)))
    };
    let workspace = case.workspace_over(front.kubeconfig(), &ground.resource("triggers = { talos = \"v1.12.0\" }"))?;
    workspace.apply()?;

    front.forget();
    write(&workspace, "triggers = { talos = \"v1.12.0\" }\ntimeouts = { create = \"90s\" }")?;
    let plan = workspace.plan()?;
    assert_eq!(plan.actions(ADDRESS), ["update"]);
    assert_eq!(plan.change(ADDRESS)?.changed_attributes(), ["timeouts"]);
    workspace.apply_plan()?;
    ensure!(front.requests().is_empty(), "{:?}", front.requests());

    let script = json!({"metadata": {"annotations": {"pod.test/log": TABLE}}});
    ground.cluster.api().patch(&format!("/api/v1/namespaces/{}", ground.namespace), &script)?;
    write(&workspace, "triggers = { talos = \"v1.13.0\" }")?;
    assert_eq!(workspace.plan()?.actions(ADDRESS), ["delete", "create"]);
    workspace.apply_plan()?;
    assert_eq!(workspace.state()?.values(ADDRESS)?["driver_version"], "610.57.04");
    expect_settled(&workspace)?;
    ground.expect_no_pod()
}
harness::on_one_minor!(a_trigger_runs_it_again_and_a_timeout_does_not);

fn another_command_keeps_the_end_of_its_output_and_claims_nothing(case: &Case) -> Result<()> {
    let lines: String = (0..3000).map(|number| format!("line {number} of a long output\n")).collect();
    let ground = Ground::new(case, &Script { log: &lines, ..Script::default() })?;
    let workspace = ground.workspace(case, "command = [\"/cuda-sample\"]\ngpus = 0")?;
    workspace.apply()?;
    let state = workspace.state()?;
    let values = state.values(ADDRESS)?;
    let output = values["output"].as_str().context("there is an output")?;
    ensure!(output.len() <= 64 << 10 && output.len() > 63 << 10, "{} bytes", output.len());
    ensure!(output.starts_with("line ") && output.ends_with("line 2999 of a long output\n"));
    for name in ["driver_version", "cuda_version", "detected_gpus"] {
        ensure!(values[name].is_null(), "{name} is {}", values[name]);
    }
    expect_settled(&workspace)
}
harness::on_one_minor!(another_command_keeps_the_end_of_its_output_and_claims_nothing);

fn tests_of_one_name_in_one_apply_run_one_after_another(case: &Case) -> Result<()> {
    let ground = Ground::new(case, &Script { log: TABLE, ..Script::default() })?;
    let many = ground.resource("for_each = toset([\"a\", \"b\", \"c\"])\ntriggers = { of = each.key }");
    let workspace = case.workspace_over(&ground.cluster.kubeconfig(), &many)?;
    workspace.apply()?;
    assert_eq!(workspace.state()?.addresses().len(), 3);
    ground.expect_no_pod()
}
harness::on_one_minor!(tests_of_one_name_in_one_apply_run_one_after_another);

fn a_cluster_that_is_described_in_the_same_apply_is_planned_without_it(case: &Case) -> Result<()> {
    let ground = Ground::new(case, &Script { log: TABLE, ..Script::default() })?;
    let kubeconfig = ground.cluster.kubeconfig();
    let rest = format!(
        "resource \"terraform_data\" \"cluster\" {{\n  input = \"{}\"\n}}\n\n{}",
        kubeconfig.display(),
        ground.resource("")
    );
    let known = format!("config_path = \"{}\"", kubeconfig.display());
    let main = harness::main_tf_over(None, Some(&kubeconfig), &rest);
    let main = main.replacen(&known, "config_path = terraform_data.cluster.output", 1);
    let workspace = case.workspace(&main)?;
    assert_eq!(workspace.plan()?.actions(ADDRESS), ["create"]);
    workspace.apply()?;
    assert_eq!(workspace.state()?.values(ADDRESS)?["driver_version"], "610.57.04");
    expect_settled(&workspace)
}
harness::on_one_minor!(a_cluster_that_is_described_in_the_same_apply_is_planned_without_it);

fn without_a_kubernetes_block_the_plan_says_so(case: &Case) -> Result<()> {
    let main = harness::main_tf_over(None, None, "resource \"nvidia_smoke_test\" \"this\" {\n}\n");
    let error = case.workspace(&main)?.plan_that_fails()?.only_error()?;
    ensure!(error.says("no kubernetes block"), "{error}");
    Ok(())
}
harness::on_one_minor!(without_a_kubernetes_block_the_plan_says_so);

fn a_pod_that_cannot_be_deleted_is_remembered_and_deleted_on_destroy(case: &Case) -> Result<()> {
    let ground = Ground::new(case, &Script { log: TABLE, ..Script::default() })?;
    let front = ground.cluster.front()?;
    let workspace = case.workspace_over(front.kubeconfig(), &ground.resource(""))?;
    // As often as it is tried.
    front.next(6, "DELETE", "/pods/nvidia-smoke-test", Fault::Answer(500, None));
    workspace.apply()?.diagnostic("is still there")?;
    ensure!(ground.pod()?.is_some(), "the pod was to stay");
    expect_settled(&workspace)?;
    workspace.destroy()?;
    ground.expect_no_pod()
}
harness::on_one_minor!(a_pod_that_cannot_be_deleted_is_remembered_and_deleted_on_destroy);

fn an_answer_that_is_lost_makes_no_second_pod(case: &Case) -> Result<()> {
    let ground = Ground::new(case, &Script { log: TABLE, ..Script::default() })?;
    let front = ground.cluster.front()?;
    let workspace = case.workspace_over(front.kubeconfig(), &ground.resource(""))?;
    front.next(1, "POST", "/pods", Fault::Answer(500, None));
    front.next(1, "POST", "/pods", Fault::LoseAnswer);
    front.next(1, "DELETE", "/pods/nvidia-smoke-test", Fault::LoseAnswer);
    workspace.apply()?;
    assert_eq!(workspace.state()?.values(ADDRESS)?["driver_version"], "610.57.04");
    ground.expect_no_pod()
}
harness::on_one_minor!(an_answer_that_is_lost_makes_no_second_pod);
