//! The attributes of `nvidia_smoke_test`, each defined once.

use std::{sync::Arc, time::Duration};

use kubernetes::{
    names,
    toleration::{Part, Toleration},
};
use plugin::{
    Attribute, Diagnostics, Field, Kind, Mode, Nesting, Path, Schema, Timeouts, Type, Validator, Value, validators,
};

/// Deadlines where the configuration names none. Nothing is read or updated.
pub(super) const TIMEOUTS: Timeouts = Timeouts {
    create: Duration::from_secs(600),
    read: Duration::from_secs(60),
    update: Duration::from_secs(60),
    delete: Duration::from_secs(120),
};

/// The image of the guide (Talos's "NVIDIA GPU" pages, 1.8 to 1.12).
pub(super) const IMAGE: &str = "nvcr.io/nvidia/cuda:12.5.0-base-ubuntu22.04";

/// `nobody` of Debian and Ubuntu. Any user may ask the driver: its device files can be read and written by all.
const NOBODY: i64 = 65534;

/// More GPUs than a node can have.
const MOST_GPUS: i64 = 1024;

/// The attributes that say what is tested: another value is another test.
pub(super) const INPUTS: [&str; 11] = [
    "name",
    "namespace",
    "image",
    "command",
    "runtime_class_name",
    "node_name",
    "node_selector",
    "tolerations",
    "gpus",
    "run_as_user",
    "triggers",
];

/// The attributes that a run fills in.
pub(super) const RESULTS: [&str; 6] = ["output", "driver_version", "cuda_version", "detected_gpus", "node", "duration"];

fn text() -> Type {
    Type::String
}

fn rule(words: &str, check: fn(&Value, &Path, &mut Diagnostics)) -> Validator {
    Validator { rule: words.to_owned(), check: Arc::new(check) }
}

pub(super) fn schema() -> Schema {
    let toleration = vec![
        Attribute::optional("key", text())
            .describe("Key of the taint. Unset with `operator = \"Exists\"`: every taint."),
        Attribute::optional("operator", text()).describe("`Equal` (where unset) or `Exists`."),
        Attribute::optional("value", text()).describe("Value of the taint, with `Equal`."),
        Attribute::optional("effect", text())
            .describe("`NoSchedule`, `PreferNoSchedule` or `NoExecute`. Unset: all of them."),
        Attribute::optional("toleration_seconds", Type::Number)
            .describe("How long the pod stays on a node that gets the taint, with `NoExecute`."),
    ];
    let mut attributes = vec![
        Attribute::optional("name", text())
            .default_to("nvidia-smoke-test")
            .describe("Name of the pod. Default: `nvidia-smoke-test`. Tests of one name in one apply run one after another.")
            .validate(validators::text("a DNS subdomain", "Invalid pod name", names::subdomain)),
        Attribute::optional("namespace", text())
            .default_to("default")
            .describe("Namespace of the pod, which must exist. Default: `default`. The pod satisfies the pod security standard `restricted` unless `run_as_user` is 0.")
            .validate(validators::text("a DNS label", "Invalid namespace", names::label)),
        Attribute::optional("image", text())
            .default_to(IMAGE)
            .describe(format!("Image of the container. Default: the guide's, `{IMAGE}`. nvidia-smi is not part of an image: NVIDIA's runtime puts the driver's own into the container."))
            .validate(validators::text("without blanks", "Invalid image", image)),
        Attribute { default: Some(Value::List(vec![Value::from("nvidia-smi")])), ..Attribute::optional_computed("command", Type::list(text())) }
            .describe("What the container runs, in place of the image's entry point. Default: `[\"nvidia-smi\"]`. It must end by itself; the test has passed when it ends with 0.")
            .validate(rule("at least a program", command)),
        Attribute::optional("runtime_class_name", text())
            .default_to("nvidia")
            .describe("RuntimeClass of the pod. Default: `nvidia`. An empty string: none, for nodes where NVIDIA's runtime is the default or GPUs come by CDI.")
            .validate(validators::text("a DNS subdomain, or empty", "Invalid runtime class", |given| {
                if given.is_empty() { Ok(()) } else { names::subdomain(given) }
            })),
        Attribute::optional("node_name", text())
            .describe("Node to test. The scheduler is asked for it, so that it says when the node has no GPU free.")
            .validate(validators::text("a DNS subdomain", "Invalid node name", names::subdomain)),
        Attribute::optional("node_selector", Type::map(text()))
            .describe("Labels that the node has, in place of `node_name`.")
            .validate(rule("keys and values of labels", node_selector)),
        Attribute::nested("tolerations", Mode::Optional, Nesting::List, toleration)
            .describe("Taints that the pod tolerates, beside `nvidia.com/gpu`, which it always does: that taint keeps away what needs no GPU.")
            .validate(rule("as the API takes them", tolerations)),
        Attribute::optional("gpus", Type::Number)
            .default_to(1)
            .describe("GPUs to ask for: the limit `nvidia.com/gpu`. Default: 1, so that the device plugin is tested too. `0`: no limit, as in the guide, which tests the driver and the runtime alone.")
            .validate(rule("a whole number from 0 to 1024", gpus)),
        Attribute::optional("run_as_user", Type::Number)
            .default_to(NOBODY)
            .describe("User id of the container. Default: 65534 (`nobody`), which is enough to ask the driver. `0` is root, which the pod security standard `restricted` does not let in.")
            .validate(rule("a whole number from 0 to 2147483647", run_as_user)),
        Attribute::optional("triggers", Type::map(text()))
            .describe("Any values. The test runs again when one of them changes, such as a node's `talos_version` or a release's `version`."),
    ];
    for attribute in &mut attributes {
        attribute.replaces = true;
    }
    attributes.push(timeouts());
    attributes.extend([
        Attribute::computed("id", text()).describe("`namespace/name`."),
        Attribute::computed("output", text()).describe("What the container printed: the last 64 KiB of it."),
        Attribute::computed("driver_version", text())
            .describe("Version of the driver, where the output is nvidia-smi's (its table, `-L` or `-q`)."),
        Attribute::computed("cuda_version", text())
            .describe("The newest CUDA version that the driver serves, where nvidia-smi tells it."),
        Attribute::computed("detected_gpus", Type::list(text())).describe(
            "Products of the GPUs that nvidia-smi listed, in its order. Null where the output is not nvidia-smi's.",
        ),
        Attribute::computed("node", text()).describe("Name of the node that the pod ran on."),
        Attribute::computed("duration", text())
            .describe("How long the test took, from making the pod to its end, such as `12s`."),
    ]);
    Schema {
        version: 0,
        description: "Runs nvidia-smi in a pod, to its end, as a step of the apply: what the guide ends with. When it fails, the apply does, and says why: with the reason in words where it is a known one, the pod's state, its events and its log. Nothing is then in the state, so the next apply tests again.\n\nThe pod is deleted in every ending: success, failure, timeout, Ctrl-C. A pod that a killed run has left behind is known by its labels; once its run gives no sign of life for ten seconds, the next test of that name takes its place. A pod of that name that no smoke test has made is never touched.\n\nA test that has passed stays as it is until one of its arguments changes: use `triggers` to run it again.\n\nNeeds the rights to `create`, `get`, `list`, `watch`, `patch` and `delete` pods, to `get` their log (`pods/log`) and to `list` events, all in the namespace; to `list` nodes is only needed to say which of them have GPUs.".into(),
        attributes,
    }
}

