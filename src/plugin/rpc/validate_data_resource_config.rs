//! ValidateDataResourceConfig: the schema's rules, which Terraform leaves to the provider, and then the data source's own.

use super::decoded;
use crate::{
    context::Context,
    diagnostics::Diagnostics,
    panics::caught,
    rules::validate::validate,
    server::Server,
    wire::{
        diagnostics,
        tfplugin6::validate_data_resource_config::{Request, Response},
    },
};

pub(crate) async fn handle(server: &Server, request: Request) -> Response {
    let mut messages = Diagnostics::new();
    let context = server.context(None);
    if let Err(panic) = caught(validated(server, &context, &request, &mut messages)).await {
        panic.report("ValidateDataResourceConfig", &mut messages);
    }
    Response { diagnostics: diagnostics(messages) }
}

async fn validated(server: &Server, context: &Context, request: &Request, messages: &mut Diagnostics) -> Option<()> {
    let served = server.data_source(&request.type_name, messages)?;
    let config = decoded("The configuration", request.config.as_ref(), &served.form.ty, messages)?;
    validate(&served.form.schema, &config, context.write_only_attributes_allowed, messages);
    served.source.validate(context, &config, messages).await;
    Some(())
}
