//! Each reason of `smoke_test::reason` as a sentence, with the next step, and the attribute that it concerns.

use plugin::Path;

use crate::{
    smoke_test::{model::Test, nodes::NodeGpus, reason::Reason},
    texts::{list, on},
};

/// The attribute that a reason concerns.
pub(super) fn place(reason: &Reason) -> Path {
    match reason {
        Reason::NoNamespace | Reason::PodSecurity(_) | Reason::Quota(_) => on("namespace"),
        Reason::NoRuntimeClass | Reason::NoRuntime => on("runtime_class_name"),
        Reason::NoGpuFree(_) => on("gpus"),
        Reason::NodeUnknown => on("node_name"),
        Reason::Tainted(_) => on("tolerations"),
        Reason::ImagePull(_) | Reason::BadImage(_) | Reason::OldDriver(_) => on("image"),
        Reason::CommandNotFound => on("command"),
        Reason::NoPermission => on("run_as_user"),
        _ => Path::root(),
    }
}

/// A reason as a sentence, and the next step. `node` is where the pod was, once it was somewhere.
pub(super) fn words(reason: &Reason, test: &Test, node: Option<&str>) -> String {
    let class = test.runtime_class.as_deref().unwrap_or_default();
    let namespace = &test.namespace;
    let at = node.map_or_else(|| "the node".to_owned(), |node| format!("node {node}"));
    match reason {
        Reason::NoNamespace => format!(
            "Namespace {namespace} is not there, or is being deleted. Make it first, and let the test depend on it."
        ),
        Reason::PodSecurity(said) => format!("Pod security of namespace {namespace} does not let it in: {} Leave `run_as_user` at its default, or test in a namespace with the label `pod-security.kubernetes.io/enforce=privileged`.", sentence(said)),
        Reason::NoRuntimeClass => format!("The cluster has no RuntimeClass {class}. Make it with nvidia_runtime_class and let the test depend on it, or set `runtime_class_name = \"\"` where NVIDIA's runtime is the nodes' default."),
        Reason::Quota(said) => format!("A quota of namespace {namespace} leaves no room for it: {} Raise the quota, or test in another namespace.", sentence(said)),
        Reason::NoGpuFree(nodes) => no_gpu_free(test, nodes),
        Reason::NodeUnknown => format!("The cluster has no node {}. Write the name that `kubectl get nodes` shows.", test.node_name.as_deref().unwrap_or_default()),
        Reason::Tainted(said) => format!("No node takes it: {} Tolerate the taint with `tolerations`, or make the node schedulable (`kubectl uncordon`).", sentence(said)),
        Reason::NoNodeFits => "No node is the one, or has the labels, that the test and its RuntimeClass ask for. Check `node_name`, `node_selector` and the RuntimeClass's `scheduling`.".to_owned(),
        Reason::NoRoom(said) => format!("No node has room for it: {} Make room, or choose another node.", sentence(said)),
        Reason::NoRuntime => format!("containerd on {at} has no runtime for RuntimeClass {class}. Install the extension nvidia-container-toolkit there (a schematic of the node's very Talos version, then an upgrade), or keep the test off such nodes with `node_selector`."),
        Reason::ImagePull(said) => format!("The image {} cannot be pulled: {} Check its name, the rights at its registry, and the node's way there; Talos takes mirrors in `machine.registries`.", test.image, sentence(said)),
        Reason::BadImage(said) => format!("The image {} cannot be used: {} Correct `image`.", test.image, sentence(said)),
        Reason::BadContainer(said) => format!("The kubelet of {at} refuses the container: {}", sentence(said)),
        Reason::CommandNotFound => not_found(test, class, &at),
        Reason::OldDriver(condition) => format!("The driver of {at} is too old for the image, which asks for {condition}. Use an image of an older CUDA, or newer NVIDIA extensions."),
        Reason::NodeRefused(said) => format!("The kubelet of {at} did not take it: {} A GPU may have failed, or have been taken, after the scheduler chose the node. Look at the device plugin's pod there.", sentence(said)),
        Reason::VersionMismatch(library) => {
            let library = library.as_ref().map(|version| format!(" ({version})")).unwrap_or_default();
            format!("The libraries of NVIDIA's driver on {at}{library} are of another version than its kernel module. Both come from extensions: give the kernel module's and nvidia-container-toolkit the same driver version, upgrade the node, and let it reboot.")
        }
        Reason::NoDevices => format!("The driver of {at} runs and finds no GPU that it can use. Check that the GPU is passed through and not bound to another driver, and that the driver fits it: the open modules need Turing or newer, and boards with NVSwitch a fabric manager (`talosctl dmesg`)."),
        Reason::NoDriver => format!("nvidia-smi does not reach the driver of {at}: the kernel module nvidia is not loaded, or has failed. Load NVIDIA's modules with talos_nvidia_node_patch, and look at its `module_state`."),
        Reason::NoLibrary => format!("The driver's libraries are not in the container: NVIDIA's runtime on {at} did not bring them. Check the extension nvidia-container-toolkit, and that the RuntimeClass has the handler nvidia."),
        Reason::GpuLost => format!("A GPU of {at} no longer answers. Look for Xid errors in `talosctl dmesg`, reboot the node, and check the card's power and seat."),
        Reason::NoPermission => format!("User {} may not open the device files of {at}. Set `run_as_user = 0` in a namespace that lets root in.", test.run_as_user),
        Reason::AccessLost => format!("The container was not given, or has lost, the right to the device files of {at}. Run the test again; if it stays so, look at the device plugin's pod there and at `talosctl logs cri`."),
        Reason::OutOfMemory => format!("The kernel of {at} ended it for want of memory. Choose a node with more, or a command that needs less."),
        Reason::Evicted(said) => format!("It was evicted from {at}: {} Run the test again when the node has recovered.", sentence(said)),
        Reason::Preempted => "A pod of a higher priority took its place. Run the test again, or on another node.".to_owned(),
        Reason::NodeLost => format!("{} is gone, shuts down, or its kubelet no longer answers. Look at it with `kubectl describe node`, and run the test again when it is ready.", capital(&at)),
        Reason::EndedByDeadline => "It ran into its own deadline, which is `timeouts.create`. Raise that if the command needs longer.".to_owned(),
    }
}

