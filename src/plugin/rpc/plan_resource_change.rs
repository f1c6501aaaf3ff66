//! PlanResourceChange: what an apply would make of the object, or that a destroy would take it away.

use super::{decoded, encoded, report};
use crate::{
    context::Context,
    diagnostics::Diagnostics,
    panics::caught,
    private::Private,
    provider::{DeleteRequest, PlanRequest},
    rules::{Operation, check, plan},
    server::Server,
    value::Value,
    wire::{
        diagnostics, path,
        tfplugin6::plan_resource_change::{Request, Response},
    },
};

pub(crate) async fn handle(server: &Server, request: Request) -> Response {
    let mut messages = Diagnostics::new();
    let context = server.context(request.client_capabilities);
    let planned = caught(planned(server, &context, request, &mut messages)).await.unwrap_or_else(|panic| {
        panic.report("PlanResourceChange", &mut messages);
        None
    });
    let response = planned.filter(|_| !messages.has_errors()).unwrap_or_default();
    Response { diagnostics: diagnostics(messages), ..response }
}

async fn planned(server: &Server, context: &Context, request: Request, messages: &mut Diagnostics) -> Option<Response> {
    let served = server.resource(&request.type_name, messages)?;
    let (schema, ty) = (&served.form.schema, &served.form.ty);
    let prior = decoded("The stored object", request.prior_state.as_ref(), ty, messages)?;
    let proposed = decoded("The proposed object", request.proposed_new_state.as_ref(), ty, messages)?;
    let config = decoded("The configuration", request.config.as_ref(), ty, messages)?;
    let private = Private(request.prior_private);

    if proposed.is_null() {
        // The delete gets the private state from here.
        let planned_private = private.0.clone();
        served.resource.plan_destroy(context, DeleteRequest { prior, private }, messages).await;
        let planned_state = encoded(&Value::Null, ty, messages);
        return Some(Response { planned_state, planned_private, ..Response::default() });
    }

    let prior = (!prior.is_null()).then_some(prior);
    let start = plan::propose(schema, &config, prior.as_ref(), proposed);
    let asked = PlanRequest { config: config.clone(), prior: prior.clone(), planned: start, private };
    let answer = served.resource.plan(context, asked, messages).await;
    if messages.has_errors() {
        return None;
    }
    let broken = check::plan(schema, &config, prior.as_ref(), &answer.state, &answer.replace);
    report(&server.binary, &request.type_name, Operation::Plan, &broken, messages);
    if !broken.is_empty() {
        return None;
    }
    // A create replaces nothing.
    let replace =
        prior.map(|prior| plan::replacements(schema, &prior, &answer.state, &answer.replace)).unwrap_or_default();
    Some(Response {
        planned_state: encoded(&answer.state, ty, messages),
        requires_replace: replace.iter().map(path).collect(),
        planned_private: answer.private.0,
        ..Response::default()
    })
}
