//! The attributes that stand for the chart's values, and the versions in which each has an effect.

use plugin::{Attribute, Diagnostics, Field, Mode, Nesting, Path, Type, Validator, Value, validators};

use super::kubernetes;
use crate::{
    device_plugin_release::versions::{Trait, versions_with},
    object_rules,
};

/// Attributes that not every version has, by path, with what the version must have.
pub(in crate::device_plugin_release) const LIMITED: [(&[&str], Trait); 14] = [
    (&["nvidia_dev_root"], Trait::HookPath),
    (&["device_discovery_strategy"], Trait::HookPath),
    (&["gdrcopy_enabled"], Trait::HostPid),
    (&["device_plugin"], Trait::ControlDaemon),
    (&["device_plugin", "enable_host_network"], Trait::HostNetwork),
    (&["gfd", "name_override"], Trait::DiscoveryChart),
    (&["gfd", "namespace_override"], Trait::DiscoveryChart),
    (&["gfd", "enable_host_network"], Trait::HostNetwork),
    (&["mps"], Trait::ControlDaemon),
    (&["mps", "enable_host_pid"], Trait::HostPid),
    (&["mps", "enable_host_network"], Trait::HostNetwork),
    (&["cdi"], Trait::HookPath),
    (&["cdi", "nvidia_hook_path"], Trait::HookPath),
    (&["cdi", "feature_flags"], Trait::CdiFeatureFlags),
];

/// The versions of an attribute in words for the docs; nothing when every version has it.
fn versions(path: &[&str]) -> String {
    LIMITED
        .iter()
        .find(|(limited, _)| *limited == path)
        .map(|(_, wanted)| format!(" Chart versions {}.", versions_with(*wanted)))
        .unwrap_or_default()
}

