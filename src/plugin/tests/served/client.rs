//! A client of the protocol: as the CLI is, or as it should never be.

use std::{path::Path, sync::Arc};

use hyper_util::rt::TokioIo;
use plugin::{Value, codec::msgpack};
use rustls::{
    ClientConfig, RootCertStore, SignatureScheme,
    client::ResolvesClientCert,
    crypto::ring,
    sign::{CertifiedKey, SigningKey},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use tokio::net::UnixStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};

use crate::{
    go_plugin::{Empty, grpc_controller_client::GrpcControllerClient},
    process::Process,
    wire::{self, DynamicValue, provider_client::ProviderClient},
};

/// Terraform's own limit.
const LARGEST: usize = 256 << 20;

/// A certificate and a key; by default they belong together.
pub(crate) struct Identity {
    pub(crate) pem: String,
    certificate: CertificateDer<'static>,
    key: Arc<dyn SigningKey>,
}

impl Identity {
    pub(crate) fn new() -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
        let der = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Self {
            pem: certificate.pem(),
            certificate: certificate.der().clone(),
            key: ring::sign::any_supported_type(&der).unwrap(),
        }
    }

    /// The certificate, with the key of `thief`.
    pub(crate) fn stolen_by(&self, thief: &Self) -> Self {
        Self { pem: self.pem.clone(), certificate: self.certificate.clone(), key: Arc::clone(&thief.key) }
    }
}

#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesClientCert for Always {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// What a client does in its TLS handshake.
pub(crate) struct Manners<'a> {
    pub(crate) identity: Option<&'a Identity>,
    pub(crate) alpn: &'a [&'a str],
}

/// Connects with TLS. The provider's refusal of the client may come only with the first call.
pub(crate) async fn connect(process: &Process, manners: Manners<'_>) -> Result<Channel, tonic::transport::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(process.certificate())).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match manners.identity {
        None => config.with_no_client_auth(),
        Some(identity) => {
            let certified = CertifiedKey::new(vec![identity.certificate.clone()], Arc::clone(&identity.key));
            config.with_client_cert_resolver(Arc::new(Always(Arc::new(certified))))
        }
    };
    config.alpn_protocols = manners.alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    let offers_h2 = manners.alpn.contains(&"h2");
    let connector = TlsConnector::from(Arc::new(config));
    let socket = process.socket();
    let dial = tower::service_fn(move |_| {
        let (connector, socket) = (connector.clone(), socket.clone());
        async move {
            let stream = UnixStream::connect(socket).await?;
            let name = ServerName::try_from("localhost").map_err(std::io::Error::other)?;
            let stream = connector.connect(name, stream).await?;
            // As grpc-go does since 1.67, which OpenTofu 1.11 and Terraform 1.12 brought.
            if offers_h2 && stream.get_ref().1.alpn_protocol() != Some(b"h2") {
                return Err(std::io::Error::other("the server did not agree on h2"));
            }
            Ok(TokioIo::new(stream))
        }
    });
    Endpoint::from_static("http://localhost").connect_with_connector(dial).await
}

/// Connects without TLS.
pub(crate) async fn connect_plain(socket: &Path) -> Channel {
    let socket = socket.to_owned();
    let dial = tower::service_fn(move |_| {
        let socket = socket.clone();
        async move { UnixStream::connect(socket).await.map(TokioIo::new) }
    });
    Endpoint::from_static("http://localhost").connect_with_connector(dial).await.unwrap()
}

/// A provider and a well-mannered client of it.
pub(crate) struct Session {
    pub(crate) process: Process,
    pub(crate) channel: Channel,
}

impl Session {
    pub(crate) async fn start() -> Self {
        Self::with(&[]).await
    }

    pub(crate) async fn with(environment: &[(&str, &str)]) -> Self {
        let identity = Identity::new();
        let process = Process::start(Some(&identity.pem), environment);
        let channel = connect(&process, Manners { identity: Some(&identity), alpn: &["h2"] }).await.unwrap();
        Self { process, channel }
    }

    pub(crate) fn provider(&self) -> ProviderClient<Channel> {
        provider(&self.channel)
    }

    /// Says Shutdown and waits for the end. Returns what the process wrote to stdout after the line, and its log.
    pub(crate) async fn shut_down(self) -> (String, String) {
        // The process ends before it answers.
        drop(GrpcControllerClient::new(self.channel).shutdown(Empty {}).await);
        let (status, stdout, log) = self.process.ended();
        assert!(status.success(), "{status}: {log}");
        (stdout, log)
    }
}

pub(crate) fn provider(channel: &Channel) -> ProviderClient<Channel> {
    ProviderClient::new(channel.clone()).max_decoding_message_size(LARGEST).max_encoding_message_size(LARGEST)
}