/// Only what is waited for: there is nothing to read, and an update changes nothing outside of the state.
fn timeouts() -> Attribute {
    let mut attribute = Timeouts::attribute(TIMEOUTS);
    if let Kind::Nested(_, children) = &mut attribute.kind {
        children.retain(|child| matches!(child.name, "create" | "delete"));
    }
    attribute.describe("How long each operation may take. A change of a timeout alone does not run the test again.")
}

fn image(given: &str) -> Result<(), String> {
    if given.is_empty() {
        Err("The image is empty. Name one, such as \"nvcr.io/nvidia/cuda:12.5.0-base-ubuntu22.04\".".to_owned())
    } else if given.chars().any(|c| c.is_whitespace() || c.is_control()) {
        Err(format!("{given:?} has a blank in it, which no image reference can have."))
    } else {
        Ok(())
    }
}

fn command(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    let Field::Known(words) = value.items() else { return };
    if words.is_empty() || words.first().is_some_and(|word| word.string() == Field::Known("")) {
        diagnostics.error(
            path.clone(),
            "Invalid command",
            "The command names no program. Write it as a list, such as [\"nvidia-smi\", \"-L\"].",
        );
    }
    for (index, word) in words.iter().enumerate() {
        if word.is_null() {
            diagnostics.error(path.index(index), "Invalid command", "A word of the command is null. Leave it out.");
        }
    }
}

fn node_selector(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    let Field::Known(entries) = value.entries() else { return };
    for (key, wanted) in entries {
        let key_problem = names::label_key(key).err();
        let value_problem = match wanted.string() {
            Field::Known(text) => names::label_value(text).err(),
            Field::Null => Some("the value is null; leave the label out, or give it a value.".to_owned()),
            Field::Unknown => None,
        };
        for why in key_problem.into_iter().chain(value_problem) {
            diagnostics.error(path.key(key), "Invalid node selector", format!("Label \"{key}\": {why}"));
        }
    }
}

