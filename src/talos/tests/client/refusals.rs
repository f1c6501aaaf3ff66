//! Every kind of error, by a real refusal: what it is, whether trying again heals it, whether it is a failure to reach.

use std::net::TcpListener;
use std::time::{Duration, SystemTime};

use rcgen::ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
use serde_json::{Value, json};
use talos::client::{ApplyMode, ConfigId, EffectiveMode};
use talos::config::{Discovery, InlineCredentials};
use talos::error::{CertificateProblem, Refusal, Role, Unreachable};
use talos::resource::{KernelModuleStatus, MachineStatus};
use talos::{Client, ConfigBytes, Error, ErrorKind, Node};
use tokio::time::Instant;

use crate::node::TestNode;
use crate::pki::signed;

fn config(text: impl Into<Vec<u8>>) -> ConfigBytes {
    ConfigBytes::from(text.into())
}

async fn active(node: &Node) -> String {
    let config = node.machine_config(ConfigId::Active).await.unwrap().unwrap();
    String::from_utf8(config.bytes.expose().to_vec()).unwrap()
}

/// An error of a certificate neither heals nor counts as a failure to reach.
fn problem(error: &Error) -> &CertificateProblem {
    assert!(!error.heals() && !error.is_unreachable(), "{error:?}");
    match error.kind() {
        ErrorKind::Certificate(problem) => problem,
        other => panic!("not a matter of certificates: {other:?}"),
    }
}

#[tokio::test]
async fn another_clusters_ca_is_a_wrong_authority() {
    let test = TestNode::start();
    let client = Client::new(test.config("talosconfig-wrong-ca")).unwrap();
    let error = client.node("127.0.0.1", None).version().await.unwrap_err();
    assert_eq!(problem(&error), &CertificateProblem::WrongAuthority);
    assert_eq!(error.to_string(), format!("Version of node 127.0.0.1 through endpoint {} failed", test.address()));
    assert_eq!(
        error.kind().to_string(),
        "the endpoint's certificate is not signed by the CA of the client configuration"
    );
}

#[tokio::test]
async fn an_expired_client_certificate_is_seen_before_anything_is_dialled() {
    let test = TestNode::start();
    let client = Client::new(test.config("talosconfig-expired")).unwrap();
    let error = client.node("127.0.0.1", None).version().await.unwrap_err();
    let CertificateProblem::Expired { since } = problem(&error) else { panic!("{error:?}") };
    assert!(*since < SystemTime::now());
    assert_eq!(test.connections(), 0);
}

#[tokio::test]
async fn a_client_certificate_of_another_authority_is_refused_by_the_endpoint() {
    let test = TestNode::start();
    let ca_certificate = test.credentials("talosconfig").ca_certificate;
    let foreign = InlineCredentials { ca_certificate, ..test.credentials("talosconfig-wrong-ca") };
    let error = test.node_as(foreign).version().await.unwrap_err();
    assert_eq!(problem(&error), &CertificateProblem::NotAccepted(Refusal::UnknownAuthority));
}

#[tokio::test]
async fn a_certificate_that_is_not_for_clients_is_refused_by_the_endpoint() {
    let test = TestNode::start();
    let error = test.node_as(signed(&test, &["os:admin"], vec![ServerAuth])).version().await.unwrap_err();
    assert_eq!(problem(&error), &CertificateProblem::NotAccepted(Refusal::Bad));
}

#[tokio::test]
async fn a_certificate_of_our_own_with_the_right_use_is_accepted() {
    let test = TestNode::start();
    test.node_as(signed(&test, &["os:admin"], vec![ClientAuth])).version().await.unwrap();
}

#[tokio::test]
async fn a_certificate_without_a_role_may_do_nothing() {
    let test = TestNode::start();
    let error = test.node_as(signed(&test, &[], vec![ClientAuth])).version().await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Permission { needed: Role::Reader, held: Vec::new() });
    assert_eq!(
        error.kind().to_string(),
        "not authorized: the call needs the role os:reader, and the client certificate has no role"
    );
}

#[tokio::test]
async fn a_node_without_a_configuration_is_in_maintenance_mode() {
    for minor in ["1.12", "1.13"] {
        let script = json!({"nodes": [{"name": "127.0.0.1", "maintenance": true}]});
        let test = TestNode::with(minor, "127.0.0.1:0", &script);
        let error = test.node().version().await.unwrap_err();
        assert_eq!(problem(&error), &CertificateProblem::MaintenanceMode, "{minor}");
    }
}

