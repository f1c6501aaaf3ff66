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

use super::{decoded, encoded, report};
use crate::{
    context::Context,
    diagnostics::Diagnostics,
    panics::caught,
    path::Path,
    private::Private,
    provider::{Applied, ApplyRequest, DeleteRequest},
    rules::{Operation, check},
    server::{ServedResource, Server},
    value::Value,
    wire::{
        self, diagnostics,
        tfplugin6::apply_resource_change::{Request, Response},
    },
};

/// One change, with all that it needs: it may outlive the call that asked for it.
struct Work {
    served: ServedResource,
    binary: String,
    context: Context,
    change: Change,
}

enum Change {
    Create(ApplyRequest),
    Update(ApplyRequest),
    Delete(DeleteRequest),
}

pub(crate) async fn handle(server: &Server, request: Request) -> Response {
    let mut messages = Diagnostics::new();
    let understood = caught(async { understood(server, &request, &mut messages) }).await.unwrap_or_else(|panic| {
        panic.report("ApplyResourceChange", &mut messages);
        None
    });
    let done = match understood {
        None => None,
        Some(work) => match server.life.finish(work.done()).await {
            Ok((response, more)) => {
                messages.extend(more);
                Some(response)
            }
            // Panics of the resource are caught further in, and nobody aborts the task: this is for the compiler.
            Err(error) => {
                messages.error(Path::root(), "Bug in the provider: an apply was lost", error.to_string());
                None
            }
        },
    };
    // Without an answer nothing was done: what was stored stays.
    let response = done.unwrap_or_else(|| Response {
        new_state: request.prior_state,
        private: request.planned_private,
        ..Response::default()
    });
    Response { diagnostics: diagnostics(messages), ..response }
}

fn understood(server: &Server, request: &Request, messages: &mut Diagnostics) -> Option<Work> {
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
    // The call does not say what the CLI can do.
    Some(Work { served, binary: server.binary.clone(), context: server.context(None), change })
}

impl Work {
    async fn done(self) -> (Response, Diagnostics) {
        let mut messages = Diagnostics::new();
        let Self { served, binary, context, change } = self;
        let (feared, planned) = change.feared();
        let result = caught(change.carried_out(&served, &context, &mut messages)).await.unwrap_or_else(|panic| {
            panic.report("ApplyResourceChange", &mut messages);
            Some(feared.clone())
        });

        let failed = messages.has_errors();
        let state = result.as_ref().map(|result| &result.state);
        let broken = match &planned {
            Some(planned) => check::apply(&served.form.schema, planned, state, failed),
            None => check::delete(&served.form.schema, state, failed),
        };
        report(&binary, served.resource.type_name(), Operation::Apply, &broken, &mut messages);

        let mut result = result.unwrap_or(Applied { state: Value::Null, private: Private::empty() });
        if messages.has_errors() {
            result.state = result.state.unknown_as_null();
        }
        // What is of another type was reported above; it must not lose the object from the state as well.
        let ty = &served.form.ty;
        let new_state = wire::encode(&result.state, ty)
            .ok()
            .or_else(|| encoded(&feared.state.unknown_as_null(), ty, &mut messages));
        (Response { new_state, private: result.private.0, ..Response::default() }, messages)
    }
}

impl Change {
    /// What to store when nobody can say what is there, and the planned object of a create or an update.
    fn feared(&self) -> (Applied, Option<Value>) {
        let keep = |state: &Value, private: &Private| Applied { state: state.clone(), private: private.clone() };
        match self {
            Self::Create(request) => (keep(&request.planned, &request.private), Some(request.planned.clone())),
            Self::Update(request) => (keep(&request.prior, &request.private), Some(request.planned.clone())),
            Self::Delete(request) => (keep(&request.prior, &request.private), None),
        }
    }

    async fn carried_out(
        self,
        served: &ServedResource,
        context: &Context,
        messages: &mut Diagnostics,
    ) -> Option<Applied> {
        match self {
            Self::Create(request) => served.resource.create(context, request, messages).await,
            Self::Update(request) => Some(served.resource.update(context, request, messages).await),
            Self::Delete(request) => {
                let stored = Applied { state: request.prior.clone(), private: request.private.clone() };
                let left = served.resource.delete(context, request, messages).await;
                // Gone and failed at once is no answer; losing the object from the state would be the worse mistake.
                left.or_else(|| messages.has_errors().then_some(stored))
            }
        }
    }
}
