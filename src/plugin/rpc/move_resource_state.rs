//! MoveResourceState: not offered in the capabilities; whoever asks all the same is told what to do.

use crate::{
    diagnostics::Diagnostics,
    path::Path,
    server::Server,
    wire::{
        diagnostics,
        tfplugin6::move_resource_state::{Request, Response},
    },
};

pub(crate) async fn handle(_server: &Server, request: Request) -> Response {
    let mut messages = Diagnostics::new();
    let (source, target) = (request.source_type_name, request.target_type_name);
    messages.error(
        Path::root(),
        "A move between resource types is not supported",
        format!(
            "{target} cannot take over the state of {source} ({}). Import the object as {target}, and take {source} out \
             of the state with a removed block.",
            request.source_provider_address
        ),
    );
    Response { diagnostics: diagnostics(messages), ..Response::default() }
}
