//! The attributes of `nvidia_runtime_class`, each defined once.

use std::{sync::Arc, time::Duration};

use kubernetes::{Quantity, Toleration, names, toleration::Part};
use plugin::{
    Attribute, Diagnostics, Field, Mode, Nesting, Path, Schema, Timeouts, Type, Validator, Value, validators,
};

use super::model;
use crate::object_rules::{self, capital};

/// Deadlines where the configuration names none.
pub(super) const TIMEOUTS: Timeouts = Timeouts {
    create: Duration::from_secs(120),
    read: Duration::from_secs(30),
    update: Duration::from_secs(120),
    delete: Duration::from_secs(120),
};

fn text() -> Type {
    Type::String
}

fn texts() -> Type {
    Type::map(Type::String)
}

pub(super) fn schema() -> Schema {
    Schema {
        version: 0,
        description: "The RuntimeClass by which pods ask for the NVIDIA runtime (`runtimeClassName: nvidia`), applied server-side: its own fields are kept as configured, and labels, annotations and anything else that others add are left alone. What differs on the cluster shows in the plan on the attribute that it concerns.\n\nUp to Talos 1.12 the guide makes this object by hand. From Talos 1.13 on the NVIDIA container toolkit works through CDI and the guide removes it: the plan warns where nodes run such a version.".into(),
        attributes: vec![
            Attribute::optional("name", text())
                .default_to("nvidia")
                .replaces()
                .describe("Name of the RuntimeClass, which pods name as `runtimeClassName`. Default `nvidia`. A change replaces the resource.")
                .validate(validators::text("a DNS subdomain", "Invalid name", names::subdomain)),
            Attribute::optional("handler", text())
                .default_to("nvidia")
                .replaces()
                .describe("Name of the runtime in the node's containerd configuration. Default `nvidia`, which is what the NVIDIA container toolkit extension calls it. Kubernetes does not let it be changed, so a change replaces the resource.")
                .validate(validators::text("a DNS label", "Invalid handler", names::label)),
            Attribute::optional("labels", texts())
                .describe("Labels. Those that others put on the object are left alone.")
                .validate(object_rules::labels("Invalid label")),
            Attribute::optional("annotations", texts())
                .describe("Annotations. Those that others put on the object are left alone.")
                .validate(object_rules::annotations()),
            Attribute::optional("pod_overhead", texts())
                .describe("What a pod of this class uses beside its containers, by resource (`cpu`, `memory`), as Kubernetes quantities: `250m`, `120Mi`. The scheduler and quotas count it. Two ways to write the same amount are no difference: the state keeps the one that it has.")
                .validate(object_rules::each("resources and quantities", "Invalid overhead", overhead)),
            Attribute::nested("scheduling", Mode::Optional, Nesting::Single, scheduling())
                .describe("Where pods of this class run: both are added to the pod's own. Without it they run on any node, on those without the runtime too."),
            Timeouts::attribute(TIMEOUTS),
            Attribute::computed("id", text()).describe("The name."),
            Attribute::computed("uid", text())
                .describe("What tells this object from another one that had its name before. A destroy deletes only the object with this uid."),
        ],
    }
}

fn scheduling() -> Vec<Attribute> {
    let toleration = vec![
        Attribute::optional("key", text()).describe("Key of the taint. Unset: every taint, with operator `Exists`."),
        Attribute::optional("operator", text()).describe("`Equal` (Kubernetes' default) or `Exists`."),
        Attribute::optional("value", text()).describe("Value of the taint, with operator `Equal`."),
        Attribute::optional("effect", text())
            .describe("`NoSchedule`, `PreferNoSchedule` or `NoExecute`. Unset: every effect."),
        Attribute::optional("toleration_seconds", Type::Number).describe(
            "How long a pod stays on a node that gets such a taint, with effect `NoExecute`. Unset: for good.",
        ),
    ];
    vec![
        Attribute::optional("node_selector", texts())
            .describe("Labels that a node must have, such as `nvidia.com/gpu.present = \"true\"`.")
            .validate(object_rules::labels("Invalid node selector")),
        Attribute::nested("tolerations", Mode::Optional, Nesting::List, toleration)
            .describe("Taints that pods of this class tolerate.")
            .validate(Validator {
                rule: "the rules of Kubernetes, each toleration once".into(),
                check: Arc::new(tolerations),
            }),
    ]
}

fn overhead(resource: &str, amount: &str) -> Result<(), String> {
    names::container_resource(resource)?;
    if amount.is_empty() {
        return Err("the amount is empty. Write a quantity such as \"120Mi\".".to_owned());
    }
    let quantity: Quantity = amount.parse().map_err(|why: kubernetes::quantity::NotAQuantity| why.to_string())?;
    if quantity.is_negative() {
        Err(format!("\"{amount}\" is negative."))
    } else if names::is_counted(resource) && !quantity.is_whole() {
        Err(format!("\"{amount}\" is not a whole number, and {resource} is counted in whole numbers."))
    } else {
        Ok(())
    }
}

