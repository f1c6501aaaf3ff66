//! The attributes of `talos_nvidia_node_patch`, each defined once.

use std::time::Duration;

use plugin::{
    Attribute, Diagnostics, Field, Mode, Nesting, Path, Schema, Timeouts, Type, Validator, Value, validators,
};

use crate::kernel_modules::{GUIDE, kernel_name};

/// Deadlines where the configuration names none.
pub(super) const TIMEOUTS: Timeouts = Timeouts {
    create: Duration::from_secs(600),
    read: Duration::from_secs(60),
    update: Duration::from_secs(600),
    delete: Duration::from_secs(600),
};

fn text() -> Type {
    Type::String
}

pub(super) fn schema() -> Schema {
    let module = vec![
        Attribute::required("name", text())
            .describe("Name of the module, as `modprobe` takes it.")
            .validate(validators::text("letters, digits, `_` and `-`", "Invalid module name", module_name)),
        Attribute::optional("parameters", Type::List(Box::new(text()))).describe(
            "Parameters, each as `name=value`. The kernel takes them when it loads the module, so a change for a loaded module waits for the next boot. Unset: left as they are on the node.",
        ).validate(Validator { rule: "no control characters, no blank ends".into(), check: std::sync::Arc::new(parameters) }),
    ];
    Schema {
        version: 0,
        description: "The part of a Talos machine configuration that NVIDIA GPUs need, and nothing else of it: kernel modules, sysctls and, if wanted, containerd's default runtime. Every other byte of the node's configuration stays as it is; what differs on the node shows in the plan on the attribute that it concerns; destroy gives back what was there before.\n\nThe resource belongs to this provider although its name starts with `talos_`: write `provider = nvidia` on it and on its `import` blocks.".into(),
        attributes: vec![
            Attribute::required("node", text())
                .replaces()
                .describe("Address of the node: IP or host name, without a port. A change replaces the resource.")
                .validate(validators::text("an IP address or host name without a port", "Invalid node", node)),
            Attribute::optional("endpoint", text())
                .describe("A Talos API endpoint to go through (`host`, `host:port`, `[ipv6]:port`). Unset: the provider's, else the talosconfig context's, else the node itself.")
                .validate(validators::text("a Talos API endpoint", "Invalid endpoint", |given| {
                    given.parse::<talos::Endpoint>().map(|_| ()).map_err(|error| error.to_string())
                })),
            Attribute { default: Some(default_modules()), ..Attribute::nested("kernel_modules", Mode::OptionalComputed, Nesting::List, module) }
                .describe("Kernel modules to load. Default: `nvidia`, `nvidia_uvm`, `nvidia_drm`, `nvidia_modeset`. Their order on the node does not matter. Talos never unloads a module: one that is taken away stays loaded until the next boot.")
                .validate(Validator { rule: "each module once".into(), check: std::sync::Arc::new(modules_once) }),
            Attribute::optional_computed("sysctls", Type::Map(Box::new(text())))
                .describe("Kernel parameters, by dotted name. Default: `net.core.bpf_jit_harden = \"1\"` on Talos up to 1.12 and none from 1.13 on, chosen once, at create; an upgrade of Talos does not change it. The configured value is compared, not the running one.")
                .validate(Validator { rule: "dotted names, values without line breaks".into(), check: std::sync::Arc::new(sysctls) }),
            Attribute::optional("default_runtime", Type::Bool)
                .default_to(false)
                .describe("`true`: `nvidia` is containerd's default runtime on the node. `false` (default): not managed. Up to Talos 1.13 a change needs a reboot; from 1.14 on it is live and restarts the CRI service."),
            Attribute::optional("apply_mode", text())
                .default_to("no_reboot")
                .validate(validators::one_of(&["no_reboot", "staged", "reboot"]))
                .describe("`no_reboot` (default): live, and an error at plan when Talos would need a reboot. `staged`: written now, in force after the next boot (`pending_reboot`). `reboot`: live where Talos can, else staged and the node is rebooted, one node at a time, with a warning in the plan."),
            Attribute::optional("extension_check", text())
                .default_to("error")
                .validate(validators::one_of(&["error", "warn", "off"]))
                .describe("What to do when the node's NVIDIA extensions do not fit: exactly one kernel module extension, of the running Talos version, with the driver version of the container toolkit and the fabric manager. `error` (default), `warn` or `off`."),
            Attribute::optional("wait_for_modules", Type::Bool)
                .default_to(true)
                .describe("Wait until every module is live, and show in the plan when one no longer is. Default `true`. Nothing is waited for while a reboot is pending."),
            Attribute::optional("on_destroy", text())
                .default_to("revert")
                .validate(validators::one_of(&["revert", "keep"]))
                .describe("`revert` (default): destroy takes out of the node's configuration exactly what this resource put in and restores what was there before; it never reboots. `keep`: the node is left as it is."),
            Timeouts::attribute(TIMEOUTS),
            Attribute::computed("id", text()).describe("The node's address."),
            Attribute::computed("talos_version", text())
                .describe("Talos version that the node runs, such as `v1.13.9`."),
            Attribute::computed("patch", text()).describe(
                "The same as a machine configuration patch in YAML, as the node's Talos version takes it; for reading, or for `config_patches` of siderolabs/talos.",
            ),
            Attribute::computed("pending_reboot", Type::Bool)
                .describe("Part of the change takes effect at the node's next boot."),
            Attribute::computed("module_state", Type::Map(Box::new(text())))
                .describe("State of each module in the running kernel: `live`, `loading`, `unloading` or `not loaded`."),
        ],
    }
}

