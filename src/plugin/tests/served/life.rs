//! The life of the process: its end, and work that has to go on or to stop.

use crate::{
    client::{Session, create, decoded, plan, summaries, thing},
    gate::Gate,
    go_plugin::{Empty, grpc_controller_client::GrpcControllerClient},
    process::is_gone,
    wire::{get_metadata, stop_provider},
};

#[tokio::test]
async fn shutdown_ends_the_process_and_takes_the_socket_away() {
    let session = Session::start().await;
    let socket = session.process.socket();
    assert!(!is_gone(&socket));
    session.shut_down().await;
    assert!(is_gone(&socket));
}

#[tokio::test]
async fn an_interrupt_is_left_to_the_cli() {
    let session = Session::start().await;
    session.provider().get_metadata(get_metadata::Request {}).await.unwrap();
    session.process.signal("INT");
    session.provider().get_metadata(get_metadata::Request {}).await.unwrap();
    session.shut_down().await;
}

#[tokio::test]
async fn a_stop_ends_a_wait_and_what_is_known_is_returned() {
    let (session, gate) = (Session::start().await, Gate::new());
    let mut provider = session.provider();
    let request = create([("name", "n".into()), ("gate", gate.path().into())]);
    let apply = tokio::spawn(async move { provider.apply_resource_change(request).await });
    let mut waiting = gate.arrival().await;
    assert_eq!(waiting.name, "create");

    session.provider().stop_provider(stop_provider::Request {}).await.unwrap();
    assert_eq!(waiting.says().await.as_deref(), Some("stopped"));
    let answer = apply.await.unwrap().unwrap().into_inner();
    assert_eq!(summaries(&answer.diagnostics), ["Stopped"]);
    assert_eq!(decoded(answer.new_state.as_ref()).get("out"), &"half".into());

    // The process goes on, and what comes later is not stopped.
    let mut provider = session.provider();
    let request = create([("name", "n".into()), ("gate", gate.path().into())]);
    let apply = tokio::spawn(async move { provider.apply_resource_change(request).await });
    let mut waiting = gate.arrival().await;
    waiting.let_pass().await;
    assert_eq!(waiting.says().await.as_deref(), Some("passed"));
    assert!(apply.await.unwrap().unwrap().into_inner().diagnostics.is_empty());
    session.shut_down().await;
}

#[tokio::test]
async fn an_apply_goes_on_when_its_call_is_dropped_and_a_plan_does_not() {
    let (session, gate) = (Session::start().await, Gate::new());
    let mut provider = session.provider();
    let request = create([("name", "n".into()), ("gate", gate.path().into())]);
    let apply = tokio::spawn(async move { provider.apply_resource_change(request).await });
    let mut applying = gate.arrival().await;
    apply.abort();
    assert!(apply.await.unwrap_err().is_cancelled());

    let mut provider = session.provider();
    let config = thing([("name", "n".into()), ("fault", "wait in plan".into()), ("gate", gate.path().into())]);
    let planning = tokio::spawn(async move { provider.plan_resource_change(plan(None, config)).await });
    let mut plan = gate.arrival().await;
    planning.abort();
    // The connection to the gate closes with the plan that held it: the server has seen that its calls were dropped.
    assert_eq!(plan.says().await, None);

    applying.let_pass().await;
    assert_eq!(applying.says().await.as_deref(), Some("passed"));
    session.shut_down().await;
}

#[tokio::test]
async fn a_shutdown_during_an_apply_stops_it_and_waits_for_it() {
    let (session, gate) = (Session::start().await, Gate::new());
    let mut provider = session.provider();
    let request = create([("name", "n".into()), ("gate", gate.path().into())]);
    let apply = tokio::spawn(async move { provider.apply_resource_change(request).await });
    let mut waiting = gate.arrival().await;
    drop(GrpcControllerClient::new(session.channel.clone()).shutdown(Empty {}).await);
    assert_eq!(waiting.says().await.as_deref(), Some("stopped"));
    assert_eq!(waiting.says().await, None);
    let Session { process, .. } = session;
    let (status, ..) = tokio::task::spawn_blocking(|| process.ended()).await.unwrap();
    assert!(status.success(), "{status}");
    drop(apply.await);
}

#[tokio::test]
async fn a_process_whose_client_went_away_without_a_word_ends() {
    let session = Session::start().await;
    let socket = session.process.socket();
    session.provider().get_metadata(get_metadata::Request {}).await.unwrap();
    let Session { process, channel } = session;
    drop(channel);
    // On another thread: the client's half of the connection needs this one to close.
    let (status, ..) = tokio::task::spawn_blocking(|| process.ended()).await.unwrap();
    assert!(status.success(), "{status}");
    assert!(is_gone(&socket));
}
