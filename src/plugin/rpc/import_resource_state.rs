//! ImportResourceState: finds an existing object by its id. A read follows at once.

use super::{encoded, report};
use crate::{
    context::Context,
    diagnostics::Diagnostics,
    panics::caught,
    path::Path,
    rules::{Operation, check},
    server::Server,
    value::{Type, Value},
    wire::{
        diagnostics,
        tfplugin6::import_resource_state::{ImportedResource, Request, Response},
    },
};

pub(crate) async fn handle(server: &Server, request: Request) -> Response {
    let mut messages = Diagnostics::new();
    let context = server.context(request.client_capabilities);
    let imported = caught(imported(server, &context, request, &mut messages)).await.unwrap_or_else(|panic| {
        panic.report("ImportResourceState", &mut messages);
        None
    });
    let imported = imported.filter(|_| !messages.has_errors());
    Response {
        imported_resources: imported.into_iter().collect(),
        diagnostics: diagnostics(messages),
        ..Response::default()
    }
}

async fn imported(
    server: &Server,
    context: &Context,
    request: Request,
    messages: &mut Diagnostics,
) -> Option<ImportedResource> {
    let served = server.resource(&request.type_name, messages)?;
    let found = served.resource.import(context, &request.id, messages).await;
    let Some(found) = found else {
        if !messages.has_errors() {
            messages.error(
                Path::root(),
                "Cannot import",
                format!("There is no {} with the id \"{}\".", request.type_name, request.id),
            );
        }
        return None;
    };
    let state = completed(found.state, &served.form.ty);
    let broken = check::import(&served.form.schema, Some(&state));
    report(&server.binary, &request.type_name, Operation::Import, &broken, messages);
    if !broken.is_empty() {
        return None;
    }
    Some(ImportedResource {
        type_name: request.type_name,
        state: encoded(&state, &served.form.ty, messages),
        private: found.private.0,
        identity: None,
    })
}

/// The object with the attributes that the resource left out as null.
fn completed(state: Value, ty: &Type) -> Value {
    let (Value::Object(mut state), Type::Object(attributes)) = (state, ty) else { return Value::Null };
    for name in attributes.keys() {
        state.entry(name.clone()).or_insert(Value::Null);
    }
    Value::Object(state)
}
