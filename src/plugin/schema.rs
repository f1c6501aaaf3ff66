//! The schema of a resource, data source or provider block: one definition of an attribute gives Terraform's
//! schema, the validation, the default and the text of the docs.

mod check;
mod types;

use std::sync::Arc;

pub use check::provider_problems;

use crate::{
    diagnostics::Diagnostics,
    path::Path,
    value::{Type, Value},
};

/// A schema, with nested attributes and without blocks.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    /// Version of the stored state; grows when an old state has to be upgraded.
    pub version: i64,
    /// Markdown.
    pub description: String,
    /// In the order in which the docs name them.
    pub attributes: Vec<Attribute>,
}

/// Who gives the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The user must.
    Required,
    /// The user may.
    Optional,
    /// Only the provider does.
    Computed,
    /// The user may, else the provider does.
    OptionalComputed,
}

/// How nested attributes are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nesting {
    /// One object.
    Single,
    /// Objects in order.
    List,
    /// Objects without order.
    Set,
    /// Objects under string keys.
    Map,
}

/// What an attribute holds.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A value of a type.
    Plain(Type),
    /// Objects with attributes of their own.
    Nested(Nesting, Vec<Attribute>),
}

/// One attribute. Made with [`Attribute::required`] and its sisters, then refined by the methods.
#[derive(Clone, Debug)]
pub struct Attribute {
    /// In snake case.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Who gives the value.
    pub mode: Mode,
    /// Markdown: meaning, units, default, versions where it differs.
    pub description: String,
    /// Planned when the configuration has none. Only for [`Mode::OptionalComputed`].
    pub default: Option<Value>,
    /// A change of it replaces the resource.
    pub replaces: bool,
    /// Masked by Terraform wherever it is shown.
    pub sensitive: bool,
    /// Never in plan or state (Terraform 1.11, OpenTofu 1.11).
    pub write_only: bool,
    /// What to use in its place.
    pub deprecated: Option<&'static str>,
    /// Rules that a known, given value must keep.
    pub validators: Vec<Validator>,
}

/// Adds an error at the path, or beneath it, when the value breaks the rule.
pub type Check = Arc<dyn Fn(&Value, &Path, &mut Diagnostics) + Send + Sync>;

/// A rule for known, given values.
#[derive(Clone)]
pub struct Validator {
    /// The rule in words, for the docs: "one of `a`, `b`".
    pub rule: String,
    /// Adds an error at the path (or beneath it) when the value breaks the rule. Never sees null; sees unknown only
    /// inside a collection, and passes over it.
    pub check: Check,
}

impl std::fmt::Debug for Validator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Validator").field("rule", &self.rule).finish_non_exhaustive()
    }
}

impl Attribute {
    fn new(name: &'static str, kind: Kind, mode: Mode) -> Self {
        Self {
            name,
            kind,
            mode,
            description: String::new(),
            default: None,
            replaces: false,
            sensitive: false,
            write_only: false,
            deprecated: None,
            validators: Vec::new(),
        }
    }

    /// The user must give it.
    pub fn required(name: &'static str, ty: Type) -> Self {
        Self::new(name, Kind::Plain(ty), Mode::Required)
    }

    /// The user may give it; without, it is null.
    pub fn optional(name: &'static str, ty: Type) -> Self {
        Self::new(name, Kind::Plain(ty), Mode::Optional)
    }

    /// Only the provider gives it.
    pub fn computed(name: &'static str, ty: Type) -> Self {
        Self::new(name, Kind::Plain(ty), Mode::Computed)
    }

    /// The user may give it, else the provider does.
    pub fn optional_computed(name: &'static str, ty: Type) -> Self {
        Self::new(name, Kind::Plain(ty), Mode::OptionalComputed)
    }

    /// Objects with attributes of their own.
    pub fn nested(name: &'static str, mode: Mode, nesting: Nesting, attributes: Vec<Attribute>) -> Self {
        Self::new(name, Kind::Nested(nesting, attributes), mode)
    }

    /// With this text.
    #[must_use]
    pub fn describe(mut self, markdown: impl Into<String>) -> Self {
        self.description = markdown.into();
        self
    }

    /// Optional and computed, with this value when the configuration has none.
    #[must_use]
    pub fn default_to(mut self, value: impl Into<Value>) -> Self {
        self.mode = Mode::OptionalComputed;
        self.default = Some(value.into());
        self
    }

    /// A change replaces the resource.
    #[must_use]
    pub fn replaces(mut self) -> Self {
        self.replaces = true;
        self
    }

    /// Masked wherever Terraform shows it.
    #[must_use]
    pub fn sensitive(mut self) -> Self {
        self.sensitive = true;
        self
    }

    /// In the configuration alone, never in plan or state.
    #[must_use]
    pub fn write_only(mut self) -> Self {
        self.write_only = true;
        self
    }

    /// Deprecated, with what to use in its place.
    #[must_use]
    pub fn deprecated(mut self, message: &'static str) -> Self {
        self.deprecated = Some(message);
        self
    }

    /// With a rule.
    #[must_use]
    pub fn validate(mut self, validator: Validator) -> Self {
        self.validators.push(validator);
        self
    }
}
