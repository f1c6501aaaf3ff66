//! GetFunctions: there are none. OpenTofu asks when a configuration calls one that the schema does not have.

use crate::{
    server::Server,
    wire::tfplugin6::get_functions::{Request, Response},
};

pub(crate) async fn handle(_server: &Server, _request: Request) -> Response {
    Response::default()
}
