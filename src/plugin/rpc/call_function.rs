//! CallFunction: there are none, so every name is unknown.

use crate::{
    server::Server,
    wire::tfplugin6::{
        FunctionError,
        call_function::{Request, Response},
    },
};

pub(crate) async fn handle(_server: &Server, request: Request) -> Response {
    let text = format!("This release of the provider has no function \"{}\".", request.name);
    Response { result: None, error: Some(FunctionError { text, function_argument: None }) }
}
