//! Connections: how many there are, and what happens to calls when one breaks.

use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use serde_json::{Value, json};
use talos::client::{ApplyMode, ConfigId};
use talos::error::Unreachable;
use talos::{ConfigBytes, ErrorKind};
use tokio::time::Instant;

use crate::node::TestNode;
use crate::proxy::Proxy;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_calls_to_fifty_nodes_at_once_share_one_connection() {
    let script: Value = json!({"endpoint": "10.0.0.1", "nodes": [
        {"name": "10.0.0.1"},
        {"name": "10.1.0.%d", "count": 50, "type": "worker"},
    ]});
    let test = TestNode::scripted(&script);
    let client = test.client();
    let nodes: Vec<_> = (0..100).map(|n| client.clone().node(&format!("10.1.0.{}", n % 50), None)).collect();
    let versions = try_join_all(nodes.iter().map(talos::Node::version)).await.unwrap();
    assert_eq!(versions.len(), 100);
    assert_eq!(test.connections(), 1);
    assert_eq!(test.count("Version"), 100);
}

#[tokio::test]
async fn nothing_is_dialled_before_the_first_call() {
    let test = TestNode::start();
    let node = test.node();
    assert_eq!((node.name(), test.connections()), ("127.0.0.1", 0));
    node.version().await.unwrap();
    assert_eq!(test.connections(), 1);
}

#[tokio::test]
async fn a_read_whose_connection_breaks_is_made_again_over_a_new_one() {
    let test = TestNode::start();
    let node = test.node();
    node.version().await.unwrap();
    for when in ["before", "after"] {
        test.fault(&json!({"method": "Version", "when": when, "do": "drop"}));
        assert_eq!(node.version().await.unwrap().tag, "v1.13.9");
    }
    assert_eq!((test.connections(), test.count("Version")), (3, 5));
}

#[tokio::test]
async fn a_write_whose_connection_breaks_is_reported_and_not_sent_again() {
    for (when, applied) in [("before", 0), ("after", 1)] {
        let test = TestNode::start();
        let node = test.node();
        let active = node.machine_config(ConfigId::Active).await.unwrap().unwrap();
        test.fault(&json!({"method": "ApplyConfiguration", "when": when, "do": "drop"}));
        let error = node.apply_configuration(&active.bytes, ApplyMode::NoReboot, false).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Unreachable(Unreachable::Lost(_))), "{error:?}");
        assert!(error.may_have_been_carried_out());
        let after = node.machine_config(ConfigId::Active).await.unwrap().unwrap();
        assert_eq!(after.version, active.version + applied, "{when}");
        assert_eq!(test.count("ApplyConfiguration"), 1);
    }
}

#[tokio::test]
async fn a_reboot_whose_connection_breaks_is_not_asked_for_twice() {
    let test = TestNode::start();
    test.fault(&json!({"method": "Reboot", "do": "drop"}));
    let error = test.node().reboot().await.unwrap_err();
    assert!(error.may_have_been_carried_out());
    // The fault is for one call: a second one would have succeeded. The node may break the connection before it logs the call.
    while test.count("Reboot") == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(test.count("Reboot"), 1);
}

#[tokio::test]
async fn a_node_that_comes_back_is_found_again() {
    let mut test = TestNode::start();
    let node = test.node();
    let active = node.machine_config(ConfigId::Active).await.unwrap().unwrap();
    test.restart();
    node.version().await.unwrap();
    node.apply_configuration(&active.bytes, ApplyMode::NoReboot, false).await.unwrap();
}

#[tokio::test]
async fn a_call_that_is_dropped_takes_nobody_elses_with_it() {
    let test = TestNode::start();
    let node = test.node();
    // Dropped while the shared dial is under way.
    drop(tokio::time::timeout(Duration::ZERO, node.version()).await);
    let calls = join_all((0..5).map(|_| node.version())).await;
    assert!(calls.iter().all(Result::is_ok), "{calls:?}");
    // Dropped while the node works on it.
    test.fault(&json!({"method": "Dmesg", "do": "hold"}));
    let held = tokio::spawn({
        let node = node.clone();
        async move { node.dmesg().await }
    });
    while test.get("/nodes/127.0.0.1/state")["held"].as_array().is_none_or(Vec::is_empty) {
        node.version().await.unwrap();
    }
    held.abort();
    assert!(held.await.unwrap_err().is_cancelled());
    node.version().await.unwrap();
    assert_eq!(test.connections(), 1);
}

#[tokio::test]
async fn a_connection_on_which_nothing_comes_any_more_is_replaced() {
    let test = TestNode::start();
    let proxy = Proxy::to(test.address()).await;
    let node = test.client().node("127.0.0.1", Some(&proxy.endpoint()));
    node.version().await.unwrap();
    proxy.go_dark();
    let late = node.clone().with_deadline(Instant::now() + Duration::from_millis(100));
    assert_eq!(late.version().await.unwrap_err().kind(), &ErrorKind::DeadlineExceeded);
    node.version().await.unwrap();
    assert_eq!(proxy.accepted(), 2);
}

#[tokio::test]
async fn an_apply_of_two_at_once_is_one_after_the_other_or_refused_as_busy() {
    let test = TestNode::with("1.14", "127.0.0.1:0", &Value::Null);
    let node = test.node();
    let active = node.machine_config(ConfigId::Active).await.unwrap().unwrap();
    let bytes: Vec<ConfigBytes> =
        (0..10).map(|n| [active.bytes.expose(), format!("\n# {n}\n").as_bytes()].concat().into()).collect();
    let outcomes =
        join_all(bytes.iter().map(|bytes| node.apply_configuration(bytes, ApplyMode::NoReboot, false))).await;
    let accepted = outcomes.iter().filter(|outcome| outcome.is_ok()).count() as u64;
    let refused: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
    assert!(refused.iter().all(|error| error.kind() == &ErrorKind::Busy), "{refused:?}");
    assert!(accepted >= 1);
    let after = node.machine_config(ConfigId::Active).await.unwrap().unwrap();
    assert_eq!(after.version, active.version + accepted);
}
