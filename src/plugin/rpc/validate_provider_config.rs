//! ValidateProviderConfig: the schema's rules, which Terraform leaves to the provider, and then the provider's own.

use super::decoded;
use crate::{
    diagnostics::Diagnostics,
    panics::caught,
    rules::validate::validate,
    server::Server,
    wire::{
        diagnostics,
        tfplugin6::validate_provider_config::{Request, Response},
    },
};

pub(crate) async fn handle(server: &Server, request: Request) -> Response {
    let mut messages = Diagnostics::new();
    // The call does not say what the CLI can do, and a provider block has no use for a write-only attribute.
    let context = server.context(None);
    let validated = async {
        let form = &server.served().provider;
        if let Some(config) = decoded("The provider block", request.config.as_ref(), &form.ty, &mut messages) {
            validate(&form.schema, &config, context.write_only_attributes_allowed, &mut messages);
            server.provider.validate(&context, &config, &mut messages).await;
        }
    };
    if let Err(panic) = caught(validated).await {
        panic.report("ValidateProviderConfig", &mut messages);
    }
    Response { diagnostics: diagnostics(messages) }
}
