//! StopProvider: the user pressed Ctrl-C. Waits end; the calls under way return what they know, and the process goes on.

use crate::{
    server::Server,
    wire::tfplugin6::stop_provider::{Request, Response},
};

pub(crate) async fn handle(server: &Server, _request: Request) -> Response {
    server.life.stop();
    Response::default()
}
