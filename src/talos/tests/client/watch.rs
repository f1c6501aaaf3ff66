//! Watches: what is there, every change, and the end.

use std::time::Duration;

use serde_json::json;
use talos::client::{ApplyMode, ConfigId, Event};
use talos::resource::{ExtensionStatus, KernelModuleSpec, KernelModuleStatus, MachineStatus, Service};
use talos::{ConfigBytes, ErrorKind, Node};
use tokio::time::Instant;

use crate::node::TestNode;

/// Configures the module `nvidia`, and gives the configuration that was there.
async fn configure_a_module(node: &Node) -> ConfigBytes {
    let active = node.machine_config(ConfigId::Active).await.unwrap().unwrap();
    let text = String::from_utf8(active.bytes.expose().to_vec()).unwrap();
    let section = "machine:\n    kernel:\n        modules:\n            - name: nvidia\n";
    let changed = ConfigBytes::from(text.replacen("machine:\n", section, 1).into_bytes());
    node.apply_configuration(&changed, ApplyMode::NoReboot, false).await.unwrap();
    active.bytes
}

#[tokio::test]
async fn a_kind_is_seen_as_it_is_and_then_as_it_changes() {
    let test = TestNode::start();
    let node = test.node();
    let mut watch = node.watch::<KernelModuleSpec>(None).await.unwrap();
    assert_eq!(watch.next().await.unwrap().unwrap(), Event::Bootstrapped);

    let before = configure_a_module(&node).await;
    match watch.next().await.unwrap().unwrap() {
        Event::Created(found) => assert_eq!((found.id.as_str(), found.spec.name.as_str()), ("nvidia", "nvidia")),
        other => panic!("{other:?}"),
    }
    node.apply_configuration(&before, ApplyMode::NoReboot, false).await.unwrap();
    loop {
        match watch.next().await.unwrap().unwrap() {
            Event::Destroyed { id } => break assert_eq!(id, "nvidia"),
            Event::Updated(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn all_that_a_kind_has_comes_before_the_mark() {
    let test = TestNode::start();
    let node = test.node();
    let listed = node.list::<ExtensionStatus>().await.unwrap().len();
    let mut watch = node.watch::<ExtensionStatus>(None).await.unwrap();
    for _ in 0..listed {
        assert!(matches!(watch.next().await.unwrap().unwrap(), Event::Created(_)));
    }
    assert_eq!(watch.next().await.unwrap().unwrap(), Event::Bootstrapped);
}

#[tokio::test]
async fn one_resource_is_seen_as_it_is_or_as_absent() {
    let test = TestNode::start();
    let node = test.node();
    let mut machine = node.watch::<MachineStatus>(Some("machine")).await.unwrap();
    assert!(matches!(machine.next().await.unwrap().unwrap(), Event::Created(found) if found.id == "machine"));
    let mut nobody = node.watch::<Service>(Some("nobody")).await.unwrap();
    assert_eq!(nobody.next().await.unwrap().unwrap(), Event::Destroyed { id: "nobody".to_owned() });
}

#[tokio::test]
async fn a_kind_that_is_not_there_cannot_be_watched() {
    let test = TestNode::start();
    let error = test.node().watch::<KernelModuleStatus>(None).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unsupported(_)), "{error:?}");
}

#[tokio::test]
async fn a_watch_ends_with_the_node_and_says_so() {
    let test = TestNode::start();
    let node = test.node();
    let mut watch = node.watch::<MachineStatus>(Some("machine")).await.unwrap();
    watch.next().await.unwrap().unwrap();
    test.post("/nodes/127.0.0.1/stop", &json!({}));
    let error = loop {
        match watch.next().await.unwrap() {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(error.is_unreachable(), "{error:?}");
    assert!(watch.next().await.is_none());
}

#[tokio::test]
async fn a_watch_ends_at_the_deadline() {
    let test = TestNode::start();
    let node = test.node();
    node.version().await.unwrap();
    let node = node.with_deadline(Instant::now() + Duration::from_secs(1));
    let mut watch = node.watch::<KernelModuleSpec>(None).await.unwrap();
    assert_eq!(watch.next().await.unwrap().unwrap(), Event::Bootstrapped);
    assert_eq!(watch.next().await.unwrap().unwrap_err().kind(), &ErrorKind::DeadlineExceeded);
    assert!(watch.next().await.is_none());
}
