//! Facts and verdict as the object that Terraform gets. Pure. What is not known is null, never a guess.

use plugin::Value;

use super::{
    facts::{Facts, Gpu, Service},
    gather::BPF_JIT_HARDEN,
    parse::Driver,
    verdict::{Problem, has_cdi, state_of, version_match},
};
use crate::{
    extensions::Extension,
    kernel_modules::{GUIDE, Loaded, ModuleState},
    texts::driver_status::sentence,
};

/// Modules of NVIDIA's beside those of the guide, shown when they are loaded.
const OTHERS: [&str; 3] = ["nvidia_peermem", "nvidia_fs", "gdrdrv"];

/// The whole object.
pub(super) fn object(config: &Value, facts: &Facts, problems: &[Problem<'_>]) -> Value {
    let sentences = problems.iter().map(|problem| Value::from(sentence(problem, &facts.tag))).collect();
    let driver = facts.driver.as_ref().ok().and_then(Option::as_ref);
    Value::object([
        ("node", config.get("node").clone()),
        ("endpoint", config.get("endpoint").clone()),
        ("ready", Value::from(problems.is_empty())),
        ("problems", Value::List(sentences)),
        ("talos_version", Value::from(facts.tag.as_str())),
        ("modules", facts.modules.as_ref().map_or(Value::Null, modules)),
        ("driver", driver.map_or(Value::Null, driver_value)),
        ("extensions", facts.extensions.as_ref().map_or(Value::Null, |all| extensions(all))),
        ("version_match", Value::from(version_match(facts))),
        ("gpus", if facts.devices.is_ok() { list(&facts.gpus, gpu) } else { Value::Null }),
        ("services", facts.services.as_ref().map_or(Value::Null, |all| list(all, service))),
        ("sysctls", facts.jit_harden.as_ref().map_or(Value::Null, |value| sysctls(value.as_deref()))),
        ("cdi", cdi(facts)),
    ])
}

/// A node that cannot be reached: not ready, the sentence, and nothing else.
pub(super) fn silent(config: &Value, sentence: String) -> Value {
    let mut object = Value::object([
        ("node", config.get("node").clone()),
        ("endpoint", config.get("endpoint").clone()),
        ("ready", Value::from(false)),
        ("problems", Value::List(vec![Value::from(sentence)])),
    ]);
    for attribute in super::schema::schema().attributes {
        if object.get(attribute.name).is_null() {
            object.set(attribute.name, Value::Null);
        }
    }
    object
}

fn list<T>(items: &[T], value: impl Fn(&T) -> Value) -> Value {
    Value::List(items.iter().map(value).collect())
}

fn texts(items: &[String]) -> Value {
    list(items, |item| Value::from(item.as_str()))
}

fn modules(loaded: &Loaded) -> Value {
    let others = OTHERS.into_iter().filter(|name| loaded.contains_key(*name));
    Value::List(GUIDE.into_iter().chain(others).map(|name| module(name, loaded)).collect())
}

fn module(name: &str, loaded: &Loaded) -> Value {
    let state = state_of(loaded, name);
    let found = loaded.get(name);
    let size = found.and_then(|module| i64::try_from(module.size?).ok());
    let all = |items: Option<&Vec<String>>| items.map_or(Value::Null, |items| texts(items));
    Value::object([
        ("name", Value::from(name)),
        ("loaded", Value::from(state == ModuleState::Live)),
        ("state", Value::from(state.as_str())),
        ("size", Value::from(size)),
        ("reference_count", Value::from(found.and_then(|module| module.references))),
        ("dependencies", all(found.and_then(|module| module.used_by.as_ref()))),
        ("taints", all(found.and_then(|module| module.taints.as_ref()))),
    ])
}

fn driver_value(driver: &Driver) -> Value {
    Value::object([("version", Value::from(driver.version.as_str())), ("flavor", Value::from(driver.flavor.as_str()))])
}

fn extensions(all: &[Extension]) -> Value {
    let is_nvidia = |e: &&Extension| e.part().is_some() || e.name.starts_with("nvidia-");
    let value = |extension: &Extension| {
        Value::object([
            ("name", Value::from(extension.name.as_str())),
            ("version", Value::from(extension.version.as_str())),
            ("driver_version", Value::from(extension.driver())),
            ("talos_version", Value::from(extension.built_for())),
        ])
    };
    Value::List(all.iter().filter(is_nvidia).map(value).collect())
}

fn gpu(gpu: &Gpu) -> Value {
    let known = gpu.information.as_ref().ok().and_then(Option::as_ref);
    let text = |value: Option<&String>| Value::from(value.map(String::as_str));
    Value::object([
        ("pci_address", Value::from(gpu.address.as_str())),
        ("product", Value::from(Some(gpu.product.as_str()).filter(|name| !name.is_empty()))),
        ("driver", text(gpu.driver.as_ref().ok().and_then(Option::as_ref))),
        ("model", text(known.and_then(|known| known.model.as_ref()))),
        ("uuid", text(known.and_then(|known| known.uuid.as_ref()))),
        ("minor", Value::from(known.and_then(|known| known.minor))),
        ("firmware", text(known.and_then(|known| known.firmware.as_ref()))),
    ])
}

fn service(service: &Service) -> Value {
    Value::object([
        ("id", Value::from(service.id.as_str())),
        ("state", Value::from(service.state.as_str())),
        ("healthy", Value::from(service.healthy)),
        ("message", Value::from(service.message.as_str())),
    ])
}

fn sysctls(value: Option<&str>) -> Value {
    Value::map(value.map(|value| (BPF_JIT_HARDEN, Value::from(value))))
}

fn cdi(facts: &Facts) -> Value {
    Value::object([
        ("expected", Value::from(has_cdi(&facts.version))),
        ("spec_files", facts.cdi.as_ref().map_or(Value::Null, |files| texts(files))),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_node_has_every_attribute_and_is_not_ready() {
        let config = Value::object([("node", Value::from("10.0.0.5"))]);
        let object = silent(&config, "It does not answer.".into());
        let schema = super::super::schema::schema();
        assert_eq!(plugin::rules::check::data_source(&schema, Some(&object)), []);
        assert_eq!(object.get("ready"), &Value::from(false));
    }
}
