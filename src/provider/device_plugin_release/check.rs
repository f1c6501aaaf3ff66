//! What the configuration alone decides: an unknown version, a value that the version has not, what the chart refuses,
//! and what it would take and the plugin pass over.
//!
//! Each finding stands on its attribute. A part that is still unknown is passed over: the plan of the apply sees it.

use plugin::{Diagnostics, Field, Path, Value};
#[cfg(test)]
use serde_json::Value as Json;

use super::{
    config_file::{self, Fault},
    model,
    schema::chart::LIMITED,
    values::{Release, Values},
    versions::{Chart, Trait, versions_with},
};
use crate::texts::device_plugin_release as texts;

/// A condition under which the chart renders nothing and says why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The namespace `default`, not allowed by name.
    DefaultNamespace,
    /// A ConfigMap by name and files to make one of.
    TwoConfigMaps,
    /// Several files, and none of the fallbacks finds one for a node without a label.
    NoDefaultConfig,
}

impl Refused {
    /// The attribute that it is about.
    pub(crate) fn path(self) -> Path {
        match self {
            Self::DefaultNamespace => Path::attribute("namespace"),
            Self::TwoConfigMaps => Path::attribute("config").then("name"),
            Self::NoDefaultConfig => Path::attribute("config").then("default"),
        }
    }
}

/// What the chart of this version refuses, in its order.
pub fn refused(chart: Chart, release: &Release, values: &Values) -> Vec<Refused> {
    let config = &values.config;
    let namespace = match values.namespace_override.as_str() {
        over if !over.is_empty() && chart.has(Trait::OverrideEscapesDefault) => "",
        _ => release.namespace.as_str(),
    };
    let mut refused = Vec::new();
    if namespace == "default" && !values.allow_default_namespace {
        refused.push(Refused::DefaultNamespace);
    }
    if !config.name.is_empty() && !config.map.is_empty() {
        refused.push(Refused::TwoConfigMaps);
    }
    if !config.map.is_empty() && !has_default(values) {
        refused.push(Refused::NoDefaultConfig);
    }
    refused
}

fn has_default(values: &Values) -> bool {
    let config = &values.config;
    let tries = |fallback: &str| config.fallback_strategies.iter().any(|given| given == fallback);
    !config.default.is_empty()
        || (tries("named") && config.map.contains_key("default"))
        || (tries("single") && config.map.len() == 1)
        || tries("empty")
}

/// Checks an object of the configuration.
pub(super) fn configuration(object: &Value, diagnostics: &mut Diagnostics) {
    files(object, diagnostics);
    sharing(object, diagnostics);
    default_without_files(object, diagnostics);
    pace(object, diagnostics);
    let Field::Known(version) = object.get("version").string() else { return };
    let Some(chart) = Chart::find(version) else { return texts::unknown_version(version, diagnostics) };
    limits(chart, object, diagnostics);
    if diagnostics.has_errors() {
        return;
    }
    let (Ok(user), Field::Known(name), Field::Known(namespace)) =
        (model::user_values(chart, object), object.get("name").string(), object.get("namespace").string())
    else {
        return;
    };
    let release = Release { name: name.to_owned(), namespace: namespace.to_owned() };
    match Values::over_defaults(chart, &user) {
        Ok(values) => {
            for refused in refused(chart, &release, &values) {
                texts::refused_by_chart(chart, refused, diagnostics);
            }
        }
        // The schema's types are the chart's, so this is a mistake of ours.
        Err(error) => texts::not_values(&error, diagnostics),
    }
}

/// A value that the version has not would be passed over without a word.
fn limits(chart: Chart, object: &Value, diagnostics: &mut Diagnostics) {
    for (path, wanted) in LIMITED.iter().filter(|(_, wanted)| !chart.has(*wanted)) {
        let mut value = object;
        for name in *path {
            value = value.get(name);
        }
        let is_reported =
            path.len() > 1 && LIMITED.iter().any(|(outer, wanted)| *outer == &path[..1] && !chart.has(*wanted));
        if !value.is_null() && !is_reported {
            let at = path.iter().skip(1).fold(Path::attribute(path[0]), |at, name| at.then(*name));
            texts::not_in_version(chart, at, &path.join("."), &versions_with(*wanted), diagnostics);
        }
    }
}

