//! GetMetadata: the names of what is served. No CLI asks; multiplexers do.

use super::capabilities;
use crate::{
    diagnostics::Diagnostics,
    panics::caught,
    server::Server,
    wire::{
        diagnostics,
        tfplugin6::get_metadata::{Request, Response, TypeName},
    },
};

pub(crate) async fn handle(server: &Server, _request: Request) -> Response {
    let mut messages = Diagnostics::new();
    let names = caught(async {
        let served = server.served();
        let name = |name: &&'static str| TypeName { type_name: (*name).to_owned() };
        Response {
            resources: served.resources.keys().map(name).collect(),
            data_sources: served.data_sources.keys().map(name).collect(),
            ..Response::default()
        }
    });
    let response = names.await.unwrap_or_else(|panic| {
        panic.report("GetMetadata", &mut messages);
        Response::default()
    });
    Response { server_capabilities: Some(capabilities()), diagnostics: diagnostics(messages), ..response }
}
