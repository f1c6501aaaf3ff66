//! What `nvidia_device_plugin_release` says to operators.

pub(crate) mod engine;

use plugin::{Diagnostics, Path};

use super::list;
use crate::device_plugin_release::{Chart, NotValues, Refused, obstacles::Obstacle, versions::known_range};

fn at(path: &[&str]) -> Path {
    path.iter().skip(1).fold(Path::attribute(path.first().copied().unwrap_or_default()), |at, name| at.then(*name))
}

pub(crate) fn unknown_version(version: &str, diagnostics: &mut Diagnostics) {
    let newest = Chart::newest().version();
    diagnostics.error(
        at(&["version"]),
        "Unknown chart version",
        format!(
            "Chart version \"{version}\" is not known: this provider renders the published versions from {} without a network. For a newer plugin, set version = \"{newest}\" and the newer image in image.tag.",
            known_range()
        ),
    );
}

pub(crate) fn not_in_version(chart: Chart, path: Path, name: &str, versions: &str, diagnostics: &mut Diagnostics) {
    diagnostics.error(
        path,
        "The chart version has no such value",
        format!(
            "Chart {} passes over {name}; versions that have it: {versions}. Take it out, or choose one of those versions.",
            chart.version()
        ),
    );
}

pub(crate) fn refused_by_chart(chart: Chart, refused: Refused, diagnostics: &mut Diagnostics) {
    let version = chart.version();
    let (summary, detail) = match refused {
        Refused::DefaultNamespace => (
            "The chart refuses the namespace default",
            format!(
                "Chart {version} does not install into the namespace \"default\". Name another namespace, or set allow_default_namespace = true. Talos allows the plugin's pods in \"kube-system\" and in namespaces labelled pod-security.kubernetes.io/enforce=privileged, such as the one that create_namespace makes."
            ),
        ),
        Refused::TwoConfigMaps => (
            "Two sources of configuration files",
            "config.name takes the files from a ConfigMap that exists, config.map makes one. Keep one of the two.".to_owned(),
        ),
        Refused::NoDefaultConfig => (
            "No configuration for nodes without a label",
            "config.map has several files and none is chosen for a node without the label nvidia.com/device-plugin.config. Name one in config.default, call one \"default\", or add \"empty\" to config.fallback_strategies.".to_owned(),
        ),
    };
    diagnostics.error(refused.path(), summary, detail);
}

pub(crate) fn not_values(error: &NotValues, diagnostics: &mut Diagnostics) {
    let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    diagnostics.error(
        Path::root(),
        "The values do not fit the chart",
        format!("The attributes give values that the chart cannot render: {cause}. This is a mistake of the provider; please report it."),
    );
}

pub(crate) fn not_yaml(path: Path, file: &str, line: Option<u64>, diagnostics: &mut Diagnostics) {
    let place = line.map(|line| format!(", line {line}")).unwrap_or_default();
    diagnostics.error(
        path,
        "Invalid configuration file",
        format!("The configuration file \"{file}\" is no YAML{place}, so the plugin would not start."),
    );
}

pub(crate) fn not_a_mapping(path: Path, file: &str, diagnostics: &mut Diagnostics) {
    diagnostics.error(
        path,
        "Invalid configuration file",
        format!("The configuration file \"{file}\" is no YAML mapping. Begin it with `version: v1`."),
    );
}

pub(crate) fn two_paces(diagnostics: &mut Diagnostics) {
    diagnostics.error(
        at(&["update_strategy", "rolling_update", "max_surge"]),
        "Two paces of a rolling update",
        "Kubernetes takes max_surge only with max_unavailable = \"0\", whose default is 1. Set it to \"0\", or take max_surge out.",
    );
}

pub(crate) fn pace_of_nothing(diagnostics: &mut Diagnostics) {
    diagnostics.error(
        at(&["update_strategy", "rolling_update", "max_unavailable"]),
        "A rolling update that cannot move",
        "With max_unavailable = \"0\" Kubernetes needs a max_surge that is not zero, or no pod could ever be replaced. Give one, or another max_unavailable.",
    );
}

pub(crate) fn misplaced(path: Path, file: &str, key: &str, place: &str, belongs: &str, diagnostics: &mut Diagnostics) {
    diagnostics.error(
        path,
        "Key at the wrong level",
        format!(
            "In the configuration file \"{file}\" `{key}` stands at {place}, where the plugin passes over it without a word. Move it to {belongs}."
        ),
    );
}

pub(crate) fn two_strategies_in_file(path: Path, file: &str, diagnostics: &mut Diagnostics) {
    diagnostics.error(
        path,
        "Two ways to share",
        format!("The configuration file \"{file}\" has both sharing.timeSlicing and sharing.mps, and the plugin takes one. Remove one of them."),
    );
}

pub(crate) fn two_strategies(diagnostics: &mut Diagnostics) {
    diagnostics.error(
        at(&["time_slicing"]),
        "Two ways to share",
        "time_slicing and mps.resources are both given, and a plugin shares in one way. Remove one of them, or write a configuration file for each kind of node in config.map.",
    );
}

pub(crate) fn rename_without_resources(diagnostics: &mut Diagnostics) {
    diagnostics.error(
        at(&["mps", "rename_by_default"]),
        "Nothing to rename",
        "mps.rename_by_default is about what mps.resources shares, and there is none. Name the resources, or remove it.",
    );
}