fn tolerations(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    let Field::Known(items) = value.items() else { return };
    let mut seen: Vec<Toleration> = Vec::new();
    for (index, item) in items.iter().enumerate().filter(|(_, item)| item.is_wholly_known()) {
        let at = path.index(index);
        let toleration = model::toleration(item);
        for (part, why) in toleration.problems() {
            diagnostics.error(at.then(attribute_of(part)), "Invalid toleration", capital(&why));
        }
        if !item.get("toleration_seconds").is_null() && toleration.toleration_seconds.is_none() {
            diagnostics.error(
                at.then("toleration_seconds"),
                "Invalid toleration",
                "It must be a whole number of seconds.",
            );
        }
        if seen.iter().any(|other| other.same(&toleration)) {
            diagnostics.error(
                at.clone(),
                "Toleration named twice",
                "The list has it already. Kubernetes takes each toleration of a RuntimeClass once.",
            );
        }
        seen.push(toleration);
    }
}

const fn attribute_of(part: Part) -> &'static str {
    match part {
        Part::Key => "key",
        Part::Operator => "operator",
        Part::Value => "value",
        Part::Effect => "effect",
        Part::Seconds => "toleration_seconds",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(names: &[&str], value: &Value) -> Vec<String> {
        let mut attributes = schema().attributes;
        let mut path = Path::root();
        for name in names {
            let found = attributes.into_iter().find(|a| a.name == *name).unwrap();
            path = path.then(*name);
            let mut diagnostics = Diagnostics::new();
            for validator in &found.validators {
                (validator.check)(value, &path, &mut diagnostics);
            }
            match found.kind {
                plugin::Kind::Nested(_, nested) if names.last() != Some(name) => attributes = nested,
                _ => return diagnostics.iter().map(|d| d.path.to_string()).collect(),
            }
        }
        Vec::new()
    }

    #[test]
    fn bad_names_are_refused() {
        for name in ["name", "handler"] {
            assert_eq!(problems(&[name], &"Nvidia".into()), [name]);
            assert_eq!(problems(&[name], &"".into()), [name]);
            assert!(problems(&[name], &"nvidia-cdi".into()).is_empty());
        }
        assert!(problems(&["name"], &"a.b".into()).is_empty());
        assert_eq!(problems(&["handler"], &"a.b".into()), ["handler"]);
    }

    #[test]
    fn bad_entries_are_refused_where_they_stand() {
        let map = Value::map([("a", Value::from("1")), ("b c", "1".into()), ("d", "-".into()), ("e", Value::Null)]);
        assert_eq!(problems(&["labels"], &map), ["labels[\"b c\"]", "labels[\"d\"]", "labels[\"e\"]"]);
        assert_eq!(problems(&["annotations"], &map), ["annotations[\"b c\"]", "annotations[\"e\"]"]);
        let long = Value::map([("a", Value::from("x".repeat(names::ANNOTATIONS_LIMIT)))]);
        assert_eq!(problems(&["annotations"], &long), ["annotations"]);
        let overhead = Value::map([
            ("cpu", Value::from("250m")),
            ("memory", "-1Mi".into()),
            ("gpu", "1".into()),
            ("nvidia.com/gpu", "0.5".into()),
            ("ephemeral-storage", "1 Gi".into()),
        ]);
        assert_eq!(
            problems(&["pod_overhead"], &overhead),
            [
                "pod_overhead[\"ephemeral-storage\"]",
                "pod_overhead[\"gpu\"]",
                "pod_overhead[\"memory\"]",
                "pod_overhead[\"nvidia.com/gpu\"]"
            ]
        );
    }

    #[test]
    fn unknown_values_are_passed_over() {
        let map = Value::map([("a", Value::unknown()), ("b c", Value::unknown())]);
        assert_eq!(problems(&["labels"], &map), ["labels[\"b c\"]"]);
        assert!(problems(&["pod_overhead"], &Value::map([("cpu", Value::unknown())])).is_empty());
    }

    #[test]
    fn tolerations_keep_the_rules_of_kubernetes() {
        let one = |key: &str, operator: &str, seconds: Option<i64>| {
            Value::object([
                ("key", Value::from(key)),
                ("operator", operator.into()),
                ("value", Value::Null),
                ("effect", Value::Null),
                ("toleration_seconds", seconds.into()),
            ])
        };
        let list = Value::List(vec![
            one("a", "Exists", None),
            one("a", "Exists", None),
            one("b", "In", None),
            one("c", "Exists", Some(5)),
        ]);
        assert_eq!(
            problems(&["scheduling", "tolerations"], &list),
            [
                "scheduling.tolerations[1]",
                "scheduling.tolerations[2].operator",
                "scheduling.tolerations[3].toleration_seconds"
            ]
        );
    }
}