fn plain(path: &[&'static str], ty: Type, describe: &str) -> Attribute {
    let name = path.last().copied().unwrap_or_default();
    Attribute::optional(name, ty).describe(format!("{describe}{}", versions(path)))
}

fn text(path: &[&'static str], describe: &str) -> Attribute {
    plain(path, Type::String, describe).validate(whole_text())
}

fn flag(path: &[&'static str], describe: &str) -> Attribute {
    plain(path, Type::Bool, describe)
}

fn map(path: &[&'static str], describe: &str) -> Attribute {
    plain(path, Type::Map(Box::new(Type::String)), describe)
}

fn single(name: &'static str, attributes: Vec<Attribute>, describe: &str) -> Attribute {
    Attribute::nested(name, Mode::Optional, Nesting::Single, attributes)
        .describe(format!("{describe}{}", versions(&[name])))
}

/// The chart writes text into YAML as it is, so what YAML would cut off or take for something else is refused.
fn whole_text() -> Validator {
    validators::text("not empty, without line breaks and blank ends", "Invalid value", |given| {
        if given.is_empty() {
            Err("The value is empty. Give one, or leave the attribute out for the chart's default.".into())
        } else if given.chars().any(char::is_control) || given.trim() != given {
            Err(format!("{given:?} has a control character or a blank at one of its ends. Write the value alone."))
        } else {
            Ok(())
        }
    })
}

/// A comma-separated list of the ways in which a container can learn of its devices.
fn device_lists() -> Validator {
    const KNOWN: [&str; 4] = ["envvar", "volume-mounts", "cdi-annotations", "cdi-cri"];
    validators::text(
        "`envvar`, `volume-mounts`, `cdi-annotations`, `cdi-cri`, or several with commas",
        "Invalid value",
        |given| match given.split(',').find(|one| !KNOWN.contains(one)) {
            Some(one) => Err(format!(
                "\"{one}\" is no device list strategy. Write \"envvar\", \"volume-mounts\", \"cdi-annotations\" or \"cdi-cri\", or several with commas and no blanks."
            )),
            None => Ok(()),
        },
    )
}

/// At most `most` characters of a DNS label.
pub(in crate::device_plugin_release) fn dns_label(given: &str, most: usize) -> Result<(), String> {
    let is_end = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    if given.len() <= most
        && given.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && is_end(given.chars().next())
        && is_end(given.chars().last())
    {
        Ok(())
    } else {
        Err(format!(
            "\"{given}\" is not a name that Kubernetes takes here: 1 to {most} lower-case letters, digits and \"-\", with a letter or digit at both ends."
        ))
    }
}

fn name_like() -> Validator {
    validators::text("lower-case letters, digits and `-`", "Invalid name", |given| {
        // What is longer is cut by the chart, so only its characters count.
        dns_label(given, 253)
    })
}

fn config() -> Attribute {
    let map = map(&["config", "map"], "Configuration files by name, as YAML text. The release puts them into a ConfigMap. A file is chosen for a node by its label `nvidia.com/device-plugin.config`. They show in `manifest` and its plan, also where the value is marked as sensitive.")
        .validate(Validator { rule: "names of letters, digits, `-`, `_` and `.`".into(), check: std::sync::Arc::new(file_names) });
    let fallbacks = plain(
        &["config", "fallback_strategies"],
        Type::List(Box::new(Type::String)),
        "What to try, in order, where neither the node's label nor `default` names a file: `named` (the file `default`), `single` (the only one), `empty` (no configuration). Default: `[\"named\", \"single\"]`.",
    )
    .validate(Validator { rule: "of `named`, `single`, `empty`".into(), check: std::sync::Arc::new(fallback_strategies) });
    single(
        "config",
        vec![
            text(&["config", "name"], "Name of an existing ConfigMap with the configuration files, in place of `map`."),
            map,
            text(&["config", "default"], "Name of the file for nodes without the label."),
            fallbacks,
        ],
        "Configuration files of the plugin. For time slicing or MPS alone, `time_slicing` and `mps` write one.",
    )
}

fn file_names(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    let Field::Known(entries) = value.entries() else { return };
    for (name, text) in entries {
        let is_name = !name.is_empty()
            && name.len() <= 253
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
        if !is_name {
            diagnostics.error(
                path.key(name.as_str()),
                "Invalid file name",
                format!(
                    "{name:?} cannot be a key of a ConfigMap: it may hold letters, digits, \"-\", \"_\" and \".\"."
                ),
            );
        }
        if text.is_null() {
            diagnostics.error(
                path.key(name.as_str()),
                "File without text",
                "The configuration file is null. Give its YAML text, or leave it out.",
            );
        }
    }
}

fn fallback_strategies(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    let Field::Known(items) = value.items() else { return };
    for (index, item) in items.iter().enumerate() {
        let given = match item.string() {
            Field::Unknown | Field::Known("named" | "single" | "empty") => continue,
            Field::Null => "null".to_owned(),
            Field::Known(text) => format!("\"{text}\""),
        };
        diagnostics.error(
            path.index(index),
            "Invalid value",
            format!("{given} is not one of \"named\", \"single\", \"empty\"."),
        );
    }
}

fn shared_resources() -> Attribute {
    let resource = vec![
        Attribute::required("name", Type::String)
            .describe("Resource to share, such as `nvidia.com/gpu` or `nvidia.com/mig-1g.5gb`.")
            .validate(whole_text()),
        Attribute::required("replicas", Type::Number)
            .describe("Parts that each device is offered as; 2 or more.")
            .validate(Validator { rule: "2 or more".into(), check: std::sync::Arc::new(replicas) }),
    ];
    Attribute::nested("resources", Mode::Optional, Nesting::List, resource)
}

fn replicas(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    if !matches!(value.integer(), Field::Known(2..) | Field::Unknown) {
        diagnostics.error(
            path.clone(),
            "Invalid number of replicas",
            "A shared resource has 2 or more replicas, as a whole number: the plugin does not start with another. Leave the resource out to not share it.",
        );
    }
}

fn time_slicing() -> Attribute {
    let mut resources = shared_resources().describe("What is shared, each resource once.");
    resources.mode = Mode::Required;
    single(
        "time_slicing",
        vec![
            flag(
                &["time_slicing", "rename_by_default"],
                "Offer the shared resource as `<name>.shared`. The plugin's default: `false`.",
            ),
            flag(
                &["time_slicing", "fail_requests_greater_than_one"],
                "Refuse pods that ask for more than one part, since they get no more time for it. The plugin's default: `false`.",
            ),
            resources,
        ],
        "Share GPUs by time: writes the plugin's configuration file `default`. Not together with `config.name`, `config.map` or `mps.resources`.",
    )
}

fn mps() -> Attribute {
    single(
        "mps",
        vec![
            text(&["mps", "root"], "Directory of MPS on the nodes. Default: `/run/nvidia/mps`."),
            flag(&["mps", "enable_host_pid"], "Whether the control daemon runs in the host's process namespace. Default: `true`."),
            flag(&["mps", "enable_host_network"], "Whether the control daemon uses the host's network. Default: `false`."),
            flag(&["mps", "rename_by_default"], "Offer the shared resource as `<name>.shared`. The plugin's default: `false`. Only with `resources`."),
            shared_resources().describe("Share GPUs by MPS: writes the plugin's configuration file `default`, with these resources. Not together with `config.name`, `config.map` or `time_slicing`. Only nodes with the label `nvidia.com/mps.capable=true` (set by `gfd`, or by hand) run the control daemon."),
        ],
        "MPS control daemon, and sharing of GPUs by MPS.",
    )
}

fn gfd() -> Attribute {
    single(
        "gfd",
        vec![
            flag(
                &["gfd", "enabled"],
                "Whether GPU feature discovery runs, which labels nodes with what their GPUs are. Default: `false`. NFD itself is not part of this resource: from 0.19.0 on its custom resource definitions must be there, and before that an NFD worker must read the files.",
            ),
            text(&["gfd", "name_override"], "Name of the chart in object names. Default: `gpu-feature-discovery`.")
                .validate(name_like()),
            text(&["gfd", "namespace_override"], "Namespace of its DaemonSet. Default: the release's.")
                .validate(name_like()),
            flag(
                &["gfd", "no_timestamp"],
                "Whether the label with the time of the labelling is left out. Helm's charts from 0.15.0 on pass over `gfd.noTimestamp` and read `noTimestamp` at the top; this attribute always counts.",
            ),
            text(
                &["gfd", "sleep_interval"],
                "Time between two labellings, as a Go duration. GPU feature discovery's default: `60s`. Helm's charts from 0.15.0 on pass over `gfd.sleepInterval` and read `sleepInterval` at the top; this attribute always counts.",
            ),
            flag(&["gfd", "enable_host_network"], "Whether its pods use the host's network. Default: `false`."),
            kubernetes::security_context(
                "security_context",
                "Security context of its container, laid over the chart's `{ privileged = true }`. `{}`: what the MIG strategy needs, as for the plugin.",
            ),
        ],
        "GPU feature discovery. Default: off.",
    )
}

/// The attributes, in the order in which the docs name them.
pub(in crate::device_plugin_release) fn attributes() -> Vec<Attribute> {
    vec![
        text(&["runtime_class_name"], "Runtime class of the pods, such as `nvidia`; on Talos the plugin needs one unless `nvidia` is containerd's default runtime. Default: none."),
        Attribute::nested("image", Mode::Optional, Nesting::Single, vec![
            text(&["image", "repository"], "Default: `nvcr.io/nvidia/k8s-device-plugin`."),
            text(&["image", "pull_policy"], "`Always`, `IfNotPresent` (default) or `Never`; of the main containers.").validate(validators::one_of(&["Always", "IfNotPresent", "Never"])),
            text(&["image", "tag"], "Default: `v` and the chart's version. A newer plugin than the newest known chart is had by this tag."),
        ]).describe("Image of the pods."),
        Attribute::nested("image_pull_secrets", Mode::Optional, Nesting::List, vec![
            Attribute::required("name", Type::String).describe("Name of a secret in the release's namespace.").validate(whole_text()),
        ]).describe("Secrets to pull the image with. Default: none."),
        config(),
        time_slicing(),
        mps(),
        text(&["mig_strategy"], "How MIG devices are offered: `none`, `single` or `mixed`. Unset: the plugin's default, `none`; up to 0.15.1 an unset strategy gives the plugin `SYS_ADMIN` and all MIG monitors, as if it were on.").validate(validators::one_of(&["none", "single", "mixed"])),
        text(&["device_list_strategy"], "How containers learn of their devices: `envvar` (the plugin's default), `volume-mounts`, `cdi-annotations`, `cdi-cri`, or several with commas. What the plugin itself takes depends on its version.").validate(device_lists()),
        text(&["device_id_strategy"], "How devices are named to containers: `uuid` (the plugin's default) or `index`.").validate(validators::one_of(&["uuid", "index"])),
        text(&["device_discovery_strategy"], "How devices are found, such as `auto` (the plugin's default), `nvml` or `tegra`."),
        flag(&["fail_on_init_error"], "Whether the plugin ends when it finds no driver, and not waits for ever. The plugin's default: `true`. Quoted in every version, where the charts 0.16.0 to 0.17.0 render what the API refuses."),
        flag(&["compat_with_cpu_manager"], "Whether device nodes are passed so that the CPU manager's updates leave them; the plugin is then privileged. Default: `false`."),
        flag(&["gdrcopy_enabled"], "Whether containers that ask for a GPU get GDRCopy's device."),
        flag(&["gds_enabled"], "Whether containers that ask for a GPU get the devices of GPUDirect Storage."),
        flag(&["mofed_enabled"], "Whether containers that ask for a GPU get the devices of Mellanox OFED."),
        text(&["nvidia_driver_root"], "Root of the driver's files on the nodes; Talos has them under `/usr/local`, which the container toolkit knows by itself. Default: none, which is `/`."),
        text(&["nvidia_dev_root"], "Root of the device nodes, where it differs from the driver's. Not in the chart's documented values."),
        single("cdi", vec![
            text(&["cdi", "nvidia_hook_path"], "Path of `nvidia-cdi-hook` or `nvidia-ctk` on the nodes, written into the CDI specification."),
            text(&["cdi", "feature_flags"], "Feature flags of the CDI specification's generator, with commas."),
        ], "Container Device Interface, for the strategies `cdi-annotations` and `cdi-cri`."),
        gfd(),
        single("device_plugin", vec![
            flag(&["device_plugin", "enabled"], "Whether the plugin and the MPS control daemon run. Default: `true`."),
            flag(&["device_plugin", "enable_host_network"], "Whether the plugin's pods use the host's network. Default: `false`."),
        ], "The plugin's own DaemonSet."),
        map(&["node_selector"], "Labels that a node must have. Default: none.").validate(object_rules::labels("Invalid node selector")),
        kubernetes::affinity(),
        kubernetes::tolerations(),
        Attribute::optional("priority_class_name", Type::String).describe("Priority class of the pods. Default: `system-node-critical`. An empty string: none."),
        kubernetes::resources(),
        map(&["pod_annotations"], "Annotations of the pods. With configuration files the release adds `checksum/config`, unless it is given here.").validate(object_rules::annotations()),
        kubernetes::pod_security_context(),
        kubernetes::security_context("security_context", "Security context of the plugin's container. Unset: what MIG, `device_list_strategy` and `compat_with_cpu_manager` need."),
        kubernetes::update_strategy(),
        text(&["name_override"], "Name of the chart in object names and labels. Default: `nvidia-device-plugin`. A change replaces the DaemonSets.").validate(name_like()),
        text(&["fullname_override"], "Name of the objects. Default: the release's name, with the chart's name behind it unless it holds it. Cut at 63 characters.").validate(name_like()),
        text(&["namespace_override"], "Namespace of the objects, where it is not the release's. It must exist.").validate(name_like()),
        map(&["selector_labels_override"], "Labels that the DaemonSets find their pods by, in place of the chart's. A change replaces the DaemonSets.").validate(object_rules::labels("Invalid label")),
        flag(&["allow_default_namespace"], "Whether the release may be in the namespace `default`, which the chart refuses. Default: `false`."),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_annotations_are_refused_on_their_entries() {
        let given = Value::map([("a", Value::from("1")), ("b c", "1".into()), ("d", "-".into())]);
        for (name, refused) in [
            ("node_selector", vec!["node_selector[\"b c\"]", "node_selector[\"d\"]"]),
            ("selector_labels_override", vec!["selector_labels_override[\"b c\"]", "selector_labels_override[\"d\"]"]),
            ("pod_annotations", vec!["pod_annotations[\"b c\"]"]),
        ] {
            let attribute = attributes().into_iter().find(|attribute| attribute.name == name).unwrap();
            let mut diagnostics = Diagnostics::new();
            for validator in &attribute.validators {
                (validator.check)(&given, &Path::attribute(name), &mut diagnostics);
            }
            assert_eq!(diagnostics.iter().map(|d| d.path.to_string()).collect::<Vec<_>>(), refused);
        }
    }
}