fn tolerations(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    let Field::Known(items) = value.items() else { return };
    for (index, item) in items.iter().enumerate() {
        if !item.is_wholly_known() {
            continue;
        }
        for (part, why) in toleration(item).problems() {
            let name = match part {
                Part::Key => "key",
                Part::Operator => "operator",
                Part::Value => "value",
                Part::Effect => "effect",
                Part::Seconds => "toleration_seconds",
            };
            diagnostics.error(path.index(index).then(name), "Invalid toleration", format!("`{name}`: {why}"));
        }
        let seconds = item.get("toleration_seconds");
        if !seconds.is_null() && seconds.integer().known().is_none() {
            let why = "`toleration_seconds` must be a whole number of seconds.";
            diagnostics.error(path.index(index).then("toleration_seconds"), "Invalid toleration", why);
        }
    }
}

/// A toleration of the configuration.
pub(super) fn toleration(item: &Value) -> Toleration {
    let part = |name: &str| item.get(name).string().known().map(ToOwned::to_owned);
    Toleration {
        key: part("key"),
        operator: part("operator"),
        value: part("value"),
        effect: part("effect"),
        toleration_seconds: item.get("toleration_seconds").integer().known(),
    }
}

fn gpus(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    whole("gpus", MOST_GPUS, value, path, diagnostics);
}

fn run_as_user(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    whole("run_as_user", i64::from(i32::MAX), value, path, diagnostics);
}

fn whole(name: &str, most: i64, value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    let fits = value.integer().known().is_some_and(|number| (0..=most).contains(&number));
    if !fits && !value.is_unknown() {
        diagnostics.error(path.clone(), "Invalid number", format!("`{name}` must be a whole number from 0 to {most}."));
    }
}

/// What two attributes together may not say.
pub(super) fn validate(config: &Value, diagnostics: &mut Diagnostics) {
    if !config.get("node_name").is_null() && !config.get("node_selector").is_null() {
        diagnostics.error(
            Path::attribute("node_selector"),
            "Two ways to choose the node",
            "`node_name` names one node and `node_selector` any that has its labels. Remove one of the two.",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The paths at which a rule of the attribute finds something.
    fn problems(name: &str, value: &Value) -> Vec<String> {
        let schema = schema();
        let path = Path::attribute(name);
        let mut diagnostics = Diagnostics::new();
        for validator in &schema.attribute_at(&path).unwrap().validators {
            (validator.check)(value, &path, &mut diagnostics);
        }
        diagnostics.iter().map(|diagnostic| diagnostic.path.to_string()).collect()
    }

    #[test]
    fn every_input_replaces_and_nothing_else_does() {
        for attribute in schema().attributes {
            assert_eq!(attribute.replaces, INPUTS.contains(&attribute.name), "{}", attribute.name);
        }
    }

    #[test]
    fn what_the_api_would_refuse_is_said_before_a_call() {
        for (name, value, expect) in [
            ("name", Value::from("a.b-1"), vec![]),
            ("name", Value::from("A"), vec!["name"]),
            ("namespace", Value::from("a.b"), vec!["namespace"]),
            ("image", Value::from("cuda :1"), vec!["image"]),
            ("image", Value::from(""), vec!["image"]),
            ("command", Value::List(vec![]), vec!["command"]),
            ("command", Value::List(vec![Value::from("sh"), Value::Null]), vec!["command[1]"]),
            ("runtime_class_name", Value::from(""), vec![]),
            ("runtime_class_name", Value::from("nvidia_x"), vec!["runtime_class_name"]),
            ("node_selector", Value::map([("a/b/c", Value::from("x"))]), vec!["node_selector[\"a/b/c\"]"]),
            ("gpus", Value::from(0), vec![]),
            ("gpus", Value::from(-1), vec!["gpus"]),
            ("run_as_user", Value::from(1_i64 << 31), vec!["run_as_user"]),
            (
                "tolerations",
                Value::List(vec![Value::object([("key", Value::from("a")), ("effect", Value::from("Never"))])]),
                vec!["tolerations[0].effect"],
            ),
            (
                "tolerations",
                Value::List(vec![Value::object([
                    ("key", Value::from("a")),
                    ("effect", Value::from("NoExecute")),
                    ("toleration_seconds", Value::Number(plugin::value::Number::parse("1.5").unwrap())),
                ])]),
                vec!["tolerations[0].toleration_seconds"],
            ),
        ] {
            assert_eq!(problems(name, &value), expect, "{name} {value:?}");
        }
    }

    #[test]
    fn a_node_is_chosen_in_one_way() {
        let mut diagnostics = Diagnostics::new();
        let mut config = Value::object([("node_name", Value::from("a"))]);
        validate(&config, &mut diagnostics);
        assert!(diagnostics.is_empty());
        config.set("node_selector", Value::unknown());
        validate(&config, &mut diagnostics);
        assert!(diagnostics.has_errors());
    }
}
