//! Attributes that stand for parts of Kubernetes objects: their names are Kubernetes' own in snake case.

use plugin::{Attribute, Diagnostics, Field, Mode, Nesting, Path, Type, Validator, Value, validators};

fn text(name: &'static str, describe: &str) -> Attribute {
    Attribute::optional(name, Type::String).describe(describe)
}

fn number(name: &'static str, describe: &str) -> Attribute {
    Attribute::optional(name, Type::Number).describe(describe).validate(whole_number())
}

fn whole_number() -> Validator {
    Validator {
        rule: "a whole number, 0 or more".into(),
        check: std::sync::Arc::new(|value: &Value, path: &Path, diagnostics: &mut Diagnostics| {
            if !matches!(value.integer(), Field::Known(0..) | Field::Unknown) {
                diagnostics.error(path.clone(), "Invalid number", "Write a whole number, 0 or more.");
            }
        }),
    }
}

/// The API server answers what is none as a fault of its own, which is tried again to the deadline.
fn quantities() -> Validator {
    Validator {
        rule: "quantities".into(),
        check: std::sync::Arc::new(|value: &Value, path: &Path, diagnostics: &mut Diagnostics| {
            for (name, quantity) in value.entries().known().into_iter().flatten() {
                if let Field::Known(Err(not)) = quantity.string().map(str::parse::<kubernetes::Quantity>) {
                    diagnostics.error(path.key(name.as_str()), "Invalid quantity", not.to_string());
                }
            }
        }),
    }
}

fn number_or_share() -> Validator {
    validators::text("a number or a percentage", "Invalid value", |given| {
        match given.strip_suffix('%').unwrap_or(given).parse::<u32>() {
            Ok(_) => Ok(()),
            Err(_) => Err(format!("\"{given}\" is no number of pods and no share of them. Write \"2\" or \"10%\".")),
        }
    })
}

fn flag(name: &'static str, describe: &str) -> Attribute {
    Attribute::optional(name, Type::Bool).describe(describe)
}

fn texts(name: &'static str, describe: &str) -> Attribute {
    Attribute::optional(name, Type::List(Box::new(Type::String))).describe(describe)
}

fn map(name: &'static str, describe: &str) -> Attribute {
    Attribute::optional(name, Type::Map(Box::new(Type::String))).describe(describe)
}

fn single(name: &'static str, attributes: Vec<Attribute>, describe: &str) -> Attribute {
    Attribute::nested(name, Mode::Optional, Nesting::Single, attributes).describe(describe)
}

fn list(name: &'static str, attributes: Vec<Attribute>, describe: &str) -> Attribute {
    Attribute::nested(name, Mode::Optional, Nesting::List, attributes).describe(describe)
}

/// `resources` of the containers.
pub(super) fn resources() -> Attribute {
    single(
        "resources",
        vec![
            map("limits", "Most that a container may use, as quantities: `{ cpu = \"100m\", memory = \"128Mi\" }`.")
                .validate(quantities()),
            map("requests", "What a container is promised, as quantities.").validate(quantities()),
        ],
        "Resources of the main containers, and of the init container of the MPS control daemon. Default: none.",
    )
}

/// `update_strategy` of the DaemonSets.
pub(super) fn update_strategy() -> Attribute {
    single(
        "update_strategy",
        vec![
            text("type", "`RollingUpdate` (default) or `OnDelete`.")
                .validate(validators::one_of(&["RollingUpdate", "OnDelete"])),
            single(
                "rolling_update",
                vec![
                    text(
                        "max_unavailable",
                        "Pods that may be away during an update, a number or a percentage. Kubernetes' default is 1.",
                    ).validate(number_or_share()),
                    text(
                        "max_surge",
                        "Nodes that may run an old and a new pod at a time, a number or a percentage. Kubernetes' default is 0; another needs `max_unavailable = \"0\"`.",
                    ).validate(number_or_share()),
                ],
                "Pace of a `RollingUpdate`.",
            ),
        ],
        "How pods follow a change of their DaemonSet. Default: `{ type = \"RollingUpdate\" }`.",
    )
}

