//! The program around a provider: its arguments, the handshake with the CLI, and the server.
//!
//! What comes before the handshake line is what every command of every user waits for, several times over: a
//! certificate and a socket, and nothing else. The runtime is made while the CLI reads the line.

use std::{
    error::Error as StdError,
    io::{self, Write},
    process::ExitCode,
    sync::Arc,
};

use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server as Tonic;

use crate::{
    handshake::{self, Environment},
    life::{self, Life},
    listen::{self, Bound},
    log, panics,
    provider::Provider,
    server::Server,
    services::{Broker, Controller, Healthy, Stdio},
    tls,
    wire::{
        go_plugin::{
            grpc_broker_server::GrpcBrokerServer, grpc_controller_server::GrpcControllerServer,
            grpc_stdio_server::GrpcStdioServer,
        },
        health::health_server::HealthServer,
        tfplugin6::provider_server::ProviderServer,
    },
};

/// What Terraform itself takes and sends. tonic's 4 MiB are less than a large state.
const LARGEST_MESSAGE: usize = 256 << 20;

/// Handshakes that may be done before the server takes their connections.
const BACKLOG: usize = 4;

/// Who the provider is.
#[derive(Clone, Copy, Debug)]
pub struct ServeOptions {
    /// The provider's type, such as `nvidia`: the part of the binary's name after `terraform-provider-`.
    pub name: &'static str,
    /// The release, without a `v`.
    pub version: &'static str,
    /// The source address that users write, such as `registry.terraform.io/talos-gpu/nvidia`.
    pub address: &'static str,
    /// Crates whose events are logged beside those of this one. Other crates may trace payloads, so none is by default.
    pub rooms: &'static [&'static str],
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Tls(#[from] tls::Error),
    #[error(transparent)]
    Listen(#[from] listen::Error),
    #[error("writing to stdout")]
    Stdout(#[source] io::Error),
    #[error("starting the runtime")]
    Runtime(#[source] io::Error),
    #[error("serving")]
    Serve(#[source] tonic::transport::Error),
}

/// How the process was started.
#[derive(Debug, PartialEq, Eq)]
enum Start {
    Serve,
    Debug,
    Version,
    Help,
    Unknown(String),
}

impl Start {
    fn of(arguments: impl IntoIterator<Item = String>) -> Self {
        match arguments.into_iter().next().as_deref() {
            None => Self::Serve,
            Some("--debug" | "-debug") => Self::Debug,
            Some("--version" | "-version" | "-V") => Self::Version,
            Some("--help" | "-help" | "-h") => Self::Help,
            Some(other) => Self::Unknown(other.to_owned()),
        }
    }
}

/// Serves `provider` to the CLI that started this process, until it says Shutdown.
///
/// A person who starts it gets its version, its help or a server to attach to (`--debug`).
pub fn serve(provider: impl Provider, options: ServeOptions) -> ExitCode {
    let arguments = std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned());
    let environment = Environment::of_process();
    match Start::of(arguments) {
        Start::Version => say(&format!("terraform-provider-{} {}\n", options.name, options.version)),
        Start::Help => say(&help(&options)),
        Start::Unknown(argument) => fail(&format!("unknown argument {argument}\n\n{}", help(&options)), 2),
        Start::Serve if !environment.by_cli => fail(
            &format!(
                "This is a plugin of Terraform and OpenTofu, which start it themselves. To use it, name it in a \
                 configuration:\n\n{}\nRun it with --help to see what else it can do.\n",
                example(&options)
            ),
            1,
        ),
        Start::Serve => done(run(provider, options, &environment, Mode::Cli)),
        // Whoever attaches brings no certificate: the connection is plaintext, on a socket of the user alone.
        Start::Debug => {
            let environment = Environment { client_certificate: None, ..environment };
            done(run(provider, options, &environment, Mode::Debug))
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Cli,
    Debug,
}

fn run(provider: impl Provider, options: ServeOptions, environment: &Environment, mode: Mode) -> Result<(), Error> {
    let tls = environment.client_certificate.as_deref().map(tls::Server::for_client).transpose()?;
    let bound = Bound::new(environment)?;
    let address = bound.address.clone();
    let line = match mode {
        Mode::Cli => handshake::line(&address, tls.as_ref().map(|tls| &tls.certificate), environment.asks_multiplex),
        Mode::Debug => reattach(&options, &address),
    };
    handshake::announce(&line).map_err(Error::Stdout).inspect_err(|_| address.unlink())?;

    log::start(options.name, options.rooms);
    panics::install_hook();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()
        .map_err(Error::Runtime)?;
    runtime.block_on(async move {
        let life = Arc::new(Life::new(address));
        let (open, watched) = watch::channel(0);
        match mode {
            Mode::Cli => {
                life::ignore_interrupt();
                tokio::spawn(life::end_when_orphaned(Arc::clone(&life), watched));
            }
            Mode::Debug => {
                let life = Arc::clone(&life);
                tokio::spawn(async move {
                    drop(tokio::signal::ctrl_c().await);
                    life.end().await;
                });
            }
        }
        let (sender, connections) = mpsc::channel(BACKLOG);
        let acceptor = bound.acceptor().map_err(Error::Runtime)?;
        tokio::spawn(listen::accept(acceptor, tls.map(|tls| tls.acceptor), open, sender));

        let provider = ProviderServer::new(Server::new(provider, options.name, Arc::clone(&life)))
            .max_decoding_message_size(LARGEST_MESSAGE)
            .max_encoding_message_size(LARGEST_MESSAGE);
        tracing::info!(version = options.version, "serving");
        Tonic::builder()
            .add_service(provider)
            .add_service(GrpcControllerServer::new(Controller(life)))
            .add_service(GrpcBrokerServer::new(Broker))
            .add_service(GrpcStdioServer::new(Stdio))
            .add_service(HealthServer::new(Healthy))
            .serve_with_incoming(ReceiverStream::new(connections))
            .await
            .map_err(Error::Serve)
    })
}

/// Threads that run calls. Two, so that one call that computes does not keep a StopProvider waiting.
const WORKERS: usize = 2;

fn reattach(options: &ServeOptions, address: &listen::Address) -> String {
    let (network, place) = address.parts();
    // `Test` is what keeps the CLI from ending a process that it did not start.
    let servers = serde_json::json!({
        options.address: {
            "Protocol": "grpc",
            "ProtocolVersion": handshake::PROTOCOL,
            "Pid": std::process::id(),
            "Test": true,
            "Addr": { "Network": network, "String": place },
        }
    });
    format!(
        "Provider started. To attach Terraform CLI, set the TF_REATTACH_PROVIDERS environment variable with the \
         following:\n\n\tTF_REATTACH_PROVIDERS='{servers}'\n\nCtrl-C ends it.\n"
    )
}

fn example(options: &ServeOptions) -> String {
    let source = options.address.strip_prefix("registry.terraform.io/").unwrap_or(options.address);
    format!(
        "terraform {{\n  required_providers {{\n    {} = {{\n      source = \"{source}\"\n    }}\n  }}\n}}\n",
        options.name
    )
}

fn help(options: &ServeOptions) -> String {
    format!(
        "terraform-provider-{} {}\n\nA plugin of Terraform and OpenTofu, which start it themselves.\n\n\
         --debug    serve to a CLI that attaches with TF_REATTACH_PROVIDERS, until Ctrl-C\n\
         --version  print the version\n\
         --help     print this\n\n\
         TF_LOG_PROVIDER_{}, TF_LOG_PROVIDER or TF_LOG set the level of the log.\n",
        options.name,
        options.version,
        options.name.to_uppercase().replace('-', "_"),
    )
}

fn say(text: &str) -> ExitCode {
    match handshake::announce(text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn fail(text: &str, code: u8) -> ExitCode {
    // Nobody is left to tell when stderr is closed.
    drop(io::stderr().lock().write_all(text.as_bytes()));
    ExitCode::from(code)
}

fn done(outcome: Result<(), Error>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let causes = std::iter::successors(error.source(), |cause| (*cause).source());
            let text = causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
            fail(&format!("The provider did not start: {text}.\n"), 1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: ServeOptions =
        ServeOptions { name: "mini", version: "1.2.3", address: "registry.terraform.io/x/mini", rooms: &[] };

    #[test]
    fn the_arguments_say_what_to_do() {
        for (given, expected) in [
            (&[][..], Start::Serve),
            (&["--debug"], Start::Debug),
            (&["-debug"], Start::Debug),
            (&["--version"], Start::Version),
            (&["-h"], Start::Help),
            (&["serve"], Start::Unknown("serve".to_owned())),
        ] {
            assert_eq!(Start::of(given.iter().map(|&argument| argument.to_owned())), expected, "{given:?}");
        }
    }

    #[test]
    fn the_debug_text_holds_what_the_cli_reads() {
        let text = reattach(&OPTIONS, &listen::Address::Unix("/tmp/plugin1".into()));
        let (_, json) = text.split_once("TF_REATTACH_PROVIDERS='").unwrap();
        let servers: serde_json::Value = serde_json::from_str(json.split_once('\'').unwrap().0).unwrap();
        let server = &servers["registry.terraform.io/x/mini"];
        assert_eq!(server["ProtocolVersion"], 6);
        assert_eq!(server["Test"], true);
        assert_eq!(server["Addr"], serde_json::json!({ "Network": "unix", "String": "/tmp/plugin1" }));
    }

    #[test]
    fn the_example_names_the_source_as_users_write_it() {
        assert!(example(&OPTIONS).contains("source = \"x/mini\""));
    }
}