/// How many nodes a message names.
const NODES: usize = 10;

fn no_gpu_free(test: &Test, nodes: &[NodeGpus]) -> String {
    let may_be = |node: &&NodeGpus| test.node_name.as_ref().is_none_or(|name| *name == node.name);
    let registered: Vec<&NodeGpus> = nodes.iter().filter(may_be).filter(|node| node.capacity > 0).collect();
    let is_lost = registered.iter().all(|node| node.allocatable == 0);
    let mut with: Vec<String> = registered.into_iter().map(NodeGpus::words).collect();
    if with.len() > NODES {
        let more = with.split_off(NODES).len();
        with.push(format!("{more} more nodes have some"));
    }
    let have = match (nodes.is_empty(), with.is_empty(), &test.node_name) {
        (true, ..) => "Which nodes have any could not be read.".to_owned(),
        (false, true, Some(name)) => format!("Node {name} has registered none: the device plugin does not run there, or finds none. Look at its pod there, at its RuntimeClass, and at the labels that it wants of a node."),
        (false, true, None) => "No node of the cluster has registered any: the device plugin does not run, or finds none. Look at its pods, at their RuntimeClass, and at the labels that they want of a node.".to_owned(),
        (false, false, _) if is_lost => format!("By node: {}. What has registered GPUs and offers 0 has lost its device plugin, or the plugin holds them for broken: look at its pod there.", list(&with)),
        (false, false, _) => format!("By node: {}. They are taken by other pods, too few, or on a node that this one may not use.", list(&with)),
    };
    let (wanted, unit) = (test.gpus, if test.gpus == 1 { "GPU" } else { "GPUs" });
    format!(
        "It asks for {wanted} {unit} (nvidia.com/gpu), and the scheduler finds no node with so many free. {have} `gpus = 0` tests the driver without the device plugin."
    )
}

fn not_found(test: &Test, class: &str, at: &str) -> String {
    let program = test.program();
    if !program.ends_with("nvidia-smi") && !test.command.iter().any(|word| word.contains("nvidia-smi")) {
        return format!("There is no `{program}` in the image. Correct `command` or `image`.");
    }
    let handler = if class.is_empty() {
        "that NVIDIA's runtime is the node's default, since the test has no RuntimeClass".to_owned()
    } else {
        format!("that RuntimeClass {class} has the handler nvidia")
    };
    format!(
        "There is no nvidia-smi in the container. It is never part of an image: NVIDIA's runtime puts it there, and on {at} did not. Check {handler}; that the node has the extension nvidia-container-toolkit; and, with `gpus = 0`, that the image sets NVIDIA_VISIBLE_DEVICES, as NVIDIA's own do."
    )
}