/// `tolerations` of the pods.
pub(super) fn tolerations() -> Attribute {
    list(
        "tolerations",
        vec![
            text("key", "Key of the taint; unset with `operator = \"Exists\"`: every key."),
            text("operator", "`Equal` (Kubernetes' default) or `Exists`.")
                .validate(validators::one_of(&["Equal", "Exists"])),
            text("value", "Value of the taint, with `Equal`."),
            text("effect", "`NoSchedule`, `PreferNoSchedule` or `NoExecute`; unset: every effect.")
                .validate(validators::one_of(&["NoSchedule", "PreferNoSchedule", "NoExecute"])),
            number(
                "toleration_seconds",
                "Seconds that a pod stays on a node with a `NoExecute` taint; unset: for ever.",
            ),
        ],
        "Taints that the pods tolerate, in place of the default list: `CriticalAddonsOnly`, and `nvidia.com/gpu` with `NoSchedule`. An empty list: none.",
    )
}

fn profiles() -> Vec<Attribute> {
    vec![
        single(
            "seccomp_profile",
            vec![
                text("type", "`RuntimeDefault`, `Localhost` or `Unconfined`."),
                text("localhost_profile", "Path of a profile on the node, with `Localhost`."),
            ],
            "Seccomp profile.",
        ),
        single(
            "app_armor_profile",
            vec![
                text("type", "`RuntimeDefault`, `Localhost` or `Unconfined`."),
                text("localhost_profile", "Name of a profile on the node, with `Localhost`."),
            ],
            "AppArmor profile. Kubernetes 1.30 and newer.",
        ),
        single(
            "se_linux_options",
            vec![
                text("level", "SELinux level."),
                text("role", "SELinux role."),
                text("type", "SELinux type."),
                text("user", "SELinux user."),
            ],
            "SELinux context.",
        ),
    ]
}

fn ids() -> Vec<Attribute> {
    vec![
        number("run_as_user", "User id of the processes."),
        number("run_as_group", "Group id of the processes."),
        flag("run_as_non_root", "Whether a process of user 0 is refused."),
    ]
}

/// `pod_security_context`.
pub(super) fn pod_security_context() -> Attribute {
    let mut attributes = ids();
    attributes.extend([
        number("fs_group", "Group that owns the volumes."),
        text("fs_group_change_policy", "`Always` or `OnRootMismatch`.")
            .validate(validators::one_of(&["Always", "OnRootMismatch"])),
        Attribute::optional("supplemental_groups", Type::List(Box::new(Type::Number)))
            .describe("More groups of the processes."),
        text("supplemental_groups_policy", "`Merge` or `Strict`.").validate(validators::one_of(&["Merge", "Strict"])),
        list(
            "sysctls",
            vec![
                Attribute::required("name", Type::String).describe("Name of the kernel parameter."),
                Attribute::required("value", Type::String).describe("Its value."),
            ],
            "Kernel parameters of the pod's namespaces.",
        ),
    ]);
    attributes.extend(profiles());
    single("pod_security_context", attributes, "Security context of the pods. Default: empty.")
}

/// A container's security context under `name`.
pub(super) fn security_context(name: &'static str, describe: &str) -> Attribute {
    let mut attributes = vec![
        flag("privileged", "Whether the container has the node's rights."),
        flag("allow_privilege_escalation", "Whether a process may gain more rights than its parent."),
        flag("read_only_root_filesystem", "Whether the container's own file system is read-only."),
        text("proc_mount", "`Default` or `Unmasked`.").validate(validators::one_of(&["Default", "Unmasked"])),
        single(
            "capabilities",
            vec![texts("add", "Capabilities to add."), texts("drop", "Capabilities to drop.")],
            "Linux capabilities.",
        ),
    ];
    attributes.extend(ids());
    attributes.extend(profiles());
    single(name, attributes, describe)
}

fn requirements(name: &'static str, describe: &str) -> Attribute {
    list(
        name,
        vec![
            Attribute::required("key", Type::String).describe("Key of the label or field."),
            Attribute::required("operator", Type::String)
                .describe("`In`, `NotIn`, `Exists`, `DoesNotExist`, and for nodes `Gt` and `Lt`.")
                .validate(validators::one_of(&["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"])),
            texts("values", "Values to compare with; none with `Exists` and `DoesNotExist`."),
        ],
        describe,
    )
}

