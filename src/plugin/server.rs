//! The provider service: finds what a call is about, runs it, and logs that it ran. Each call has a file in `rpc`.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
    time::Instant,
};

use tonic::{Request, Response, Status};
use tracing::Instrument;

use crate::{
    context::Context,
    diagnostics::Diagnostics,
    life::Life,
    path::Path,
    provider::{DataSource, Provider, Resource},
    rpc,
    schema::Schema,
    value::Type,
    wire::tfplugin6::{self as wire, provider_server},
};

/// What a provider serves, asked for once.
pub(crate) struct Served {
    pub(crate) provider: Form,
    pub(crate) resources: BTreeMap<&'static str, ServedResource>,
    pub(crate) data_sources: BTreeMap<&'static str, ServedDataSource>,
}

/// A schema, and the type of the objects that it describes.
pub(crate) struct Form {
    pub(crate) schema: Schema,
    pub(crate) ty: Type,
}

impl From<Schema> for Form {
    fn from(schema: Schema) -> Self {
        Self { ty: schema.object_type(), schema }
    }
}

/// A resource type.
#[derive(Clone)]
pub(crate) struct ServedResource {
    pub(crate) resource: Arc<dyn Resource>,
    pub(crate) form: Arc<Form>,
}

/// A data source type.
#[derive(Clone)]
pub(crate) struct ServedDataSource {
    pub(crate) source: Arc<dyn DataSource>,
    pub(crate) form: Arc<Form>,
}

/// A provider in this process.
pub(crate) struct Server {
    pub(crate) provider: Box<dyn Provider>,
    pub(crate) life: Arc<Life>,
    /// The name by which users know the program.
    pub(crate) binary: String,
    served: OnceLock<Served>,
}

impl Server {
    pub(crate) fn new(provider: impl Provider, name: &str, life: Arc<Life>) -> Self {
        Self {
            provider: Box::new(provider),
            life,
            binary: format!("terraform-provider-{name}"),
            served: OnceLock::new(),
        }
    }

    /// Made at the first call that needs it, whichever that is: a CLI that knows the schema does not ask for it.
    pub(crate) fn served(&self) -> &Served {
        self.served.get_or_init(|| Served {
            provider: self.provider.schema().into(),
            resources: self
                .provider
                .resources()
                .into_iter()
                .map(|resource| {
                    let form = Arc::new(Form::from(resource.schema()));
                    (resource.type_name(), ServedResource { resource, form })
                })
                .collect(),
            data_sources: self
                .provider
                .data_sources()
                .into_iter()
                .map(|source| {
                    let form = Arc::new(Form::from(source.schema()));
                    (source.type_name(), ServedDataSource { source, form })
                })
                .collect(),
        })
    }

    /// The resource type of a call. A name that is not served is an error of the call.
    pub(crate) fn resource(&self, type_name: &str, diagnostics: &mut Diagnostics) -> Option<ServedResource> {
        let found = self.served().resources.get(type_name).cloned();
        if found.is_none() {
            unknown_type("resource", type_name, self.served().resources.keys(), diagnostics);
        }
        found
    }

    /// The data source type of a call.
    pub(crate) fn data_source(&self, type_name: &str, diagnostics: &mut Diagnostics) -> Option<ServedDataSource> {
        let found = self.served().data_sources.get(type_name).cloned();
        if found.is_none() {
            unknown_type("data source", type_name, self.served().data_sources.keys(), diagnostics);
        }
        found
    }

    /// The surroundings of a call.
    pub(crate) fn context(&self, client: Option<wire::ClientCapabilities>) -> Context {
        Context {
            stop: self.life.stop_token(),
            write_only_attributes_allowed: client.unwrap_or_default().write_only_attributes_allowed,
        }
    }
}

fn unknown_type<'a>(
    what: &str,
    type_name: &str,
    served: impl Iterator<Item = &'a &'static str>,
    diagnostics: &mut Diagnostics,
) {
    let served = served.copied().collect::<Vec<_>>().join(", ");
    let served = if served.is_empty() { "none".to_owned() } else { served };
    diagnostics.error(
        Path::root(),
        format!("Unknown {what} type"),
        format!("This release of the provider has no {what} \"{type_name}\". It has: {served}."),
    );
}

/// Runs one call and logs it, without what it carries.
async fn call<T>(
    name: &'static str,
    type_name: &str,
    work: impl Future<Output = T> + Send,
) -> Result<Response<T>, Status> {
    let started = Instant::now();
    let span = tracing::info_span!("rpc", tf_rpc = name, tf_type = (!type_name.is_empty()).then_some(type_name));
    async {
        let answer = work.await;
        tracing::debug!(duration_ms = started.elapsed().as_secs_f64() * 1e3, "call served");
        Ok(Response::new(answer))
    }
    .instrument(span)
    .await
}

/// The service's methods: `method, message, file of rpc, type name of the request`.
macro_rules! serve {
    ($($method:ident $message:ident ($request:ident) $about:expr;)*) => {
        #[tonic::async_trait]
        impl provider_server::Provider for Server {
            $(
                async fn $method(
                    &self,
                    request: Request<wire::$method::Request>,
                ) -> Result<Response<wire::$method::Response>, Status> {
                    let $request = request.into_inner();
                    let about: String = $about;
                    call(stringify!($message), &about, rpc::$method::handle(self, $request)).await
                }
            )*
        }
    };
}

serve! {
    get_metadata GetMetadata (request) String::new();
    get_provider_schema GetProviderSchema (request) String::new();
    get_resource_identity_schemas GetResourceIdentitySchemas (request) String::new();
    validate_provider_config ValidateProviderConfig (request) String::new();
    configure_provider ConfigureProvider (request) String::new();
    stop_provider StopProvider (request) String::new();
    validate_resource_config ValidateResourceConfig (request) request.type_name.clone();
    upgrade_resource_state UpgradeResourceState (request) request.type_name.clone();
    read_resource ReadResource (request) request.type_name.clone();
    plan_resource_change PlanResourceChange (request) request.type_name.clone();
    apply_resource_change ApplyResourceChange (request) request.type_name.clone();
    import_resource_state ImportResourceState (request) request.type_name.clone();
    move_resource_state MoveResourceState (request) request.target_type_name.clone();
    validate_data_resource_config ValidateDataResourceConfig (request) request.type_name.clone();
    read_data_source ReadDataSource (request) request.type_name.clone();
    get_functions GetFunctions (request) String::new();
    call_function CallFunction (request) request.name.clone();
}
