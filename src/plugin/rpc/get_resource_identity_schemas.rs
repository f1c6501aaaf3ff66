//! GetResourceIdentitySchemas: no resource has an identity beside its attributes.

use crate::{
    server::Server,
    wire::tfplugin6::get_resource_identity_schemas::{Request, Response},
};

pub(crate) async fn handle(_server: &Server, _request: Request) -> Response {
    Response::default()
}