pub(crate) fn two_configurations(part: &str, block: &str, diagnostics: &mut Diagnostics) {
    diagnostics.error(
        at(&["config", part]),
        "Two sources of configuration files",
        format!("{block} writes the plugin's configuration file, and config.{part} gives others. Keep one: several files with sharing in them go into config.map."),
    );
}

pub(crate) fn nothing_shared(path: Path, diagnostics: &mut Diagnostics) {
    diagnostics.error(
        path,
        "Nothing to share",
        "The list of shared resources is empty, and the plugin does not start with that. Name one, such as \"nvidia.com/gpu\", or remove the block.",
    );
}

pub(crate) fn shared_twice(path: Path, name: &str, diagnostics: &mut Diagnostics) {
    diagnostics.error(
        path,
        "Resource shared twice",
        format!("\"{name}\" is in the list already. Name each resource once."),
    );
}

pub(crate) fn default_without_files(diagnostics: &mut Diagnostics) {
    diagnostics.error(
        at(&["config", "default"]),
        "No configuration files",
        "config.default names one of several configuration files, and there are none: the chart takes it and does nothing. Give the files in config.map, or the name of the ConfigMap that holds them in config.name.",
    );
}

pub(crate) fn default_is_no_file<'a>(
    default: &str,
    files: impl Iterator<Item = &'a String>,
    diagnostics: &mut Diagnostics,
) {
    let names: Vec<String> = files.map(|name| format!("\"{name}\"")).collect();
    diagnostics.error(
        at(&["config", "default"]),
        "No such configuration file",
        format!("config.default is \"{default}\", and config.map has {}. Name one of them.", list(&names)),
    );
}

/// Summary and detail of what stands in the way of a DaemonSet's pods.
pub(crate) fn obstacle(daemon_set: &str, namespace: &str, obstacle: &Obstacle) -> (&'static str, String) {
    let of = format!("DaemonSet {namespace}/{daemon_set}");
    match obstacle {
        Obstacle::PodSecurity { message } => (
            "Pod security refuses the pods",
            format!(
                "{of}: {message}. The plugin needs the node's directories. Label the namespace (`kubectl label namespace {namespace} pod-security.kubernetes.io/enforce=privileged`), or install into a namespace that create_namespace makes, or into \"kube-system\"."
            ),
        ),
        Obstacle::Quota { message } => (
            "A quota refuses the pods",
            format!(
                "{of}: {message}. Raise the quota of namespace {namespace}, or make the pods ask for less in `resources`; a quota for the priority class in `priority_class_name` may be missing."
            ),
        ),
        Obstacle::RuntimeClass { message } => (
            "The runtime class does not exist",
            format!(
                "{of}: {message}. Make it with the resource nvidia_runtime_class and refer to its name, or take out runtime_class_name where nvidia is containerd's default runtime."
            ),
        ),
        Obstacle::Refused { message } => ("The cluster refuses the pods", format!("{of}: {message}.")),
        Obstacle::NoNode { nodes, labels } => ("No node for the pods", no_node(&of, *nodes, labels)),
        Obstacle::Tainted { node, taint, others } => (
            "Every fitting node is tainted",
            format!(
                "{of}: node {node}{} has the taint {taint}, which the pods do not tolerate. Add it to `tolerations`, or take it from the node.",
                if *others > 0 { format!(" and {others} more") } else { String::new() }
            ),
        ),
        Obstacle::Handler { node, message } => (
            "The node has no such runtime handler",
            format!(
                "{of}, node {node}: {message}. The handler nvidia comes with Talos's NVIDIA container toolkit extension: install it on the node, or keep the pods off it with `node_selector`."
            ),
        ),
        Obstacle::Sandbox { node, message } => (
            "The node cannot start the pods",
            format!(
                "{of}, node {node}: {message}. That comes from the node's container runtime or its network plugin: see the pods of the network plugin on that node, and `talosctl --nodes ADDRESS logs cri`."
            ),
        ),
        Obstacle::Pulling { node, image, message } => (
            "The image is still being pulled",
            format!(
                "{of}, node {node}, image {image}: it is being pulled again after {message}. Where that only takes long, give `timeouts` more; otherwise check that the node reaches the registry."
            ),
        ),
        Obstacle::Image { node, image, message } => (
            "The image cannot be pulled",
            format!(
                "{of}, node {node}, image {image}: {message}. Check `image` and `image_pull_secrets`, and that the node reaches the registry."
            ),
        ),
        Obstacle::Mount { node, message } => (
            "A volume cannot be mounted",
            format!(
                "{of}, node {node}: {message}. A missing ConfigMap is named by config.name; a missing directory by nvidia_driver_root."
            ),
        ),
        Obstacle::Crash { pod, node, container, message } => (
            "A container does not stay up",
            format!(
                "{of}, pod {pod} on node {node}, container {container}: {message}. See `kubectl logs --previous --namespace {namespace} {pod} --container {container}`."
            ),
        ),
        Obstacle::Unscheduled { pod, message } => ("A pod cannot be scheduled", format!("{of}, pod {pod}: {message}.")),
    }
}

fn no_node(of: &str, nodes: usize, labels: &[String]) -> String {
    let Some(last) = labels.last() else {
        return format!(
            "{of}: none of the cluster's {nodes} nodes gets a pod. Check that the cluster has nodes, and `affinity`."
        );
    };
    format!(
        "{of}: none of the cluster's {nodes} nodes has the labels that are looked for: {}. Set one by hand (`kubectl label node NODE {last}`; on Talos for good under machine.nodeLabels), let node-feature-discovery set them, or set `affinity = {{}}` to run on every node.",
        labels.join(", ")
    )
}
