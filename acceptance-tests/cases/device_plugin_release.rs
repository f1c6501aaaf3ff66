//! `nvidia_device_plugin_release` on a real cluster: the guide's release and its upgrades, drift, what stands in its way,
//! what it leaves alone, and what is left when it is taken away.
//!
//! Each case has a node, a runtime class and a namespace of its own (`Ground`), and its release keeps to that node. The
//! namespace is there before, unless it is what the case is about: Kubernetes takes five seconds to delete one.

mod changes;
pub(crate) mod helm;
mod interruptions;
mod obstacles;
mod others;
mod rights;
mod versions;

use anyhow::{Context, Result, ensure};
use harness::{Case, Cluster, Workspace};
use serde_json::{Value, json};

pub(crate) const ADDRESS: &str = "nvidia_device_plugin_release.this";

/// Where a case works.
pub(crate) struct Ground {
    pub(crate) cluster: &'static Cluster,
    /// Of the namespace, of the release and of the label that its node has.
    pub(crate) name: String,
    pub(crate) node: String,
    pub(crate) class: String,
    /// The namespace was there before the release.
    has_namespace: bool,
}

impl Ground {
    pub(crate) fn new(case: &Case, prefix: &str) -> Result<Self> {
        let ground = Self::without_node(case, prefix)?;
        ground.make_node()?;
        Ok(ground)
    }

    pub(crate) fn without_node(case: &Case, prefix: &str) -> Result<Self> {
        let mut ground = Self::bare(case, prefix)?;
        ground.cluster.namespace(&ground.name).create()?;
        ground.has_namespace = true;
        Ok(ground)
    }

    /// Without a namespace, and without a node.
    pub(crate) fn bare(case: &Case, prefix: &str) -> Result<Self> {
        let cluster = case.cluster()?;
        let name = cluster.unique(prefix);
        let (node, class) = (format!("gpu-{name}"), format!("nvidia-{name}"));
        cluster.apply(
            &json!({"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": class},
                "handler": "nvidia"})
            .to_string(),
        )?;
        Ok(Self { cluster, name, node, class, has_namespace: false })
    }

    /// The resource on this ground. An argument takes the place of the default of its name.
    pub(crate) fn resource(&self, version: &str, arguments: &str) -> String {
        let name = &self.name;
        let defaults = [
            ("name", format!("\"{name}\"")),
            ("namespace", format!("\"{name}\"")),
            ("version", format!("\"{version}\"")),
            ("runtime_class_name", format!("\"{}\"", self.class)),
            ("node_selector", format!("{{ \"test/release\" = \"{name}\" }}")),
            ("affinity", "{}".to_owned()),
            ("timeouts", "{ create = \"60s\", update = \"60s\", delete = \"60s\" }".to_owned()),
        ];
        let given =
            |name: &str| arguments.lines().any(|line| line.split('=').next().unwrap_or_default().trim() == name);
        let mut text = "resource \"nvidia_device_plugin_release\" \"this\" {\n".to_owned();
        for (name, value) in defaults.iter().filter(|(name, _)| !given(name)) {
            text.push_str(&format!("  {name} = {value}\n"));
        }
        for line in arguments.lines() {
            text.push_str(&format!("  {line}\n"));
        }
        text.push_str("}\n");
        text
    }

    pub(crate) fn workspace(&self, case: &Case, version: &str, arguments: &str) -> Result<Workspace> {
        case.workspace_over(&self.cluster.kubeconfig(), &self.resource(version, arguments))
    }

    pub(crate) fn rewrite(&self, workspace: &Workspace, version: &str, arguments: &str) -> Result<()> {
        let rest = self.resource(version, arguments);
        workspace.write("main.tf", &harness::main_tf_over(None, Some(&self.cluster.kubeconfig()), &rest))
    }

    /// Name of the DaemonSet of the plugin.
    pub(crate) fn set(&self) -> String {
        format!("{}-nvidia-device-plugin", self.name)
    }

    pub(crate) fn live(&self) -> Result<Value> {
        self.cluster.api().get(&self.path(&self.set()))
    }

    pub(crate) fn path(&self, set: &str) -> String {
        format!("/apis/apps/v1/namespaces/{}/daemonsets/{set}", self.name)
    }

    pub(crate) fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        let mut all = vec!["--namespace", &self.name];
        all.extend(arguments);
        self.cluster.kubectl(&all)?.succeeded()
    }

    /// Nothing of the release is left, and neither is its namespace, unless it was there before.
    pub(crate) fn expect_nothing_left(&self) -> Result<()> {
        let selector = format!("app.kubernetes.io/instance={}", self.name);
        let kinds = "daemonsets,configmaps,serviceaccounts,secrets,clusterroles,clusterrolebindings";
        let left = self.kubectl(&["get", kinds, "-o", "name", "-l", &selector])?;
        ensure!(left.trim().is_empty(), "left are {left}");
        assert_eq!(self.revisions()?, Vec::<String>::new());
        let namespace = self.cluster.api().find(&format!("/api/v1/namespaces/{}", self.name))?;
        assert_eq!(namespace.is_some(), self.has_namespace, "{namespace:?}");
        Ok(())
    }

    /// Status of each revision by the labels of its Secret, oldest first.
    pub(crate) fn revisions(&self) -> Result<Vec<String>> {
        let path = format!("/api/v1/namespaces/{}/secrets?labelSelector=owner%3Dhelm", self.name);
        let listed = self.cluster.api().get(&path)?;
        let mut found: Vec<(u64, String)> = Vec::new();
        for secret in listed["items"].as_array().into_iter().flatten() {
            let label = |name: &str| secret["metadata"]["labels"][name].as_str().unwrap_or_default().to_owned();
            found.push((label("version").parse()?, label("status")));
        }
        found.sort();
        Ok(found.into_iter().map(|(_, status)| status).collect())
    }

    /// The node of a ground that was made without one.
    pub(crate) fn make_node(&self) -> Result<()> {
        self.cluster.node(&self.node).label("test/release", &self.name).gpus(2).create()
    }

    pub(crate) fn take_node_away(&self) -> Result<()> {
        self.cluster.api().delete(&format!("/api/v1/nodes/{}", self.node))
    }

    /// The end of a case: what it made beside the release goes, some of it later.
    pub(crate) fn leave(&self) -> Result<()> {
        self.cluster.api().delete(&format!("/api/v1/namespaces/{}", self.name))?;
        self.take_node_away()
    }
}