fn node_term() -> Vec<Attribute> {
    vec![
        requirements("match_expressions", "What the node's labels must say."),
        requirements("match_fields", "What the node's fields must say; only `metadata.name`."),
    ]
}

fn label_selector(name: &'static str, describe: &str) -> Attribute {
    single(
        name,
        vec![
            map("match_labels", "Labels that must be there."),
            requirements("match_expressions", "What labels must say."),
        ],
        describe,
    )
}

fn pod_term() -> Vec<Attribute> {
    vec![
        Attribute::required("topology_key", Type::String)
            .describe("Label of nodes; nodes with the same value are one place."),
        label_selector("label_selector", "The pods that are looked for."),
        label_selector("namespace_selector", "Namespaces to look in."),
        texts("namespaces", "Namespaces to look in, by name. Unset, with no selector: the pod's own."),
        texts("match_label_keys", "Labels of the new pod that must be the same on the others."),
        texts("mismatch_label_keys", "Labels of the new pod that must differ on the others."),
    ]
}

fn weight() -> Attribute {
    Attribute::required("weight", Type::Number).describe("1 to 100.").validate(whole_number())
}

fn pod_rules(name: &'static str, describe: &str) -> Attribute {
    let weighted = vec![
        weight(),
        Attribute::nested("pod_affinity_term", Mode::Required, Nesting::Single, pod_term()).describe("The wish."),
    ];
    single(
        name,
        vec![
            list("required_during_scheduling_ignored_during_execution", pod_term(), "Rules that must hold."),
            list("preferred_during_scheduling_ignored_during_execution", weighted, "Wishes, by weight."),
        ],
        describe,
    )
}

/// `affinity` of the pods, in three states.
pub(super) fn affinity() -> Attribute {
    let node = single(
        "node_affinity",
        vec![
            single(
                "required_during_scheduling_ignored_during_execution",
                vec![list("node_selector_terms", node_term(), "One of them must hold. They replace the chart's.")],
                "What a node must have.",
            ),
            list(
                "preferred_during_scheduling_ignored_during_execution",
                vec![
                    weight(),
                    Attribute::nested("preference", Mode::Required, Nesting::Single, node_term()).describe("The wish."),
                ],
                "Wishes, by weight.",
            ),
        ],
        "Rules about nodes. Unset: the chart's. `{}`: none.",
    );
    single(
        "affinity",
        vec![
            node,
            pod_rules("pod_affinity", "Places near other pods."),
            pod_rules("pod_anti_affinity", "Places away from other pods."),
        ],
        "Nodes that the pods may run on. Unset: the chart's, which is none up to 0.14.5 and from 0.15.0 on any node with one of the labels `feature.node.kubernetes.io/pci-10de.present=true`, `feature.node.kubernetes.io/cpu-model.vendor_id=NVIDIA` (both set by NFD) or `nvidia.com/gpu.present=true`. `{}`: none. Given: laid over the chart's as Helm does it, so that a part that is not given stays the chart's. Up to 0.14.5 none becomes the newer default where `gfd` is on.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_quantity_is_refused_on_its_key() {
        let found = |quantity: Value| {
            let mut diagnostics = Diagnostics::new();
            let limits = Value::map([("cpu", quantity)]);
            (quantities().check)(&limits, &Path::attribute("limits"), &mut diagnostics);
            diagnostics.iter().map(|d| format!("{}: {}", d.path, d.summary)).collect::<Vec<_>>()
        };
        for good in ["100m", "0.5", "2", "128Mi", "1e3"] {
            assert_eq!(found(Value::from(good)), Vec::<String>::new(), "{good}");
        }
        assert_eq!(found(Value::unknown()), Vec::<String>::new());
        for bad in ["abc", "", "100 m", "128mb"] {
            assert_eq!(found(Value::from(bad)), ["limits[\"cpu\"]: Invalid quantity"], "{bad}");
        }
    }
}