/// The guide's four modules, without parameters.
fn default_modules() -> Value {
    let one = |name: &&str| Value::object([("name", Value::from(*name)), ("parameters", Value::Null)]);
    Value::List(GUIDE.iter().map(one).collect())
}

/// Whether `given` is an address that the Talos API takes in its `node` header: never with a port (K.2, "invalid target").
pub(crate) fn node(given: &str) -> Result<(), String> {
    if given.parse::<std::net::IpAddr>().is_ok() {
        return Ok(());
    }
    let hint = "Write the node's IP address or host name alone, such as \"10.0.0.5\" or \"gpu-1.example\".";
    if given.is_empty() {
        Err(format!("The address is empty. {hint}"))
    } else if given.contains("://") {
        Err(format!("\"{given}\" is a URL. {hint}"))
    } else if given.contains(':') || given.starts_with('[') {
        Err(format!("\"{given}\" has a port or brackets; the port belongs to the endpoint. {hint}"))
    } else if given.len() > 253 || !given.split('.').all(is_label) {
        Err(format!("\"{given}\" is no IP address and no host name. {hint}"))
    } else {
        Ok(())
    }
}

fn is_label(label: &str) -> bool {
    !label.is_empty()
        && label.len() <= 63
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

/// Talos takes any name without a word and then fails to load it (K.1.14), so it is checked here.
fn module_name(given: &str) -> Result<(), String> {
    if !given.is_empty() && given.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
        Ok(())
    } else {
        Err(format!(
            "\"{given}\" is not a module name: it may hold letters, digits, \"_\" and \"-\". Parameters go to `parameters`."
        ))
    }
}

fn parameters(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    let Field::Known(items) = value.items() else { return };
    for (index, item) in items.iter().enumerate() {
        let why = match item.string() {
            Field::Unknown => continue,
            Field::Null => "A parameter is null. Leave it out of the list.".to_owned(),
            Field::Known("") => "A parameter is empty. Write it as name=value, or leave it out.".to_owned(),
            Field::Known(text) if text.chars().any(char::is_control) || text.trim() != text => {
                format!(
                    "{text:?} has a control character or a blank at one of its ends. Write the parameter as name=value."
                )
            }
            Field::Known(_) => continue,
        };
        diagnostics.error(path.index(index), "Invalid module parameter", why);
    }
}

