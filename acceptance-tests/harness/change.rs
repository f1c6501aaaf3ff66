//! One planned change or one drift, as `show -json PLAN` gives it.

use std::collections::BTreeSet;

use serde_json::Value;

/// What happens, or happened, to one resource.
#[derive(Clone, Debug)]
pub struct Change {
    /// Of the resource.
    pub address: String,
    /// `no-op`, `create`, `read`, `update`, `delete`; a replacement has two.
    pub actions: Vec<String>,
    /// The values before.
    pub before: Value,
    /// The values after; what is unknown is absent.
    pub after: Value,
    /// `true` where the value after is unknown.
    pub after_unknown: Value,
    /// Paths that force the replacement, as `show -json` writes them.
    pub replace_paths: Value,
    /// The id of the object that the configuration imports.
    pub importing: Option<String>,
}

impl Change {
    /// From an element of `resource_changes` or of `resource_drift`.
    pub(crate) fn read(json: &Value) -> Option<Self> {
        let change = &json["change"];
        let actions = change["actions"].as_array()?;
        Some(Self {
            address: json["address"].as_str()?.to_owned(),
            actions: actions.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            before: change["before"].clone(),
            after: change["after"].clone(),
            after_unknown: change["after_unknown"].clone(),
            replace_paths: change["replace_paths"].clone(),
            importing: change["importing"]["id"].as_str().map(str::to_owned),
        })
    }

    /// Whether nothing happens.
    #[must_use]
    pub fn is_no_op(&self) -> bool {
        self.actions == ["no-op"]
    }

    /// Whether applying it leaves the state as it is too: an import without a change still writes the state.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.is_no_op() && self.importing.is_none()
    }

    /// The paths whose values differ or become unknown, such as `sysctls.net.core.bpf_jit_harden` or
    /// `kernel_modules[1].name`, sorted. A value that comes or goes whole is named once, by its own path.
    #[must_use]
    pub fn changed_paths(&self) -> Vec<String> {
        let mut paths = BTreeSet::new();
        differences("", &self.before, &self.after, &mut paths);
        unknowns("", &self.after_unknown, &mut paths);
        paths.into_iter().collect()
    }

    /// The names of the attributes in which it differs, sorted.
    #[must_use]
    pub fn changed_attributes(&self) -> Vec<String> {
        let first = |path: &String| path.split(['.', '[']).next().unwrap_or_default().to_owned();
        let names: BTreeSet<String> = self.changed_paths().iter().map(first).collect();
        names.into_iter().collect()
    }
}

fn differences(path: &str, before: &Value, after: &Value, paths: &mut BTreeSet<String>) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
            for key in keys {
                let of = |values: &serde_json::Map<String, Value>| values.get(key).cloned().unwrap_or(Value::Null);
                differences(&field(path, key), &of(before), &of(after), paths);
            }
        }
        (Value::Array(before), Value::Array(after)) => {
            for index in 0..before.len().max(after.len()) {
                let of = |values: &Vec<Value>| values.get(index).cloned().unwrap_or(Value::Null);
                differences(&format!("{path}[{index}]"), &of(before), &of(after), paths);
            }
        }
        _ if before != after => {
            paths.insert(path.to_owned());
        }
        _ => {}
    }
}

fn unknowns(path: &str, unknown: &Value, paths: &mut BTreeSet<String>) {
    match unknown {
        Value::Bool(true) => {
            paths.insert(path.to_owned());
        }
        Value::Object(fields) => fields.iter().for_each(|(key, value)| unknowns(&field(path, key), value, paths)),
        Value::Array(elements) => {
            for (index, value) in elements.iter().enumerate() {
                unknowns(&format!("{path}[{index}]"), value, paths);
            }
        }
        _ => {}
    }
}

fn field(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Change;

    fn changed(before: Value, after: Value, unknown: Value) -> Vec<String> {
        let json = json!({"address": "a.b", "change": {
            "actions": ["update"], "before": before, "after": after, "after_unknown": unknown}});
        Change::read(&json).map(|change| change.changed_paths()).unwrap_or_default()
    }

    #[test]
    fn a_change_is_named_by_the_deepest_path_that_differs() {
        let before = json!({"kernel_modules": [{"name": "nvidia"}, {"name": "nvidia_uvm"}], "node": "a"});
        let after = json!({"kernel_modules": [{"name": "nvidia"}, {"name": "other"}], "node": "a"});
        assert_eq!(changed(before, after, json!({})), ["kernel_modules[1].name"]);
    }

    #[test]
    fn what_becomes_unknown_is_changed_and_what_is_created_is_named_once() {
        assert_eq!(changed(json!({"id": "x"}), json!({}), json!({"id": true})), ["id"]);
        assert_eq!(changed(json!({}), json!({"m": {"a": 1}}), json!({})), ["m"]);
    }
}
