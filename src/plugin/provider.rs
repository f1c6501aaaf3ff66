//! What a provider is made of: the traits that the product implements and the server drives.
//!
//! The server keeps Terraform's bookkeeping to itself: defaults, marking what is not yet known, replacement, panics,
//! and the rules that Terraform checks (a broken rule is reported as a bug of the provider, with the attribute path).

use std::sync::Arc;

use async_trait::async_trait;

use crate::{context::Context, diagnostics::Diagnostics, path::Path, private::Private, schema::Schema, value::Value};

/// A provider: its own block, and what it serves.
#[async_trait]
pub trait Provider: Send + Sync + 'static {
    /// Schema of the provider block.
    fn schema(&self) -> Schema;

    /// All resources.
    fn resources(&self) -> Vec<Arc<dyn Resource>>;

    /// All data sources.
    fn data_sources(&self) -> Vec<Arc<dyn DataSource>> {
        Vec::new()
    }

    /// Checks the provider block beyond what its schema says. Unknown values are expected.
    async fn validate(&self, _context: &Context, _config: &Value, _diagnostics: &mut Diagnostics) {}

    /// Takes the provider block for the calls that follow. Parts of it may be unknown during a plan. Nothing connects
    /// here. May be called again in one process (`--debug`).
    async fn configure(&self, context: &Context, config: &Value, diagnostics: &mut Diagnostics);
}

/// A plan of a create or an update.
#[derive(Clone, Debug)]
pub struct PlanRequest {
    /// The user's own values; computed attributes are null in it.
    pub config: Value,
    /// The stored object; `None` for a create.
    pub prior: Option<Value>,
    /// The proposed object with defaults filled in and, when anything differs from `prior` (or on a create), every
    /// computed attribute without a value in the configuration and without a default unknown.
    pub planned: Value,
    /// As the last apply, read or import returned it.
    pub private: Private,
}

/// The answer to a [`PlanRequest`].
#[derive(Clone, Debug)]
pub struct Planned {
    /// The planned object.
    pub state: Value,
    /// Paths whose change needs a new object, beside those of attributes that say so in the schema.
    pub replace: Vec<Path>,
    /// Given to the apply, and to the second plan of a replacement.
    pub private: Private,
}

/// A read of a stored object.
#[derive(Clone, Debug)]
pub struct ReadRequest {
    /// The stored object, as the last apply, read or import returned it.
    pub state: Value,
    /// Stored beside it.
    pub private: Private,
}

/// A create or an update.
#[derive(Clone, Debug)]
pub struct ApplyRequest {
    /// The user's own values, write-only ones included.
    pub config: Value,
    /// The stored object; null for a create.
    pub prior: Value,
    /// The planned object: what is known in it must come back identical.
    pub planned: Value,
    /// As the plan returned it.
    pub private: Private,
}

/// A delete.
#[derive(Clone, Debug)]
pub struct DeleteRequest {
    /// The stored object.
    pub prior: Value,
    /// Stored beside it.
    pub private: Private,
}

/// An object as it is now, to be stored.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The object. What is still unknown in it becomes null when an error is reported beside it.
    pub state: Value,
    /// Stored beside it.
    pub private: Private,
}

/// The answer to an import: a read follows at once.
pub type Imported = Applied;

/// A resource type.
///
/// Methods report through `diagnostics`. What `create`, `update` and `delete` return is stored even when an error was
/// reported: `None` from a create means that nothing exists (and nothing is stored), `None` from a delete that it is gone.
#[async_trait]
pub trait Resource: Send + Sync + 'static {
    /// The type name, such as `nvidia_runtime_class`.
    fn type_name(&self) -> &'static str;

    /// Its schema.
    fn schema(&self) -> Schema;

    /// Checks a configuration beyond what the schema says. Unknown values are expected; nothing connects.
    async fn validate(&self, _context: &Context, _config: &Value, _diagnostics: &mut Diagnostics) {}

    /// Plans a create or an update: a function of the request. Live facts may give diagnostics, never planned values.
    async fn plan(&self, context: &Context, request: PlanRequest, diagnostics: &mut Diagnostics) -> Planned;

    /// Looks at a planned destroy: may warn, must not fail on a check.
    async fn plan_destroy(&self, _context: &Context, _request: DeleteRequest, _diagnostics: &mut Diagnostics) {}

    /// Reads the object. `None`: it is definitely gone. On an error the server keeps the stored object, whatever is returned.
    async fn read(&self, context: &Context, request: ReadRequest, diagnostics: &mut Diagnostics) -> Option<Applied>;

    /// Makes the object.
    async fn create(&self, context: &Context, request: ApplyRequest, diagnostics: &mut Diagnostics) -> Option<Applied>;

    /// Changes the object. After an error, return what is really there (the prior object when nothing changed).
    async fn update(&self, context: &Context, request: ApplyRequest, diagnostics: &mut Diagnostics) -> Applied;

    /// Takes the object away. `Some`: it is still there, as returned (with an error reported).
    async fn delete(&self, context: &Context, request: DeleteRequest, diagnostics: &mut Diagnostics)
    -> Option<Applied>;

    /// Finds an existing object by the id that the user gave. `None` with an error when the id is not one. Attributes
    /// that the answer does not hold are null.
    async fn import(&self, _context: &Context, _id: &str, diagnostics: &mut Diagnostics) -> Option<Imported> {
        diagnostics.error(
            Path::root(),
            "Import is not supported",
            format!(
                "{} cannot be imported: there is no object outside of Terraform that it could stand for.",
                self.type_name()
            ),
        );
        None
    }

    /// Brings the JSON of a state with an older schema version up to the current one. The server then decodes it by the
    /// current schema: missing attributes are null, unknown ones are dropped.
    ///
    /// # Errors
    /// A sentence that says why this version cannot be upgraded.
    fn upgrade(&self, version: i64, _state: serde_json::Value) -> Result<serde_json::Value, String> {
        Err(format!(
            "The state of {} has schema version {version}, which no release of this provider has written.",
            self.type_name()
        ))
    }
}

/// A data source.
#[async_trait]
pub trait DataSource: Send + Sync + 'static {
    /// The type name.
    fn type_name(&self) -> &'static str;

    /// Its schema.
    fn schema(&self) -> Schema;

    /// Checks a configuration beyond what the schema says.
    async fn validate(&self, _context: &Context, _config: &Value, _diagnostics: &mut Diagnostics) {}

    /// Reads it. The configuration is wholly known. `None` only with an error.
    async fn read(&self, context: &Context, config: Value, diagnostics: &mut Diagnostics) -> Option<Value>;
}
