//! Servers that are not the test node: a certificate that has run out, another protocol within TLS, a proxy that waits for
//! the client to speak first.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use talos::config::{Discovery, InlineCredentials};
use talos::error::{CertificateProblem, Unreachable};
use talos::{Client, ErrorKind, Node};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// What an HTTP/2 client says first (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A CA of a test of its own.
struct Authority(Issuer<'static, KeyPair>, String);

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self(Issuer::new(params, key), pem)
    }

    /// A client's node whose endpoint is that address.
    fn node_at(&self, address: &str) -> Node {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::default().signed_by(&key, &self.0).unwrap();
        let inline = Some(InlineCredentials {
            ca_certificate: self.1.clone(),
            client_certificate: certificate.pem(),
            client_key: key.serialize_pem().into(),
        });
        let endpoints = Some(vec![address.to_owned()]);
        let config = Discovery { inline, endpoints, ..Discovery::default() }.resolve().unwrap();
        Client::new(config).unwrap().node("10.0.0.5", None)
    }

    /// A server's TLS for 127.0.0.1, with these protocols.
    fn server(&self, params: CertificateParams, alpn: &[&[u8]]) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let certificate: CertificateDer<'static> = params.signed_by(&key, &self.0).unwrap().into();
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(&[&rustls::version::TLS13]);
        let mut config = builder.unwrap().with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }
}

fn for_this_host() -> CertificateParams {
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

/// Serves one connection.
async fn serve<F, R>(acceptor: TlsAcceptor, handle: F) -> (String, tokio::task::JoinHandle<Option<R::Output>>)
where
    F: FnOnce(TlsStream<TcpStream>) -> R + Send + 'static,
    R: Future<Output: Send + 'static> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let task = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        Some(handle(acceptor.accept(stream).await.ok()?).await)
    });
    (address, task)
}

#[tokio::test]
async fn a_server_certificate_that_has_run_out_is_told_with_this_machines_time() {
    let authority = Authority::new();
    let mut params = for_this_host();
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    let (address, _server) = serve(authority.server(params, &[b"h2"]), |_| async {}).await;
    let error = authority.node_at(&address).version().await.unwrap_err();
    let ErrorKind::Certificate(CertificateProblem::NotValidNow { .. }) = error.kind() else { panic!("{error:?}") };
    assert!(error.kind().to_string().starts_with("the endpoint's certificate is not valid at this machine's time, 20"));
}

#[tokio::test]
async fn a_server_certificate_for_another_host_is_told_with_its_names() {
    let authority = Authority::new();
    let params = CertificateParams::new(vec!["cp.example".to_owned(), "10.0.0.2".to_owned()]).unwrap();
    let (address, _server) = serve(authority.server(params, &[b"h2"]), |_| async {}).await;
    let error = authority.node_at(&address).version().await.unwrap_err();
    assert_eq!(
        error.kind().to_string(),
        "the endpoint's certificate is not valid for 127.0.0.1, only for cp.example, 10.0.0.2"
    );
    assert!(!error.is_unreachable());
}

#[tokio::test]
async fn a_server_without_http2_is_no_talos() {
    let authority = Authority::new();
    let acceptor = authority.server(for_this_host(), &[]);
    let (address, _server) = serve(acceptor, |mut stream| async move { stream.read_u8().await.ok() }).await;
    let error = authority.node_at(&address).version().await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::NotTalos("it does not speak HTTP/2".to_owned()));
}

#[tokio::test]
async fn a_server_that_closes_at_once_is_a_lost_connection() {
    let authority = Authority::new();
    let acceptor = authority.server(for_this_host(), &[b"h2"]);
    let (address, _server) = serve(acceptor, |mut stream| async move { stream.shutdown().await.unwrap() }).await;
    let error = authority.node_at(&address).version().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unreachable(Unreachable::Lost(_))), "{error:?}");
    assert!(!error.may_have_been_carried_out());
}

#[tokio::test]
async fn a_server_that_waits_for_the_client_to_speak_first_is_spoken_to() {
    let authority = Authority::new();
    let acceptor = authority.server(for_this_host(), &[b"h2"]);
    let (address, server) = serve(acceptor, |mut stream| async move {
        let mut said = vec![0; PREFACE.len()];
        stream.read_exact(&mut said).await.map(|_| said).ok()
    })
    .await;
    let error = authority.node_at(&address).version().await.unwrap_err();
    assert!(error.is_unreachable(), "{error:?}");
    assert_eq!(server.await.unwrap().flatten().unwrap(), PREFACE);
}
