//! What stood in a configuration before a key became ours, so that it can be put back.
//!
//! It is kept in Terraform's private state, which is not encrypted: it holds our own keys, their prior scalars as they
//! were written, and the tokens that stood in place of containers we made (nothing, `null`, `~`, `{}`), never a whole
//! fragment of somebody's configuration.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::EditError;

/// The version that this build writes.
const VERSION: u32 = 1;

/// The record of one node's configuration. Opaque to callers; serialise it with serde.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    version: u32,
    /// By normalised name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) modules: BTreeMap<String, ModuleRecord>,
    /// By key as written.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) sysctls: BTreeMap<String, SysctlRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) default_runtime: Option<RuntimeRecord>,
    /// Containers that we made or filled, by path, with what stood in their place.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) containers: BTreeMap<String, Token>,
}

/// Where one of our keys stood when we wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Home {
    V1alpha1,
    Document,
}

/// What stood in the place of a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Token {
    /// Not even the key.
    Absent,
    /// The key, and this behind it: nothing, `null`, `~`, `{}`, `[]`.
    Text(String),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ModuleRecord {
    /// It was not there (or was imported, which says the same): taking back removes it.
    Ours {
        home: Home,
        /// How many entries of that name are ours: more than one only after an import.
        #[serde(default = "one", skip_serializing_if = "is_one")]
        count: usize,
        /// The parameters of somebody's own entry of that name, when it came later and we had to change it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        other: Option<PriorParameters>,
    },
    /// It was there: taking back restores its parameters and leaves it.
    Theirs {
        /// Its parameters, from when they became ours.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parameters: Option<PriorParameters>,
    },
}

impl ModuleRecord {
    /// Where our own entry stands.
    pub(super) fn home(&self) -> Option<Home> {
        match self {
            Self::Ours { home, .. } => Some(*home),
            Self::Theirs { .. } => None,
        }
    }
}

/// The parameters of a module that was there before us.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PriorParameters {
    /// Whether the key `parameters` was there.
    pub(super) there: bool,
    /// What stood behind it, as written, if that was values alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<String>,
    /// The values, for when the text no longer fits its surroundings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) values: Vec<String>,
    /// The column of the key, which the text was written for.
    #[serde(default)]
    pub(super) column: usize,
}

/// What stood in each place that we set a sysctl in: the value as it was written, quotes included, or nothing. There
/// is more than one place only when somebody overrode ours later on.
pub(super) type SysctlRecord = BTreeMap<Home, Option<String>>;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RuntimeRecord {
    pub(super) cri_plugin: String,
    /// Every fragment that we set it in: more than one only when somebody overrode ours later on.
    pub(super) places: Vec<RuntimePlace>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RuntimePlace {
    /// The fragment's name; that of the entry in `machine.files` is `customization`.
    pub(super) fragment: String,
    /// The TOML value as it was written; `None`: the key was not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) prior: Option<String>,
    /// The TOML table is ours.
    #[serde(default)]
    pub(super) made_table: bool,
    /// The entry of `machine.files`, or the document, is ours.
    #[serde(default)]
    pub(super) made_fragment: bool,
}

fn one() -> usize {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_one(count: &usize) -> bool {
    *count == 1
}

impl Default for Record {
    fn default() -> Self {
        Self {
            version: VERSION,
            modules: BTreeMap::new(),
            sysctls: BTreeMap::new(),
            default_runtime: None,
            containers: BTreeMap::new(),
        }
    }
}

impl Record {
    /// Whether nothing of the configuration is ours.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.modules.is_empty()
            && self.sysctls.is_empty()
            && self.default_runtime.is_none()
            && self.containers.is_empty()
    }

    /// Whether no key is ours; containers that we made may be.
    #[must_use]
    pub fn has_no_keys(&self) -> bool {
        self.modules.is_empty() && self.sysctls.is_empty() && self.default_runtime.is_none()
    }

    /// The same, with the containers that another record says were made. Of several owners of keys in one container the
    /// last gives it back, whoever made it.
    #[must_use]
    pub fn with_containers_of(mut self, other: &Self) -> Self {
        for (path, token) in &other.containers {
            self.containers.entry(path.clone()).or_insert_with(|| token.clone());
        }
        self
    }

    /// The normalised names of the modules that are ours.
    pub fn modules(&self) -> impl Iterator<Item = &str> {
        self.modules.keys().map(String::as_str)
    }

    /// The keys of the sysctls that are ours.
    pub fn sysctls(&self) -> impl Iterator<Item = &str> {
        self.sysctls.keys().map(String::as_str)
    }

    /// The plugin whose default runtime is ours.
    #[must_use]
    pub fn default_runtime(&self) -> Option<&str> {
        self.default_runtime.as_ref().map(|runtime| runtime.cri_plugin.as_str())
    }

    /// The owned keys that stood in the configuration before they became ours, for the warning that names them.
    #[must_use]
    pub fn found(&self) -> Vec<super::Subject> {
        let modules = self.modules.iter().filter(|(_, module)| matches!(module, ModuleRecord::Theirs { .. }));
        let sysctls = self.sysctls.iter().filter(|(_, sysctl)| sysctl.values().any(Option::is_some));
        modules
            .map(|(name, _)| super::Subject::Module(name.clone()))
            .chain(sysctls.map(|(key, _)| super::Subject::Sysctl(key.clone())))
            .chain(
                self.default_runtime
                    .iter()
                    .filter(|runtime| runtime.places.iter().any(|place| place.prior.is_some()))
                    .map(|_| super::Subject::DefaultRuntime),
            )
            .collect()
    }

    /// The owned keys that were not in the configuration before: they go with the record's owner.
    #[must_use]
    pub fn brought(&self) -> Vec<super::Subject> {
        let found = self.found();
        self.modules()
            .map(|name| super::Subject::Module(name.to_owned()))
            .chain(self.sysctls().map(|key| super::Subject::Sysctl(key.to_owned())))
            .chain(self.default_runtime().map(|_| super::Subject::DefaultRuntime))
            .filter(|subject| !found.contains(subject))
            .collect()
    }

    pub(super) fn check_version(&self) -> Result<(), EditError> {
        if self.version > VERSION {
            return Err(EditError::Record { found: self.version, known: VERSION });
        }
        Ok(())
    }
}
