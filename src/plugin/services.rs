//! The services beside the provider itself: go-plugin's, and the health check.

use std::sync::Arc;

use tokio_stream::StreamExt;
use tonic::{Request, Response, Status, Streaming, codegen::BoxStream};

use crate::{
    life::Life,
    wire::{
        go_plugin::{
            ConnInfo, Empty, StdioData, grpc_broker_server::GrpcBroker, grpc_controller_server::GrpcController,
            grpc_stdio_server::GrpcStdio,
        },
        health::{
            HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus, health_server::Health,
        },
    },
};

/// Ends the process.
pub(crate) struct Controller(pub(crate) Arc<Life>);

#[tonic::async_trait]
impl GrpcController for Controller {
    /// The CLI waits for the process to end, not for an answer, and kills it after two seconds. So it ends right here.
    async fn shutdown(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        if self.0.is_idle() {
            self.0.exit();
        }
        // The user has asked twice to stop, and a change is half done: it gets what is left of the two seconds.
        let life = Arc::clone(&self.0);
        tokio::spawn(async move { life.end().await });
        Ok(Response::new(Empty {}))
    }
}

/// Offers no further connections. The CLI opens the stream at once and keeps it for as long as it lives.
pub(crate) struct Broker;

#[tonic::async_trait]
impl GrpcBroker for Broker {
    async fn start_stream(
        &self,
        request: Request<Streaming<ConnInfo>>,
    ) -> Result<Response<BoxStream<ConnInfo>>, Status> {
        // Read, so that it ends when the CLI ends it, and answered with nothing.
        let offers = request.into_inner();
        Ok(Response::new(Box::pin(offers.filter_map(|_| None))))
    }
}

/// Forwards no standard streams: what is written to them goes to the CLI as it is.
pub(crate) struct Stdio;

#[tonic::async_trait]
impl GrpcStdio for Stdio {
    async fn stream_stdio(&self, _: Request<()>) -> Result<Response<BoxStream<StdioData>>, Status> {
        Ok(Response::new(Box::pin(tokio_stream::pending())))
    }
}

/// Serving, for as long as it answers.
pub(crate) struct Healthy;

#[tonic::async_trait]
impl Health for Healthy {
    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        match request.into_inner().service.as_str() {
            "" | "plugin" => Ok(Response::new(HealthCheckResponse { status: ServingStatus::Serving.into() })),
            other => Err(Status::not_found(format!("there is no service \"{other}\" to ask about"))),
        }
    }
}
