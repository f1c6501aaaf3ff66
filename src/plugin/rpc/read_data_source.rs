//! ReadDataSource: looks something up.

use super::{decoded, encoded, report};
use crate::{
    context::Context,
    diagnostics::Diagnostics,
    panics::caught,
    rules::{Operation, check},
    server::Server,
    wire::{
        diagnostics,
        tfplugin6::{
            DynamicValue,
            read_data_source::{Request, Response},
        },
    },
};

pub(crate) async fn handle(server: &Server, request: Request) -> Response {
    let mut messages = Diagnostics::new();
    let context = server.context(request.client_capabilities);
    let state = caught(read(server, &context, &request, &mut messages)).await.unwrap_or_else(|panic| {
        panic.report("ReadDataSource", &mut messages);
        None
    });
    Response { state, diagnostics: diagnostics(messages), ..Response::default() }
}

async fn read(
    server: &Server,
    context: &Context,
    request: &Request,
    messages: &mut Diagnostics,
) -> Option<DynamicValue> {
    let served = server.data_source(&request.type_name, messages)?;
    let config = decoded("The configuration", request.config.as_ref(), &served.form.ty, messages)?;
    let found = served.source.read(context, config, messages).await;
    if messages.has_errors() {
        return None;
    }
    let broken = check::data_source(&served.form.schema, found.as_ref());
    report(&server.binary, &request.type_name, Operation::ReadDataSource, &broken, messages);
    if !broken.is_empty() {
        return None;
    }
    encoded(&found?, &served.form.ty, messages)
}
