//! Several endpoints: which one is asked, and when the next one is.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use talos::client::{ApplyMode, ConfigId};
use talos::error::{CertificateProblem, Unreachable};
use talos::{Client, Endpoint, ErrorKind};

use crate::node::TestNode;

/// A client that goes through these endpoints, in this order.
fn client(test: &TestNode, endpoints: Vec<Endpoint>) -> Client {
    let mut config = test.config("talosconfig");
    config.endpoints = endpoints;
    Client::new(config).unwrap()
}

fn dead_endpoint() -> Endpoint {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string().parse().unwrap()
}

/// Two control plane nodes with endpoints of their own, and a worker behind both.
fn two_endpoints() -> Value {
    json!({"endpoint": "10.0.0.1", "nodes": [
        {"name": "10.0.0.1"},
        {"name": "10.0.0.2", "type": "controlplane", "listen": "127.0.0.1:0"},
        {"name": "10.0.0.5", "type": "worker"},
    ]})
}

#[tokio::test]
async fn a_call_goes_to_the_next_endpoint_when_one_cannot_be_dialled_also_a_write() {
    let test = TestNode::start();
    let node = client(&test, vec![dead_endpoint(), test.endpoint()]).node("127.0.0.1", None);
    let active = node.machine_config(ConfigId::Active).await.unwrap().unwrap();
    let fresh = client(&test, vec![dead_endpoint(), test.endpoint()]).node("127.0.0.1", None);
    fresh.apply_configuration(&active.bytes, ApplyMode::NoReboot, false).await.unwrap();
    assert_eq!(test.count("ApplyConfiguration"), 1);
}

#[tokio::test]
async fn an_endpoint_that_failed_is_asked_last_from_then_on() {
    let test = TestNode::start();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let broken: Endpoint = listener.local_addr().unwrap().to_string().parse().unwrap();
    let dials = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&dials);
    std::thread::spawn(move || {
        while listener.accept().is_ok() {
            seen.fetch_add(1, Ordering::SeqCst);
        }
    });
    let node = client(&test, vec![broken, test.endpoint()]).node("127.0.0.1", None);
    for _ in 0..3 {
        node.version().await.unwrap();
    }
    assert_eq!(dials.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_read_goes_to_the_next_endpoint_when_one_has_no_way_to_the_node() {
    let test = TestNode::scripted(&two_endpoints());
    test.post("/nodes/10.0.0.5/fault", &json!({"method": "Version", "do": "unavailable"}));
    let endpoints = vec![test.endpoint(), test.endpoint_of("10.0.0.2")];
    client(&test, endpoints).node("10.0.0.5", None).version().await.unwrap();
    assert_eq!(test.count("Version"), 2);
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_reported_and_not_sent_again() {
    let test = TestNode::scripted(&two_endpoints());
    let endpoints = vec![test.endpoint(), test.endpoint_of("10.0.0.2")];
    let node = client(&test, endpoints).node("10.0.0.5", None);
    let active = node.machine_config(ConfigId::Active).await.unwrap().unwrap();
    test.post("/nodes/10.0.0.5/fault", &json!({"method": "ApplyConfiguration", "when": "after", "do": "unavailable"}));
    let error = node.apply_configuration(&active.bytes, ApplyMode::NoReboot, false).await.unwrap_err();
    assert!(error.may_have_been_carried_out() && error.is_unreachable());
    assert_eq!(test.count("ApplyConfiguration"), 1);
    assert_eq!(node.machine_config(ConfigId::Active).await.unwrap().unwrap().version, active.version + 1);
}

#[tokio::test]
async fn a_refusal_is_an_answer_and_no_reason_to_ask_another_endpoint() {
    let maintenance = TestNode::scripted(&json!({"nodes": [{"name": "127.0.0.1", "maintenance": true}]}));
    let test = TestNode::start();
    let node = client(&test, vec![maintenance.endpoint(), test.endpoint()]).node("127.0.0.1", None);
    let error = node.version().await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Certificate(CertificateProblem::MaintenanceMode));
    assert_eq!(test.connections(), 0);
}

#[tokio::test]
async fn when_no_endpoint_answers_the_error_names_them_all() {
    let test = TestNode::start();
    let (first, last) = (dead_endpoint(), dead_endpoint());
    let node = client(&test, vec![first.clone(), last.clone()]).node("10.0.0.5", None);
    let error = node.version().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unreachable(Unreachable::NoConnection(_))), "{error:?}");
    let text = error.to_string();
    let start = format!("Version of node 10.0.0.5 through endpoint {last} failed (as did {first}: no connection");
    assert!(text.starts_with(&start), "{text}");
}

#[tokio::test]
async fn an_endpoint_can_be_an_ipv6_address() {
    let test = TestNode::with("1.13", "[::1]:0", &Value::Null);
    assert!(test.endpoint().to_string().starts_with("[::1]:"));
    let node = test.client().node("::1", None);
    assert_eq!(node.version().await.unwrap().tag, "v1.13.9");
    assert_eq!(test.client().node("[::1]", None).version().await.unwrap().tag, "v1.13.9");
}

#[tokio::test]
async fn without_endpoints_a_node_is_its_own() {
    let test = TestNode::start();
    let node = client(&test, Vec::new()).node("10.0.0.5", None);
    assert_eq!(node.endpoints(), ["10.0.0.5".parse::<Endpoint>().unwrap()]);
    let given = client(&test, Vec::new()).node("127.0.0.1", Some(&test.endpoint()));
    assert_eq!(given.endpoints(), [test.endpoint()]);
    given.version().await.unwrap();
}