/// The object of a `faulty_thing` with these attributes and null for all others, on the wire.
pub(crate) fn thing<const N: usize>(attributes: [(&str, Value); N]) -> Option<DynamicValue> {
    let mut object = Value::object(
        ["name", "size", "zone", "mode", "tags", "parts", "secret", "old", "fault", "gate", "blob_size", "out", "blob"]
            .map(|name| (name, Value::Null)),
    );
    for (name, value) in attributes {
        object.set(name, value);
    }
    encoded(&object)
}

/// A value as it stands in a message: of the type that it has.
pub(crate) fn encoded(value: &Value) -> Option<DynamicValue> {
    Some(DynamicValue { msgpack: msgpack::encode(value, &type_of(value)).unwrap(), json: Vec::new() })
}

/// The object of a `faulty_thing` in an answer; null when there is none.
pub(crate) fn decoded(value: Option<&DynamicValue>) -> Value {
    let Some(value) = value else { return Value::Null };
    msgpack::decode(&value.msgpack, &thing_type()).unwrap()
}

fn thing_type() -> plugin::Type {
    use plugin::Type;
    let text = ["name", "zone", "mode", "secret", "old", "fault", "gate", "out", "blob"];
    let part = Type::object([("label", Type::String), ("serial", Type::String)]);
    Type::object(text.map(|name| (name, Type::String)).into_iter().chain([
        ("size", Type::Number),
        ("blob_size", Type::Number),
        ("tags", Type::map(Type::String)),
        ("parts", Type::list(part)),
    ]))
}

fn type_of(value: &Value) -> plugin::Type {
    use plugin::Type;
    match value {
        Value::Bool(_) => Type::Bool,
        Value::Number(_) => Type::Number,
        Value::List(items) => Type::list(items.first().map_or(Type::String, type_of)),
        Value::Map(_) => Type::map(Type::String),
        Value::Object(attributes) => {
            Type::object(attributes.iter().map(|(name, value)| (name.clone(), type_of(value))))
        }
        _ => Type::String,
    }
}

/// A request to apply.
pub(crate) fn apply(
    prior: Option<DynamicValue>,
    planned: Option<DynamicValue>,
    config: Option<DynamicValue>,
) -> wire::apply_resource_change::Request {
    wire::apply_resource_change::Request {
        type_name: "faulty_thing".to_owned(),
        prior_state: prior.or_else(|| encoded(&Value::Null)),
        planned_state: planned.or_else(|| encoded(&Value::Null)),
        config: config.or_else(|| encoded(&Value::Null)),
        planned_private: b"planned".to_vec(),
        ..Default::default()
    }
}

/// A request to create the thing of this configuration.
pub(crate) fn create<const N: usize>(config: [(&str, Value); N]) -> wire::apply_resource_change::Request {
    let mut planned = decoded(thing(config.clone()).as_ref());
    for (name, value) in [("mode", "plain".into()), ("out", Value::unknown()), ("blob", Value::unknown())] {
        planned.set(name, value);
    }
    apply(None, encoded(&planned), thing(config))
}

/// A request to plan.
pub(crate) fn plan(prior: Option<DynamicValue>, config: Option<DynamicValue>) -> wire::plan_resource_change::Request {
    wire::plan_resource_change::Request {
        type_name: "faulty_thing".to_owned(),
        prior_state: prior.or_else(|| encoded(&Value::Null)),
        proposed_new_state: config.clone(),
        config,
        ..Default::default()
    }
}

/// A request to refresh.
pub(crate) fn read<const N: usize>(state: [(&str, Value); N]) -> wire::read_resource::Request {
    wire::read_resource::Request {
        type_name: "faulty_thing".to_owned(),
        current_state: thing(state),
        private: b"stored".to_vec(),
        ..Default::default()
    }
}

/// The summaries of messages.
pub(crate) fn summaries(diagnostics: &[wire::Diagnostic]) -> Vec<&str> {
    diagnostics.iter().map(|diagnostic| diagnostic.summary.as_str()).collect()
}

/// The path of a message, as a user writes it.
pub(crate) fn place(diagnostic: &wire::Diagnostic) -> String {
    use wire::attribute_path::step::Selector;
    let steps = diagnostic.attribute.iter().flat_map(|path| &path.steps);
    let mut path = plugin::Path::root();
    for step in steps {
        path = match step.selector.clone().unwrap() {
            Selector::AttributeName(name) => path.then(name),
            Selector::ElementKeyString(key) => path.key(key),
            Selector::ElementKeyInt(index) => path.index(usize::try_from(index).unwrap()),
        };
    }
    path.to_string()
}