/// The texts of `config.map`, as far as a look at them tells.
fn files(object: &Value, diagnostics: &mut Diagnostics) {
    let Field::Known(files) = object.get("config").get("map").entries() else { return };
    for (name, text) in files {
        let Field::Known(text) = text.string() else { continue };
        let at = Path::attribute("config").then("map").key(name.as_str());
        for fault in config_file::faults(text) {
            match fault {
                Fault::NotYaml(line) => texts::not_yaml(at.clone(), name, line, diagnostics),
                Fault::NotAMapping => texts::not_a_mapping(at.clone(), name, diagnostics),
                Fault::Misplaced { key, at: place, belongs } => {
                    texts::misplaced(at.clone(), name, &key, &place, &belongs, diagnostics);
                }
                Fault::TwoStrategies => texts::two_strategies_in_file(at.clone(), name, diagnostics),
            }
        }
    }
}

/// One way to share, and one place that says so.
fn sharing(object: &Value, diagnostics: &mut Diagnostics) {
    let is_given = |value: &Value| !value.is_null();
    let slicing = is_given(object.get("time_slicing"));
    let mps = is_given(object.get("mps").get("resources"));
    if slicing && mps {
        texts::two_strategies(diagnostics);
    }
    if !mps && is_given(object.get("mps").get("rename_by_default")) {
        texts::rename_without_resources(diagnostics);
    }
    for (given, block) in [(slicing, "time_slicing"), (mps, "mps.resources")] {
        for part in ["name", "map"] {
            if given && is_given(object.get("config").get(part)) {
                texts::two_configurations(part, block, diagnostics);
            }
        }
    }
    each_resource_once(object.get("time_slicing").get("resources"), Path::attribute("time_slicing"), diagnostics);
    each_resource_once(object.get("mps").get("resources"), Path::attribute("mps"), diagnostics);
}

fn each_resource_once(resources: &Value, block: Path, diagnostics: &mut Diagnostics) {
    let Field::Known(items) = resources.items() else { return };
    let at = block.then("resources");
    if items.is_empty() {
        texts::nothing_shared(at, diagnostics);
        return;
    }
    let mut seen = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let Field::Known(name) = item.get("name").string() else { continue };
        if seen.contains(&name) {
            texts::shared_twice(at.index(index).then("name"), name, diagnostics);
        }
        seen.push(name);
    }
}

/// `config.default` names a file of a ConfigMap; alone it does nothing (k8s-device-plugin#990).
fn default_without_files(object: &Value, diagnostics: &mut Diagnostics) {
    let config = object.get("config");
    let names =
        |value: &Value| !matches!(value, Value::Null) && !matches!(value.entries(), Field::Known(e) if e.is_empty());
    if config.get("default").is_null() || config.is_unknown() {
        return;
    }
    let shares = names(object.get("time_slicing")) || names(object.get("mps").get("resources"));
    if !names(config.get("name")) && !names(config.get("map")) && !shares {
        texts::default_without_files(diagnostics);
    } else if let (Field::Known(default), Field::Known(files)) =
        (config.get("default").string(), config.get("map").entries())
        && !files.contains_key(default)
    {
        texts::default_is_no_file(default, files.keys(), diagnostics);
    }
}

/// The API server takes one of the two numbers of a rolling update that is not zero, and has a default for one of them.
fn pace(object: &Value, diagnostics: &mut Diagnostics) {
    let rolling = object.get("update_strategy").get("rolling_update");
    let is_zero = |text: &str| text.trim_end_matches('%').parse() == Ok(0);
    let (surge, unavailable) = (rolling.get("max_surge").string(), rolling.get("max_unavailable").string());
    let surges = matches!(surge, Field::Known(text) if !is_zero(text));
    match unavailable {
        Field::Known(text) if is_zero(text) && matches!(surge, Field::Null | Field::Known(_)) && !surges => {
            texts::pace_of_nothing(diagnostics);
        }
        Field::Known(text) if !is_zero(text) && surges => texts::two_paces(diagnostics),
        Field::Null if surges => texts::two_paces(diagnostics),
        _ => {}
    }
}

/// The values of a release that helm made, as attributes cannot all say them.
#[cfg(test)]
pub(super) fn is_faithful(chart: Chart, theirs: &Json, ours: &Json) -> bool {
    match (Values::over_defaults(chart, theirs), Values::over_defaults(chart, ours)) {
        (Ok(theirs), Ok(ours)) => theirs == ours,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
