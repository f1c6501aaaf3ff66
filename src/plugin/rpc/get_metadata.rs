//! GetMetadata: the names of what is served. No CLI asks; multiplexers do.

use super::capabilities;
use crate::{
    server::Server,
    wire::tfplugin6::get_metadata::{Request, Response, TypeName},
};

pub(crate) async fn handle(server: &Server, _request: Request) -> Response {
    let served = server.served();
    let name = |name: &&'static str| TypeName { type_name: (*name).to_owned() };
    Response {
        server_capabilities: Some(capabilities()),
        resources: served.resources.keys().map(name).collect(),
        data_sources: served.data_sources.keys().map(name).collect(),
        ..Response::default()
    }
}
