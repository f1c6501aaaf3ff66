//! UpgradeResourceState: the JSON of the state file as an object of the current schema. Asked for every object of every
//! plan, also when its version is the current one.

use super::{encoded, report};
use crate::{
    codec::json,
    diagnostics::Diagnostics,
    panics::caught,
    path::Path,
    rules::{Operation, check},
    server::Server,
    wire::{
        diagnostics,
        tfplugin6::{
            DynamicValue,
            upgrade_resource_state::{Request, Response},
        },
    },
};

pub(crate) async fn handle(server: &Server, request: Request) -> Response {
    let mut messages = Diagnostics::new();
    let upgraded = caught(async { upgraded(server, request, &mut messages) }).await;
    let upgraded_state = upgraded.unwrap_or_else(|panic| {
        panic.report("UpgradeResourceState", &mut messages);
        None
    });
    Response { upgraded_state, diagnostics: diagnostics(messages) }
}

fn upgraded(server: &Server, request: Request, messages: &mut Diagnostics) -> Option<DynamicValue> {
    let served = server.resource(&request.type_name, messages)?;
    let raw = request.raw_state.unwrap_or_default();
    let refused = |messages: &mut Diagnostics, why: String| {
        messages.error(Path::root(), "The stored object cannot be read", why);
    };
    if raw.json.is_empty() {
        refused(messages, "It was written by a Terraform older than 0.12, before this provider existed.".to_owned());
        return None;
    }
    let stored = match serde_json::from_slice(&raw.json) {
        Ok(stored) => stored,
        Err(error) => {
            refused(messages, format!("What is stored for {} is not JSON: {error}.", request.type_name));
            return None;
        }
    };
    let current = served.form.schema.version;
    let brought_up = match request.version.cmp(&current) {
        std::cmp::Ordering::Equal => Ok(stored),
        std::cmp::Ordering::Less => served.resource.upgrade(request.version, stored),
        std::cmp::Ordering::Greater => Err(format!(
            "It has schema version {}, and this release of the provider knows {} up to version {current}. Use the \
             release that wrote it, or a newer one.",
            request.version, request.type_name
        )),
    };
    let state = brought_up.and_then(|stored| {
        json::from_json(&stored, &served.form.ty)
            .map_err(|error| format!("What is stored for {} does not fit its schema: {error}.", request.type_name))
    });
    match state {
        Ok(state) => {
            let broken = check::upgrade(&served.form.schema, &state);
            report(&server.binary, &request.type_name, Operation::Upgrade, &broken, messages);
            encoded(&state, &served.form.ty, messages)
        }
        Err(why) => {
            refused(messages, why);
            None
        }
    }
}
