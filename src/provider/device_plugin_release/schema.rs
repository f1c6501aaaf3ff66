//! The attributes of `nvidia_device_plugin_release`, each defined once.

pub(super) mod chart;
mod kubernetes;

use std::time::Duration;

use plugin::{Attribute, Schema, Timeouts, Type, Validator, Value, validators};

use super::versions;

/// Deadlines where the configuration names none.
pub(super) const TIMEOUTS: Timeouts = Timeouts {
    create: Duration::from_secs(600),
    read: Duration::from_secs(60),
    update: Duration::from_secs(600),
    delete: Duration::from_secs(600),
};

const DEFAULT_NAME: &str = "nvidia-device-plugin";

pub(super) fn schema() -> Schema {
    let mut attributes = release();
    attributes.extend(chart::attributes());
    attributes.extend(engine());
    Schema {
        version: 0,
        description: "A release of NVIDIA's device plugin for Kubernetes, as `helm install` makes it, without helm and without a network at plan: typed values, a plan by object, drift, and a release record that `helm list`, `history`, `rollback` and `uninstall` work with.".into(),
        attributes,
    }
}

/// Which release it is.
fn release() -> Vec<Attribute> {
    let range = versions::known_range();
    vec![
        Attribute::optional("name", Type::String)
            .default_to(DEFAULT_NAME)
            .replaces()
            .describe(format!("Name of the release. Default: `{DEFAULT_NAME}`. A change replaces the resource."))
            .validate(validators::text("1 to 53 lower-case letters, digits and `-`", "Invalid release name", |given| {
                chart::dns_label(given, 53)
            })),
        Attribute::optional("namespace", Type::String)
            .default_to(DEFAULT_NAME)
            .replaces()
            .describe(format!(
                "Namespace of the release. Default: `{DEFAULT_NAME}`. `default` is refused unless `allow_default_namespace` is set, as by the chart. A change replaces the resource."
            ))
            .validate(validators::text("1 to 63 lower-case letters, digits and `-`", "Invalid namespace", |given| {
                chart::dns_label(given, 63)
            })),
        Attribute::optional("create_namespace", Type::Bool).default_to(true).describe(
            "Whether the namespace is made where it is missing, with the label `pod-security.kubernetes.io/enforce=privileged`, without which Talos refuses the pods. Default: `true`. Destroy deletes it only if this resource made it and it is empty.",
        ),
        Attribute::required("version", Type::String).describe(format!(
            "Version of the chart: one of those published from {range}. For a newer plugin, set `image.tag` with the newest known version."
        )),
    ]
}

/// How it is carried out, and what is known of it.
fn engine() -> Vec<Attribute> {
    vec![
        Attribute::optional("helm_release_record", Type::Bool).default_to(true).describe(
            "Whether a Helm release record (a Secret in the release's namespace) is written, so that helm knows the release. `false` where RBAC allows no secrets; then nothing keeps two states apart that create one release at the same time. Default: `true`.",
        ),
        Attribute::optional("wait_for", Type::String)
            .default_to("pods")
            .validate(validators::one_of(&["none", "pods", "gpus"]))
            .describe("What an apply waits for: `pods` (default): the DaemonSets are rolled out; `gpus`: and then `min_ready_nodes` nodes offer `nvidia.com/gpu`; `none`."),
        Attribute::optional("min_ready_nodes", Type::Number)
            .default_to(1_i64)
            .validate(Validator { rule: "0 or more".into(), check: std::sync::Arc::new(not_negative) })
            .describe("Nodes on which the plugin must be ready. Default: `1`, since a DaemonSet that no node matches is rolled out too. `0`: none is asked for."),
        Timeouts::attribute(TIMEOUTS),
        Attribute::computed("id", Type::String).describe("`<namespace>/<name>`."),
        Attribute::computed("revision", Type::Number).describe("Revision of the release record; null without one."),
        Attribute::computed("app_version", Type::String).describe("Version of the plugin that the chart brings."),
        Attribute::computed("manifest", Type::Map(Box::new(Type::String)))
            .describe("The objects of the release: `Kind/namespace/name` to the JSON of the fields that the release sets. A field that was changed in the cluster shows here."),
    ]
}

fn not_negative(value: &Value, path: &plugin::Path, diagnostics: &mut plugin::Diagnostics) {
    if !matches!(value.integer(), plugin::Field::Known(0..) | plugin::Field::Unknown) {
        diagnostics.error(path.clone(), "Invalid number of nodes", "Write a whole number, 0 or more.");
    }
}

#[cfg(test)]
mod tests {
    use plugin::{Attribute, Kind};

    use super::*;

    #[test]
    fn terraform_takes_the_schema() {
        assert_eq!(schema().problems(), Vec::<String>::new());
    }

    fn undescribed(attributes: &[Attribute], at: &str, into: &mut Vec<String>) {
        for attribute in attributes {
            let path = format!("{at}{}", attribute.name);
            if !attribute.description.ends_with(['.', ')']) {
                into.push(path.clone());
            }
            if let Kind::Nested(_, inner) = &attribute.kind {
                undescribed(inner, &format!("{path}."), into);
            }
        }
    }

    #[test]
    fn every_attribute_is_described_in_sentences() {
        let mut found = Vec::new();
        undescribed(&schema().attributes, "", &mut found);
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn what_some_versions_lack_is_an_attribute_and_says_which_have_it() {
        for (path, wanted) in chart::LIMITED {
            let mut attributes = schema().attributes;
            let mut described = String::new();
            for name in path {
                let attribute = attributes.into_iter().find(|a| a.name == *name).unwrap_or_else(|| panic!("{path:?}"));
                described = attribute.description;
                attributes = match attribute.kind {
                    Kind::Nested(_, inner) => inner,
                    Kind::Plain(_) => Vec::new(),
                };
            }
            assert!(described.ends_with(&format!("Chart versions {}.", versions::versions_with(wanted))), "{path:?}");
        }
    }
}
