//! Exact editing of Talos machine configurations: bytes in, bytes and a record out.
//!
//! Only the fragments that somebody asked for change; every other byte of the configuration, comments, key order and
//! other documents included, stays what it was, and [`edit`] proves that to itself before it answers (`guard`). What
//! cannot be edited exactly is refused with its line.
//!
//! Nothing here is asynchronous or does any I/O, and nothing here knows of a node: which back-end is right for a
//! version of Talos, and what to do with a refusal, is decided by the caller.

use std::collections::BTreeMap;

mod compare;
mod containers;
mod cri_toml;
mod desired;
mod documents;
mod edit;
mod error;
mod fragment;
mod guard;
mod locate;
mod modules;
mod place;
mod record;
mod runtime;
mod session;
mod source;
mod splice;
mod sysctls;
mod text_lines;
mod tree;
mod view;

pub use compare::{same_but_for, same_files};
pub use edit::{adopt, edit};
pub use error::EditError;
pub use record::Record;
pub use view::view;

/// The largest configuration that is edited: what is larger cannot be read back from the node.
pub const MAX_BYTES: usize = 15 * 1024 * 1024;

/// A kernel module that is wanted in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// Its name. `-` and `_` are the same to the kernel, so they are the same here.
    pub name: String,
    /// Its parameters; `None` leaves them as they are.
    pub parameters: Option<Vec<String>>,
}

/// containerd's default runtime, as a fragment of the CRI configuration sets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultRuntime {
    /// The plugin whose table holds the setting: `io.containerd.cri.v1.runtime` from Talos 1.8 on.
    pub cri_plugin: String,
    /// The runtime's name.
    pub name: String,
}

/// What is wanted in a configuration. The default wants nothing, so that editing towards it takes everything back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Desired {
    /// Kernel modules, added in this order.
    pub modules: Vec<Module>,
    /// Sysctls with their values, keys spelled with dots.
    pub sysctls: BTreeMap<String, String>,
    /// The default runtime; `None` leaves it unmanaged.
    pub default_runtime: Option<DefaultRuntime>,
}

/// Where a key goes that stands nowhere yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// `machine.kernel.modules`, `machine.sysctls` and `machine.files`: Talos up to 1.13.
    V1Alpha1,
    /// The documents `KernelModuleConfig`, `SysctlConfig` and `CRICustomizationConfig`: Talos from 1.14 on.
    Documents,
}

/// What a configuration says about modules, sysctls and the default runtime, read as Talos reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// Kernel modules by their normalised name ([`normal_name`]).
    pub modules: BTreeMap<String, ModuleView>,
    /// Sysctls by the key as written.
    pub sysctls: BTreeMap<String, String>,
    /// Where each sysctl stands, the one that counts last.
    pub sysctl_places: BTreeMap<String, Vec<Place>>,
    /// The default runtime that the configuration's CRI fragments set for the plugin asked for.
    pub default_runtime: Option<String>,
    /// Where it is set, the place that counts last.
    pub default_runtime_places: Vec<Place>,
    /// Whether there is a v1alpha1 document.
    pub has_v1alpha1: bool,
}

/// A kernel module as it stands in a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleView {
    /// The name as written where it counts.
    pub name: String,
    /// The parameters that count.
    pub parameters: Vec<String>,
    /// Where it stands, the place that counts last. More than one is legal.
    pub places: Vec<Place>,
}

/// A place in a configuration, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The document, counted from 1.
    pub document: usize,
    /// The line, counted from 1.
    pub line: usize,
    /// In the v1alpha1 document or in a document of its own.
    pub form: Form,
}

/// The two forms in which Talos takes the same setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// A key of the v1alpha1 document.
    V1Alpha1,
    /// A document of its own kind.
    Document,
}

/// The result of [`edit`].
#[derive(Clone, Debug)]
pub struct Edited {
    /// The whole configuration after the edit.
    pub bytes: Vec<u8>,
    /// What to remember for taking it back.
    pub record: Record,
    /// What was done, in order; empty when the configuration was as wanted.
    pub changes: Vec<Change>,
    /// Whether `machine.files` changes, which up to Talos 1.13 takes a reboot.
    pub touches_files: bool,
}

/// One thing that an edit did, for a plan or a diagnostic. Never holds anything that is not ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What it is about.
    pub subject: Subject,
    /// What happened to it.
    pub action: Action,
    /// Where.
    pub place: Place,
    /// What stood there before, where something of the same key did.
    pub before: Option<String>,
    /// What stands there now.
    pub after: Option<String>,
}

/// What a [`Change`] is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A kernel module, by normalised name.
    Module(String),
    /// A sysctl, by key.
    Sysctl(String),
    /// The default runtime.
    DefaultRuntime,
}

/// What a [`Change`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The key stood nowhere and was written.
    Add,
    /// The key stood there with another value.
    Set,
    /// The key was ours and was taken out.
    Remove,
    /// The key was there before us and got its old value back.
    Restore,
}

/// A module's name as the kernel compares it: `nvidia-uvm` and `nvidia_uvm` are one module.
#[must_use]
pub fn normal_name(name: &str) -> String {
    name.replace('-', "_")
}

#[cfg(test)]
mod tests;
