//! GetProviderSchema: everything that is served, with its schema. The CLI asks once a command and keeps the answer.

use super::capabilities;
use crate::{
    diagnostics::Diagnostics,
    panics::caught,
    server::Server,
    wire::{
        self, diagnostics,
        tfplugin6::get_provider_schema::{Request, Response},
    },
};

pub(crate) async fn handle(server: &Server, _request: Request) -> Response {
    let schemas = caught(async {
        let served = server.served();
        Response {
            // Must be there, even for a provider without a block.
            provider: Some(wire::schema(&served.provider.schema)),
            resource_schemas: served
                .resources
                .iter()
                .map(|(name, it)| (name.to_string(), wire::schema(&it.form.schema)))
                .collect(),
            data_source_schemas: served
                .data_sources
                .iter()
                .map(|(name, it)| (name.to_string(), wire::schema(&it.form.schema)))
                .collect(),
            ..Response::default()
        }
    });
    let mut messages = Diagnostics::new();
    let response = schemas.await.unwrap_or_else(|panic| {
        panic.report("GetProviderSchema", &mut messages);
        Response::default()
    });
    Response { server_capabilities: Some(capabilities()), diagnostics: diagnostics(messages), ..response }
}
