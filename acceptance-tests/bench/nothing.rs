//! The provider that does nothing: the same server and schemas with resources that read nothing, plan nothing and keep
//! what is stored. What is left is what the command line and the protocol cost.
//!
//! The bench serves it itself, so that it is the same code in the same profile: a command line that starts this program
//! sets what a plugin is started with.

use std::fs;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use harness::{Case, Cli, Minor, Workspace};
use plugin::{
    Applied, ApplyRequest, Attribute, Context, DeleteRequest, Diagnostics, PlanRequest, Planned, Provider, ReadRequest,
    Resource, Schema, ServeOptions, Type, Value, async_trait,
};

/// A resource of one attribute, as small as one can be.
pub(crate) const LEAST: &str = "nvidia_nothing";

/// Is this process one that a command line started as a provider?
pub(crate) fn is_asked_for() -> bool {
    std::env::var_os("TF_PLUGIN_MAGIC_COOKIE").is_some()
}

pub(crate) fn serve() -> ExitCode {
    plugin::serve(
        Nothing(provider::Nvidia::new()),
        ServeOptions {
            name: "nvidia",
            version: env!("CARGO_PKG_VERSION"),
            address: "registry.terraform.io/talos-gpu/nvidia",
            rooms: &[],
        },
    )
}

/// A workspace over it with the configuration and the state of another one, and the case that it belongs to.
pub(crate) struct Twin {
    pub(crate) workspace: Workspace,
    _case: Case,
}

impl Twin {
    pub(crate) fn of(ours: &Workspace) -> Result<Self> {
        let case = case()?;
        let workspace = case.workspace(&fs::read_to_string(ours.path().join("main.tf"))?)?;
        workspace.set_state_file(&ours.state_file()?)?;
        Ok(Self { workspace, _case: case })
    }
}

/// A case whose provider is this one.
pub(crate) fn case() -> Result<Case> {
    Case::new(Cli::Terraform, Minor(13), &std::env::current_exe()?)
}

/// The product's own schemas, so that it serves over a state that the product wrote, and the least one.
struct Nothing(provider::Nvidia);

#[async_trait]
impl Provider for Nothing {
    fn schema(&self) -> Schema {
        self.0.schema()
    }

    fn resources(&self) -> Vec<Arc<dyn Resource>> {
        let ours = self.0.resources().into_iter().map(|ours| (ours.type_name(), ours.schema()));
        let least = Schema { attributes: vec![Attribute::required("input", Type::String)], ..Schema::default() };
        ours.chain([(LEAST, least)])
            .map(|(type_name, schema)| Arc::new(Still { type_name, schema }) as Arc<dyn Resource>)
            .collect()
    }

    async fn configure(&self, _context: &Context, _config: &Value, _diagnostics: &mut Diagnostics) {}
}

/// Stays as it is.
struct Still {
    type_name: &'static str,
    schema: Schema,
}

#[async_trait]
impl Resource for Still {
    fn type_name(&self) -> &'static str {
        self.type_name
    }

    fn schema(&self) -> Schema {
        self.schema.clone()
    }

    async fn plan(&self, _context: &Context, request: PlanRequest, _diagnostics: &mut Diagnostics) -> Planned {
        let PlanRequest { prior, planned, private, .. } = request;
        Planned { state: prior.unwrap_or(planned), replace: Vec::new(), private }
    }

    async fn read(&self, _context: &Context, request: ReadRequest, _diagnostics: &mut Diagnostics) -> Option<Applied> {
        Some(Applied { state: request.state, private: request.private })
    }

    async fn create(
        &self,
        _context: &Context,
        request: ApplyRequest,
        _diagnostics: &mut Diagnostics,
    ) -> Option<Applied> {
        Some(Applied { state: request.planned, private: request.private })
    }

    async fn update(&self, _context: &Context, request: ApplyRequest, _diagnostics: &mut Diagnostics) -> Applied {
        Applied { state: request.planned, private: request.private }
    }

    async fn delete(
        &self,
        _context: &Context,
        _request: DeleteRequest,
        _diagnostics: &mut Diagnostics,
    ) -> Option<Applied> {
        None
    }
}