#[tokio::test]
async fn a_reader_may_not_do_what_an_admin_or_operator_may() {
    let test = TestNode::start();
    let reader = Client::new(test.config("talosconfig-reader")).unwrap().node("127.0.0.1", None);
    reader.version().await.unwrap();
    reader.get::<MachineStatus>("machine").await.unwrap();
    let needs = |role| ErrorKind::Permission { needed: role, held: vec!["os:reader".to_owned()] };
    let error = reader.machine_config(ConfigId::Active).await.unwrap_err();
    assert_eq!(error.kind(), &needs(Role::Admin));
    assert!(!error.heals() && !error.is_unreachable());
    assert!(error.next_step().contains("os:admin"));
    assert_eq!(reader.read_file("/proc/modules").await.unwrap_err().kind(), &needs(Role::Admin));
    assert_eq!(reader.reboot().await.unwrap_err().kind(), &needs(Role::Operator));
    let applied = reader.apply_configuration(&config("x: y"), ApplyMode::NoReboot, false).await;
    assert_eq!(applied.unwrap_err().kind(), &needs(Role::Admin));
}

fn two_nodes() -> Value {
    json!({"endpoint": "10.0.0.1", "nodes": [
        {"name": "10.0.0.1"},
        {"name": "10.0.0.5", "type": "worker", "listen": "127.0.0.1:0"},
    ]})
}

#[tokio::test]
async fn a_dead_node_behind_a_live_endpoint_is_a_failure_to_reach() {
    let test = TestNode::scripted(&two_nodes());
    test.post("/nodes/10.0.0.5/stop", &json!({}));
    let node = test.client().node("10.0.0.5", None);
    let error = node.version().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unreachable(Unreachable::Unavailable(_))), "{error:?}");
    assert!(error.is_unreachable() && error.heals());
    assert_eq!((error.node(), error.endpoint()), ("10.0.0.5", Some(&test.endpoint())));
}

#[tokio::test]
async fn a_worker_forwards_to_nobody_but_answers_for_itself() {
    let test = TestNode::scripted(&two_nodes());
    let worker = test.endpoint_of("10.0.0.5");
    test.client().node("10.0.0.5", Some(&worker)).version().await.unwrap();
    let error = test.client().node("10.0.0.1", Some(&worker)).version().await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::NoForwarding);
    assert!(!error.heals() && !error.is_unreachable());
}

#[tokio::test]
async fn what_a_minor_does_not_have_is_unsupported() {
    let test = TestNode::start();
    let node = test.node();
    let error = node.get::<KernelModuleStatus>("nvidia").await.unwrap_err();
    let ErrorKind::Unsupported(text) = error.kind() else { panic!("{error:?}") };
    assert!(text.contains("KernelModuleStatuses.runtime.talos.dev"), "{text}");
    assert!(matches!(node.list::<KernelModuleStatus>().await.unwrap_err().kind(), ErrorKind::Unsupported(_)));
    test.fault(
        &json!({"method": "Version", "do": "error", "code": "Unimplemented", "message": "unknown method Version"}),
    );
    assert!(matches!(node.version().await.unwrap_err().kind(), ErrorKind::Unsupported(_)));
}

#[tokio::test]
async fn a_name_that_no_node_has_is_an_error_without_a_call() {
    let test = TestNode::start();
    for name in ["10.0.0.5:50000", "https://10.0.0.5", "two words", ""] {
        let error = test.client().node(name, None).version().await.unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::InvalidTarget(name.to_owned()));
    }
    assert_eq!(test.connections(), 0);
}

#[tokio::test]
async fn a_change_that_needs_a_reboot_is_refused_without_a_diff() {
    let test = TestNode::start();
    let node = test.node();
    let text = active(&node).await;
    let file = "machine:\n    files:\n        - path: /etc/cri/conf.d/20-customization.part\n          op: create\n          permissions: 0o600\n          content: s3cret\n";
    let changed = config(text.replacen("machine:\n", file, 1));
    for (mode, dry_run) in [(ApplyMode::NoReboot, false), (ApplyMode::Try, true)] {
        let error = node.apply_configuration(&changed, mode, dry_run).await.unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::NeedsReboot);
        assert!(!format!("{error:?} {error} {}", error.kind()).contains("s3cret"));
        assert!(!error.may_have_been_carried_out());
    }
    let reply = node.apply_configuration(&changed, ApplyMode::Auto, true).await.unwrap();
    assert_eq!(reply.mode, EffectiveMode::Reboot);
}

#[tokio::test]
async fn a_configuration_that_is_wrong_is_refused_without_its_values() {
    let test = TestNode::start();
    let node = test.node();
    let text = active(&node).await;
    let unknown = config(text.replacen("machine:\n", "machine:\n    tokenz: s3cret\n", 1));
    let error = node.apply_configuration(&unknown, ApplyMode::NoReboot, false).await.unwrap_err();
    let ErrorKind::Invalid(said) = error.kind() else { panic!("{error:?}") };
    assert!(said.contains("tokenz:") && !said.contains("s3cret"), "{said}");
    assert!(!error.heals());

    let document = format!("{text}\n---\napiVersion: v1alpha1\nkind: KernelModuleConfig\nname: nvidia\n");
    let error = node.apply_configuration(&config(document), ApplyMode::NoReboot, false).await.unwrap_err();
    let ErrorKind::Invalid(said) = error.kind() else { panic!("{error:?}") };
    assert!(said.contains("not registered"), "{said}");
}