/// There is nothing to do, with and without a refresh. Only where there is, which is a failure, is the plan shown too: that
/// is another command.
pub(crate) fn expect_settled(workspace: &Workspace) -> Result<()> {
    for refresh in ["-refresh=true", "-refresh=false"] {
        let run = workspace.run(&["plan", "-json", "-detailed-exitcode", refresh])?.succeeded()?;
        if run.code != Some(0) {
            return workspace.plan_with(&[refresh])?.expect_empty().context(refresh);
        }
    }
    Ok(())
}

/// After an import: the timeouts are of the configuration alone, and storing them writes nothing to the cluster.
pub(crate) fn expect_only_timeouts(workspace: &Workspace) -> Result<()> {
    let changed = workspace.plan()?.changed_paths(ADDRESS);
    ensure!(changed.iter().all(|path| path.starts_with("timeouts")), "{changed:?}");
    workspace.apply()?;
    expect_settled(workspace)
}

pub(crate) fn it_is_made_as_the_guide_makes_it_planned_empty_and_taken_away(case: &Case) -> Result<()> {
    let ground = Ground::bare(case, "whole")?;
    ground.make_node()?;
    let workspace = ground.workspace(case, "0.13.0", "")?;
    let plan = workspace.plan()?;
    assert_eq!(plan.actions(ADDRESS), ["create"]);
    workspace.apply_plan()?;
    let made = ground.live()?;
    assert_eq!(made["spec"]["template"]["spec"]["runtimeClassName"], json!(ground.class));
    assert_eq!(made["metadata"]["managedFields"][0]["manager"], "helm");
    assert_eq!(made["metadata"]["managedFields"][0]["operation"], "Apply");
    assert_eq!(made["status"]["numberReady"], 1);
    let state = workspace.state()?;
    assert_eq!(state.values(ADDRESS)?["revision"], 1);
    assert_eq!(state.values(ADDRESS)?["app_version"], "0.13.0");
    expect_settled(&workspace)?;
    workspace.destroy()?;
    ground.expect_nothing_left()?;
    ground.leave()
}
harness::on_one_minor!(it_is_made_as_the_guide_makes_it_planned_empty_and_taken_away);
