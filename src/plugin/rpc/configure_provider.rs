//! ConfigureProvider: takes the provider block, parts of which may be unknown during a plan.

use super::decoded;
use crate::{
    diagnostics::Diagnostics,
    panics::caught,
    server::Server,
    wire::{
        diagnostics,
        tfplugin6::configure_provider::{Request, Response},
    },
};

pub(crate) async fn handle(server: &Server, request: Request) -> Response {
    let mut messages = Diagnostics::new();
    let context = server.context(request.client_capabilities);
    let configured = async {
        let form = &server.served().provider;
        if let Some(config) = decoded("The provider block", request.config.as_ref(), &form.ty, &mut messages) {
            server.provider.configure(&context, &config, &mut messages).await;
        }
    };
    if let Err(panic) = caught(configured).await {
        panic.report("ConfigureProvider", &mut messages);
    }
    Response { diagnostics: diagnostics(messages) }
}
