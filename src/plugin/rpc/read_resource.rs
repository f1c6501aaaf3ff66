//! ReadResource: the stored object as it is now. After an error the stored object stays as it was.

use super::{decoded, encoded, report};
use crate::{
    context::Context,
    diagnostics::Diagnostics,
    panics::caught,
    private::Private,
    provider::{Applied, ReadRequest},
    rules::{Operation, check},
    server::Server,
    value::Value,
    wire::{
        diagnostics,
        tfplugin6::{
            DynamicValue,
            read_resource::{Request, Response},
        },
    },
};

pub(crate) async fn handle(server: &Server, request: Request) -> Response {
    let mut messages = Diagnostics::new();
    let context = server.context(request.client_capabilities);
    let read = caught(read(server, &context, &request, &mut messages)).await.unwrap_or_else(|panic| {
        panic.report("ReadResource", &mut messages);
        None
    });
    let (new_state, private) = match read {
        Some((state, private)) => (Some(state), private.0),
        None => (request.current_state, request.private),
    };
    Response { new_state, private, diagnostics: diagnostics(messages), ..Response::default() }
}

async fn read(
    server: &Server,
    context: &Context,
    request: &Request,
    messages: &mut Diagnostics,
) -> Option<(DynamicValue, Private)> {
    let served = server.resource(&request.type_name, messages)?;
    let state = decoded("The stored object", request.current_state.as_ref(), &served.form.ty, messages)?;
    let now = if state.is_null() {
        None
    } else {
        let request = ReadRequest { state, private: Private(request.private.clone()) };
        served.resource.read(context, request, messages).await
    };
    let now = now.unwrap_or(Applied { state: Value::Null, private: Private::empty() });
    if messages.has_errors() {
        return None;
    }
    let broken = check::read(&served.form.schema, Some(&now.state));
    report(&server.binary, &request.type_name, Operation::Read, &broken, messages);
    if !broken.is_empty() {
        return None;
    }
    Some((encoded(&now.state, &served.form.ty, messages)?, now.private))
}
