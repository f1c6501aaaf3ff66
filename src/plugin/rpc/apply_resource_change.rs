//! ApplyResourceChange: create, update or delete. What it returns is stored, after an error too, so every way out of
//! here says what is really there:
//!
//! | what happened | what is stored |
//! |---|---|
//! | create failed and nothing exists | nothing |
//! | create failed half way | what is known of it; Terraform marks it as tainted |
//! | update failed | what the resource says is there |
//! | delete failed | the object, as it was or as the resource says |
//! | the resource panicked | for a create the planned object (it may exist), else the stored one |

use super::{decoded, encoded};
use crate::{
    context::Context,
    diagnostics::Diagnostics,
    panics::caught,
    path::Path,
    private::Private,
    provider::{Applied, ApplyRequest, DeleteRequest},
    rules_stub::{check, plan},
    server::{ServedResource, Server},
    value::Value,
    wire::{
        diagnostics,
        tfplugin6::apply_resource_change::{Request, Response},
    },
};

enum Change {
    Create(ApplyRequest),
    Update(ApplyRequest),
    Delete(DeleteRequest),
}

pub(crate) async fn handle(server: &Server, request: Request) -> Response {
    let mut messages = Diagnostics::new();
    let context = server.context(None);
    let understood = caught(async { understood(server, &request, &mut messages) }).await.unwrap_or_else(|panic| {
        panic.report("ApplyResourceChange", &mut messages);
        None
    });
    let applied = match understood {
        None => None,
        Some((served, change)) => match server.life.finish(applied(served, context, change)).await {
            Ok((response, more)) => {
                messages.extend(more);
                response
            }
            Err(error) => {
                tracing::error!(%error, "an apply was lost");
                messages.error(Path::root(), "Bug in the provider: an apply was lost", error.to_string());
                None
            }
        },
    };
    // Without an answer nothing was done: what was stored stays.
    let response = applied.unwrap_or_else(|| Response {
        new_state: request.prior_state,
        private: request.planned_private,
        ..Response::default()
    });
    Response { diagnostics: diagnostics(messages), ..response }
}

fn understood(server: &Server, request: &Request, messages: &mut Diagnostics) -> Option<(ServedResource, Change)> {
    let served = server.resource(&request.type_name, messages)?;
    let ty = &served.form.ty;
    let prior = decoded("The stored object", request.prior_state.as_ref(), ty, messages)?;
    let planned = decoded("The planned object", request.planned_state.as_ref(), ty, messages)?;
    let config = decoded("The configuration", request.config.as_ref(), ty, messages)?;
    let private = Private(request.planned_private.clone());
    let change = match (prior.is_null(), planned.is_null()) {
        (_, true) => Change::Delete(DeleteRequest { prior, private }),
        (true, false) => Change::Create(ApplyRequest { config, prior, planned, private }),
        (false, false) => Change::Update(ApplyRequest { config, prior, planned, private }),
    };
    Some((served, change))
}

async fn applied(served: ServedResource, context: Context, change: Change) -> (Option<Response>, Diagnostics) {
    let mut messages = Diagnostics::new();
    let (feared, planned) = match &change {
        Change::Create(request) => (keep(&request.planned, &request.private), Some(request.planned.clone())),
        Change::Update(request) => (keep(&request.prior, &request.private), Some(request.planned.clone())),
        Change::Delete(request) => (keep(&request.prior, &request.private), None),
    };
    let after = caught(carried_out(&served, &context, change, &mut messages)).await.unwrap_or_else(|panic| {
        panic.report("ApplyResourceChange", &mut messages);
        Some(feared.clone())
    });
    let mut after = after.unwrap_or(Applied { state: Value::Null, private: Private::empty() });
    if messages.has_errors() {
        // Nothing unknown can be stored, and a rule about success does not hold for a failure.
        after.state = plan::unknowns_to_null(after.state);
    } else {
        check::applied(&served.form.schema, planned.as_ref(), &after.state, &mut messages);
        if messages.has_errors() {
            after.state = plan::unknowns_to_null(after.state);
        }
    }
    let new_state = encoded(&after.state, &served.form.ty, &mut messages)
        .or_else(|| encoded(&plan::unknowns_to_null(feared.state), &served.form.ty, &mut messages));
    (Some(Response { new_state, private: after.private.0, ..Response::default() }), messages)
}

fn keep(state: &Value, private: &Private) -> Applied {
    Applied { state: state.clone(), private: private.clone() }
}

async fn carried_out(
    served: &ServedResource,
    context: &Context,
    change: Change,
    messages: &mut Diagnostics,
) -> Option<Applied> {
    match change {
        Change::Create(request) => served.resource.create(context, request, messages).await,
        Change::Update(request) => Some(served.resource.update(context, request, messages).await),
        Change::Delete(request) => {
            let stored = keep(&request.prior, &request.private);
            let left = served.resource.delete(context, request, messages).await;
            // Gone and failed at once is not an answer; losing the object from the state would be the worse mistake.
            left.or_else(|| messages.has_errors().then_some(stored))
        }
    }
}