/// The cluster's word as a sentence of its own.
fn sentence(said: &str) -> String {
    match said.trim() {
        "" => "no more is said.".to_owned(),
        said if said.ends_with(['.', '!']) => said.to_owned(),
        said => format!("{said}."),
    }
}

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use plugin::Value;

    use super::*;
    use crate::smoke_test::model::tests::test;

    fn gpus(name: &str, allocatable: u64, capacity: u64) -> NodeGpus {
        NodeGpus { name: name.into(), allocatable, capacity, ready: true }
    }

    #[test]
    fn who_has_gpus_is_named() {
        let some = || vec![gpus("cpu-1", 0, 0), gpus("gpu-1", 4, 4), gpus("gpu-2", 0, 4)];
        let many: Vec<NodeGpus> = (0..13).map(|number| gpus(&format!("gpu-{number}"), 1, 1)).collect();
        for (nodes, node_name, says) in [
            (vec![], None, "could not be read"),
            (vec![gpus("cpu-1", 0, 0)], None, "No node of the cluster has registered any"),
            (some(), None, "By node: gpu-1 has 4 and gpu-2 has 0 of 4."),
            (
                some(),
                Some("gpu-2"),
                "By node: gpu-2 has 0 of 4. What has registered GPUs and offers 0 has lost its device plugin",
            ),
            (some(), Some("cpu-1"), "Node cpu-1 has registered none"),
            (many, None, "gpu-9 has 1 and 3 more nodes have some."),
        ] {
            let test = test(&[("node_name", Value::from(node_name))]);
            let text = words(&Reason::NoGpuFree(nodes), &test, None);
            assert!(text.contains(says) && text.contains("asks for 1 GPU (nvidia.com/gpu)"), "{text}");
        }
    }

    #[test]
    fn a_missing_program_is_the_images_fault_unless_it_is_nvidias() {
        let command = |words: &[&str]| Value::List(words.iter().map(|word| Value::from(*word)).collect());
        for (given, says) in [
            (command(&["nvidia-smi"]), "NVIDIA's runtime puts it there, and on node a did not"),
            (command(&["sh", "-c", "nvidia-smi -L"]), "NVIDIA's runtime puts it there"),
            (command(&["/cuda-sample"]), "There is no `/cuda-sample` in the image."),
        ] {
            let text = words(&Reason::CommandNotFound, &test(&[("command", given)]), Some("a"));
            assert!(text.contains(says), "{text}");
        }
    }

    /// A sentence begins with a capital (or a program's name), ends with a stop, and has no text of the cluster run into it.
    #[test]
    fn every_reason_is_whole_sentences() {
        let said = || "the cluster's word".to_owned();
        for reason in [
            Reason::NoNamespace,
            Reason::PodSecurity(said()),
            Reason::NoRuntimeClass,
            Reason::Quota(said()),
            Reason::NodeUnknown,
            Reason::Tainted(said()),
            Reason::NoNodeFits,
            Reason::NoRoom(said()),
            Reason::NoRuntime,
            Reason::ImagePull(said()),
            Reason::BadImage(said()),
            Reason::BadContainer(said()),
            Reason::OldDriver("cuda>=12.5".into()),
            Reason::NodeRefused(said()),
            Reason::VersionMismatch(Some("535.309".into())),
            Reason::NoDevices,
            Reason::NoDriver,
            Reason::NoLibrary,
            Reason::GpuLost,
            Reason::NoPermission,
            Reason::AccessLost,
            Reason::OutOfMemory,
            Reason::Evicted(said()),
            Reason::Preempted,
            Reason::NodeLost,
            Reason::EndedByDeadline,
        ] {
            let text = words(&reason, &test(&[]), Some("gpu-1"));
            assert!(text.ends_with('.') && !text.contains("..") && !text.contains(": ."), "{text}");
            assert!(!text.contains("the cluster's word") || text.contains("the cluster's word."), "{text}");
        }
    }
}
