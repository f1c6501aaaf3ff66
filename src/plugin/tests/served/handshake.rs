//! The handshake, and who gets in.

use crate::{
    client::{Identity, Manners, Session, connect, connect_plain, provider},
    health::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient},
    process::{Process, command},
    wire::get_metadata,
};

#[test]
fn a_person_who_starts_it_is_told_what_it_is() {
    let output = command().output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("plugin of Terraform") && text.contains("source = \"test/faulty\""), "{text}");
}

#[test]
fn it_tells_its_version_and_its_help() {
    let output = command().arg("--version").output().unwrap();
    assert!(output.status.success());
    assert_eq!(output.stdout, b"terraform-provider-faulty 1.2.3\n");

    let help = command().arg("--help").output().unwrap();
    assert!(String::from_utf8(help.stdout).unwrap().contains("TF_LOG_PROVIDER_FAULTY"));

    let unknown = command().arg("plan").output().unwrap();
    assert_eq!((unknown.status.code(), unknown.stdout.len()), (Some(2), 0));
}

#[tokio::test]
async fn stdout_carries_the_line_alone() {
    let session = Session::start().await;
    let fields: Vec<_> = session.process.line.trim_end().split('|').map(str::to_owned).collect();
    assert_eq!(fields.len(), 6, "{fields:?}");
    assert_eq!((&*fields[0], &*fields[1], &*fields[2], &*fields[4]), ("1", "6", "unix", "grpc"));
    assert!(fields[5].len() > 50 && !fields[5].contains('='), "{fields:?}");
    session.provider().get_metadata(get_metadata::Request {}).await.unwrap();
    let (stdout, log) = session.shut_down().await;
    assert_eq!((stdout.as_str(), log.as_str()), ("", ""));
}

#[tokio::test]
async fn a_client_that_asks_for_multiplexing_gets_a_seventh_field() {
    let session = Session::with(&[("PLUGIN_MULTIPLEX_GRPC", "true")]).await;
    assert!(session.process.line.ends_with("|false\n"), "{}", session.process.line);
    session.shut_down().await;
}

/// Whether a client that behaves so gets an answer.
async fn is_served(process: &Process, manners: Manners<'_>) -> bool {
    match connect(process, manners).await {
        Ok(channel) => provider(&channel).get_metadata(get_metadata::Request {}).await.is_ok(),
        Err(_) => false,
    }
}

#[tokio::test]
async fn nobody_but_the_client_of_the_environment_is_served() {
    let (own, foreign) = (Identity::new(), Identity::new());
    let process = Process::start(Some(&own.pem), &[]);
    let stolen = own.stolen_by(&foreign);
    for (who, manners) in [
        ("a client without a certificate", Manners { identity: None, alpn: &["h2"] }),
        ("a client with another certificate", Manners { identity: Some(&foreign), alpn: &["h2"] }),
        ("the certificate without its key", Manners { identity: Some(&stolen), alpn: &["h2"] }),
        ("a client without ALPN", Manners { identity: Some(&own), alpn: &[] }),
        ("a client of another protocol", Manners { identity: Some(&own), alpn: &["http/1.1"] }),
    ] {
        assert!(!is_served(&process, manners).await, "{who}");
    }
    // None of them did any harm.
    assert!(is_served(&process, Manners { identity: Some(&own), alpn: &["h2"] }).await);
    assert!(is_served(&process, Manners { identity: Some(&own), alpn: &["http/1.1", "h2"] }).await);
}

#[tokio::test]
async fn without_a_certificate_in_the_environment_it_speaks_plaintext() {
    let process = Process::start(None, &[]);
    assert!(process.line.ends_with("|grpc|\n"), "{}", process.line);
    let channel = connect_plain(&process.socket()).await;
    provider(&channel).get_metadata(get_metadata::Request {}).await.unwrap();
}

#[test]
fn a_certificate_that_is_none_ends_it_with_a_reason() {
    let process = Process::start(Some("no PEM"), &[]);
    assert_eq!(process.line, "");
    let (status, _, stderr) = process.ended();
    assert_eq!(status.code(), Some(1));
    assert!(stderr.contains("PLUGIN_CLIENT_CERT holds no certificate"), "{stderr}");
}

#[tokio::test]
async fn it_is_healthy() {
    let session = Session::start().await;
    let mut health = HealthClient::new(session.channel.clone());
    let answer = health.check(HealthCheckRequest { service: "plugin".to_owned() }).await.unwrap().into_inner();
    assert_eq!(answer.status(), ServingStatus::Serving);
    let other = health.check(HealthCheckRequest { service: "other".to_owned() }).await.unwrap_err();
    assert_eq!(other.code(), tonic::Code::NotFound);
}