#[tokio::test]
async fn other_writers_and_reboots_heal() {
    let test = TestNode::start();
    let node = test.node();
    let config = config(active(&node).await);
    for (fault, kind) in [
        (json!({"do": "busy"}), ErrorKind::Busy),
        (
            json!({"do": "error", "code": "Unknown", "message": "resource MachineConfigs.config.talos.dev(config/v1alpha1@2) update conflict: expected version \"1\", actual version \"2\""}),
            ErrorKind::UpdateConflict,
        ),
        (
            json!({"do": "error", "code": "FailedPrecondition", "message": "configuration was already applied and node is rebooting, cannot apply more configuration changes until next reboot"}),
            ErrorKind::Rebooting,
        ),
    ] {
        test.fault(&fault);
        let error = node.apply_configuration(&config, ApplyMode::NoReboot, false).await.unwrap_err();
        assert_eq!(error.kind(), &kind);
        assert!(error.heals() && !error.is_unreachable() && !error.may_have_been_carried_out());
    }
}

#[tokio::test]
async fn a_configuration_that_could_not_be_read_again_is_not_sent() {
    let test = TestNode::start();
    let node = test.node();
    for size in [(15 << 20) + 1, 31 << 20] {
        let error = node.apply_configuration(&config(vec![b'#'; size]), ApplyMode::NoReboot, false).await.unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::TooLarge { what: "the machine configuration", limit: 15 << 20 });
    }
    assert_eq!(test.count("ApplyConfiguration"), 0);
}

#[tokio::test]
async fn a_large_configuration_goes_there_and_back() {
    let test = TestNode::start();
    let node = test.node();
    let mut bytes = active(&node).await.into_bytes();
    while bytes.len() < 14 << 20 {
        bytes.extend_from_slice(b"# a comment that fills the configuration up to the size that is still taken\n");
    }
    let large = config(bytes);
    node.apply_configuration(&large, ApplyMode::NoReboot, false).await.unwrap();
    assert_eq!(node.machine_config(ConfigId::Active).await.unwrap().unwrap().bytes, large);
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_a_failure_to_reach() {
    let test = TestNode::start();
    test.fault(&json!({"method": "Version", "do": "hold"}));
    let deadline = Instant::now() + Duration::from_millis(300);
    let error = test.node().with_deadline(deadline).version().await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::DeadlineExceeded);
    assert!(error.is_unreachable() && error.heals());
}

/// A node whose endpoint is whatever listens there.
fn node_at(test: &TestNode, address: &str) -> Node {
    test.client().node("10.0.0.5", Some(&address.parse().unwrap()))
}

#[tokio::test]
async fn nobody_at_the_address_is_no_connection() {
    let test = TestNode::start();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let error = node_at(&test, &free).version().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unreachable(Unreachable::NoConnection(_))), "{error:?}");
    assert!(error.is_unreachable() && error.heals() && !error.may_have_been_carried_out());
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_a_failure_to_reach() {
    let test = TestNode::start();
    let error = node_at(&test, "nobody.invalid").version().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unreachable(Unreachable::NotResolved(_))), "{error:?}");
}

#[tokio::test]
async fn an_endpoint_that_says_nothing_is_given_up_after_the_connect_timeout() {
    let test = TestNode::start();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let patience = Duration::from_millis(100);
    let node = node_at(&test, &listener.local_addr().unwrap().to_string()).with_connect_timeout(patience);
    let error = node.version().await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Unreachable(Unreachable::NoAnswer(patience)));
}

#[tokio::test]
async fn another_protocol_at_the_address_is_no_talos() {
    let test = TestNode::start();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        std::io::Write::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        let _ = std::io::Read::read_to_end(&mut stream, &mut Vec::new());
    });
    let error = node_at(&test, &address).version().await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::NotTalos("it does not speak TLS".to_owned()));
    assert!(!error.heals() && !error.is_unreachable());
    server.join().unwrap();
}

#[tokio::test]
async fn the_reason_of_a_wrong_key_names_the_field_and_not_the_key() {
    let test = TestNode::start();
    let client_key = test.credentials("talosconfig-reader").client_key;
    let mixed = InlineCredentials { client_key, ..test.credentials("talosconfig") };
    let error = Discovery { inline: Some(mixed), ..Discovery::default() }.resolve().unwrap_err();
    assert_eq!(error.to_string(), "client_configuration: client key: it is not the key of the client certificate");
}