fn modules_once(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    let Field::Known(items) = value.items() else { return };
    let mut seen: Vec<String> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        if let Field::Known(name) = item.get("name").string() {
            let kernel = kernel_name(name);
            if seen.contains(&kernel) {
                diagnostics.error(
                    path.index(index).then("name"),
                    "Module named twice",
                    format!("\"{name}\" is in the list already (the kernel takes \"-\" and \"_\" for the same). Name it once, with all its parameters."),
                );
            }
            seen.push(kernel);
        }
    }
}

fn sysctls(value: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    let Field::Known(entries) = value.entries() else { return };
    for (key, value) in entries {
        let at = path.key(key.as_str());
        if key.contains('/') {
            // K.1.5: with slashes Talos keeps it under another id and its own default is written over it.
            diagnostics.error(
                at.clone(),
                "Invalid sysctl name",
                format!(
                    "\"{key}\" has a slash: Talos would write its own default over the value. Write \"{}\".",
                    key.replace('/', ".")
                ),
            );
        } else if !is_sysctl_name(key) {
            diagnostics.error(
                at.clone(),
                "Invalid sysctl name",
                format!("\"{key}\" is not the dotted name of a kernel parameter, such as \"net.core.bpf_jit_harden\"."),
            );
        }
        match value.string() {
            Field::Unknown => {}
            Field::Null | Field::Known("") => diagnostics.error(
                at,
                "Invalid sysctl value",
                format!("\"{key}\" has no value. Give one, or leave the parameter out."),
            ),
            Field::Known(text) if text.chars().any(|c| c.is_control() && c != '\t') => diagnostics.error(
                at,
                "Invalid sysctl value",
                format!("The value of \"{key}\" has a line break or another control character."),
            ),
            Field::Known(_) => {}
        }
    }
}

fn is_sysctl_name(key: &str) -> bool {
    key.contains('.')
        && key.split('.').all(|part| {
            !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ':' | '@'))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_without_a_port_are_nodes() {
        for given in ["10.0.0.5", "::1", "fd00::5", "gpu-1.example", "gpu-1"] {
            assert_eq!(node(given), Ok(()), "{given}");
        }
        for given in ["", "10.0.0.5:50000", "[::1]", "https://gpu-1", "gpu 1", "-gpu", "a..b"] {
            assert!(node(given).is_err(), "{given}");
        }
    }

    fn problems(name: &str, value: &Value) -> Vec<String> {
        let schema = schema();
        let mut diagnostics = Diagnostics::new();
        for attribute in schema.attributes.iter().filter(|a| a.name == name) {
            for validator in &attribute.validators {
                (validator.check)(value, &Path::attribute(name), &mut diagnostics);
            }
        }
        diagnostics.iter().map(|d| d.path.to_string()).collect()
    }

    #[test]
    fn bad_values_are_refused_where_they_stand() {
        let module = |name: &str| Value::object([("name", Value::from(name)), ("parameters", Value::Null)]);
        assert_eq!(
            problems("kernel_modules", &Value::List(vec![module("nvidia-uvm"), module("nvidia_uvm")])),
            ["kernel_modules[1].name"]
        );
        let sysctls = Value::map([
            ("a.b", Value::from("1")),
            ("a/b", Value::from("1")),
            ("c.d", Value::from("")),
            ("e.f", Value::from("1\n2")),
            ("novalue.x", Value::Null),
            ("plain", Value::from("1")),
            ("u.v", Value::unknown()),
        ]);
        assert_eq!(
            problems("sysctls", &sysctls),
            [
                "sysctls[\"a/b\"]",
                "sysctls[\"c.d\"]",
                "sysctls[\"e.f\"]",
                "sysctls[\"novalue.x\"]",
                "sysctls[\"plain\"]"
            ]
        );
        assert_eq!(problems("apply_mode", &Value::from("auto")), ["apply_mode"]);
        assert_eq!(problems("node", &Value::from("10.0.0.1:50000")), ["node"]);
    }
}
