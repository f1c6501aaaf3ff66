//! Plans and states, as `show -json` gives them, with what a case asks of them.

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::change::Change;
use crate::command::Run;
use crate::diagnostic::Diagnostic;

/// A plan that was made, with what was said while it was made.
#[derive(Debug)]
pub struct Plan {
    /// The run of `plan`.
    pub run: Run,
    /// What `show -json` gives; null when no plan was made.
    pub json: Value,
}

impl Plan {
    /// Every planned change, the no-ops too.
    #[must_use]
    pub fn changes(&self) -> Vec<Change> {
        read_changes(&self.json["resource_changes"])
    }

    /// Every change that somebody else made, as the refresh found it.
    #[must_use]
    pub fn resource_drift(&self) -> Vec<Change> {
        read_changes(&self.json["resource_drift"])
    }

    /// The planned change of one resource.
    ///
    /// # Errors
    /// When the plan has none; the message names those that it has.
    pub fn change(&self, address: &str) -> Result<Change> {
        pick(self.changes(), address).context("in the planned changes")
    }

    /// The drift of one resource.
    ///
    /// # Errors
    /// When none was found.
    pub fn drift(&self, address: &str) -> Result<Change> {
        pick(self.resource_drift(), address).context("in the drift")
    }

    /// What is planned for one resource; empty when the plan does not name it.
    #[must_use]
    pub fn actions(&self, address: &str) -> Vec<String> {
        self.change(address).map(|change| change.actions).unwrap_or_default()
    }

    /// Where the planned values of one resource differ; empty when the plan does not name it.
    #[must_use]
    pub fn changed_paths(&self, address: &str) -> Vec<String> {
        self.change(address).map(|change| change.changed_paths()).unwrap_or_default()
    }

    /// Whether applying it would do nothing: no resource changes or is imported, nor does an output
    /// change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let outputs = self.json["output_changes"].as_object();
        let quiet = |change: &Value| change["actions"] == serde_json::json!(["no-op"]);
        self.json.is_object()
            && self.changes().iter().all(Change::is_nothing)
            && outputs.is_none_or(|outputs| outputs.values().all(quiet))
    }

    /// Fails, naming what would change, unless it is empty.
    ///
    /// # Errors
    /// When it is not empty or was not made.
    pub fn expect_empty(&self) -> Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        let changes = self.changes();
        let named = changes.iter().filter(|change| !change.is_nothing());
        let named: Vec<String> =
            named.map(|c| format!("{} {:?} {:?}", c.address, c.actions, c.changed_paths())).collect();
        bail!("the plan is not empty: {named:?}, outputs {}", self.json["output_changes"])
    }

    /// What was said while it was made.
    #[must_use]
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        self.run.diagnostics()
    }

    /// What it would give as an output.
    #[must_use]
    pub fn output(&self, name: &str) -> Value {
        self.json["planned_values"]["outputs"][name]["value"].clone()
    }
}

/// A state.
#[derive(Debug)]
pub struct State {
    /// What `show -json` gives.
    pub json: Value,
}

impl State {
    /// Addresses of what it holds, data sources too, modules included.
    #[must_use]
    pub fn addresses(&self) -> Vec<String> {
        let address = |resource: &Value| resource["address"].as_str().map(str::to_owned);
        self.resources().into_iter().filter_map(address).collect()
    }

    /// The values of one resource.
    ///
    /// # Errors
    /// When it is not there.
    pub fn values(&self, address: &str) -> Result<&Value> {
        let found = self.resources().into_iter().find(|resource| resource["address"] == address);
        found
            .map(|resource| &resource["values"])
            .with_context(|| format!("{address} is not in the state, which holds {:?}", self.addresses()))
    }

    /// Whether it is marked as broken, to be replaced by the next apply.
    ///
    /// # Errors
    /// When it is not there.
    pub fn is_tainted(&self, address: &str) -> Result<bool> {
        self.values(address)?;
        let found = self.resources().into_iter().find(|resource| resource["address"] == address);
        Ok(found.is_some_and(|resource| resource["tainted"] == true))
    }

    /// An output.
    #[must_use]
    pub fn output(&self, name: &str) -> &Value {
        &self.json["values"]["outputs"][name]["value"]
    }

    fn resources(&self) -> Vec<&Value> {
        let mut found = Vec::new();
        let mut modules = vec![&self.json["values"]["root_module"]];
        while let Some(module) = modules.pop() {
            found.extend(module["resources"].as_array().into_iter().flatten());
            modules.extend(module["child_modules"].as_array().into_iter().flatten());
        }
        found
    }
}

fn read_changes(json: &Value) -> Vec<Change> {
    json.as_array().into_iter().flatten().filter_map(Change::read).collect()
}

fn pick(changes: Vec<Change>, address: &str) -> Result<Change> {
    let named: Vec<String> = changes.iter().map(|change| change.address.clone()).collect();
    let found = changes.into_iter().find(|change| change.address == address);
    found.with_context(|| format!("{address} is not among {named:?}"))
}
