use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use secrecy::SecretString;
use tempfile::TempDir;

use super::*;

/// A CA and a client under it, as PEM, the key with Talos's own label.
struct Pems {
    ca: String,
    certificate: String,
    key: String,
}

fn pems() -> Pems {
    let ca_key = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_certificate = ca.self_signed(&ca_key).unwrap();
    let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let mut client = CertificateParams::default();
    client.distinguished_name.push(DnType::OrganizationName, "os:admin");
    let certificate = client.signed_by(&key, &Issuer::new(ca, ca_key)).unwrap();
    Pems {
        ca: ca_certificate.pem(),
        certificate: certificate.pem(),
        key: key.serialize_pem().replace("PRIVATE KEY", "ED25519 PRIVATE KEY"),
    }
}

/// The three credential fields of a context, as Talos writes them.
fn credential_fields(pems: &Pems) -> String {
    let [ca, crt, key] = [&pems.ca, &pems.certificate, &pems.key].map(|pem| STANDARD.encode(pem));
    format!("ca: {ca}, crt: {crt}, key: {key}")
}

struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> std::path::PathBuf {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn environment(&self) -> Environment {
        let service_account = self.path().join("service-account");
        Environment { home: Some(self.path().into()), service_account, ..Environment::default() }
    }

    /// Reads a talosconfig with this text.
    fn read(&self, text: &str) -> Result<ClientConfig, ConfigError> {
        let config_path = Some(self.write("talosconfig", text));
        Discovery { config_path, ..Discovery::default() }.resolve()
    }
}

/// A talosconfig with one context of this name.
fn talosconfig(name: &str, more: &str, pems: &Pems) -> String {
    format!("context: {name}\ncontexts:\n  {name}: {{{more}{}}}\n", credential_fields(pems))
}

#[test]
fn a_talosconfig_is_read_whole() {
    let home = Home::new();
    let more = "endpoints: [10.0.0.2, 'cp.example:50001', 'https://lb'], target: 10.0.0.9, nodes: [10.0.0.5], cluster: c1, future: {x: y}, ";
    let config = home.read(&talosconfig("prod", more, &pems())).unwrap();
    let endpoints: Vec<_> = config.endpoints.iter().map(ToString::to_string).collect();
    assert_eq!(endpoints, ["10.0.0.2:50000", "cp.example:50001", "lb:443", "10.0.0.9:50000"]);
    assert_eq!((config.nodes, config.cluster.as_deref()), (vec!["10.0.0.5".to_owned()], Some("c1")));
    assert_eq!(config.credentials.roles(), ["os:admin"]);
    assert_eq!(config.origin, format!("context prod of {}/talosconfig", home.path().display()));
}

#[test]
fn another_context_and_other_endpoints_can_be_asked_for() {
    let home = Home::new();
    let fields = credential_fields(&pems());
    let text = format!(
        "context: a\ncontexts:\n  a: {{endpoints: [a], {fields}}}\n  b: {{endpoints: [b], {fields}}}\n  empty:\n"
    );
    let config_path = Some(home.write("talosconfig", &text));
    let endpoints_of = |context: Option<&str>, endpoints: Option<Vec<String>>| {
        let context = context.map(str::to_owned);
        let discovery = Discovery { config_path: config_path.clone(), context, endpoints, ..Discovery::default() };
        let config = discovery.resolve().unwrap();
        config.endpoints.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(endpoints_of(None, None), ["a:50000"]);
    assert_eq!(endpoints_of(Some("b"), None), ["b:50000"]);
    assert_eq!(endpoints_of(Some("b"), Some(vec!["c:1".to_owned()])), ["c:1"]);
}

#[test]
fn the_places_are_looked_at_in_talosctls_order() {
    let home = Home::new();
    let pems = pems();
    let at = |name: &str, context: &str| home.write(name, &talosconfig(context, "", &pems));
    let mut environment = home.environment();
    let context = |discovery: Discovery| discovery.resolve().unwrap().origin.split(' ').nth(1).unwrap().to_owned();
    let found =
        |environment: &Environment| context(Discovery { environment: environment.clone(), ..Discovery::default() });

    let error = Discovery { environment: environment.clone(), ..Discovery::default() }.resolve().unwrap_err();
    let looked_at = vec![home.path().join(".talos/config"), home.path().join("service-account")];
    assert_eq!(error.problem(), &ConfigProblem::NotFound { looked_at });

    at("service-account", "pod");
    assert_eq!(found(&environment), "pod");
    at(".talos/config", "home");
    assert_eq!(found(&environment), "home");
    environment.talos_home = Some("relative".into());
    assert_eq!(found(&environment), "home");
    at("elsewhere/config", "talos_home");
    environment.talos_home = Some(home.path().join("elsewhere").into());
    assert_eq!(found(&environment), "talos_home");
    environment.talosconfig = Some(at("variable", "variable").into());
    assert_eq!(found(&environment), "variable");
    let config_path = Some("~/.talos/config".into());
    assert_eq!(context(Discovery { config_path, environment, ..Discovery::default() }), "home");
}

#[test]
fn a_talosconfig_variable_that_names_no_file_is_an_error() {
    let home = Home::new();
    home.write(".talos/config", &talosconfig("home", "", &pems()));
    let environment = Environment { talosconfig: Some("/nowhere/talosconfig".into()), ..home.environment() };
    let error = Discovery { environment, ..Discovery::default() }.resolve().unwrap_err();
    assert!(matches!(error.problem(), ConfigProblem::Unreadable(_)), "{error}");
    assert_eq!(error.to_string(), "TALOSCONFIG /nowhere/talosconfig: it cannot be read: the file does not exist");
}

#[test]
fn what_is_wrong_with_a_talosconfig_is_said_with_file_context_and_field() {
    let home = Home::new();
    let pems = pems();
    let fields = credential_fields(&pems);
    let context = |fields: &str| format!("context: prod\ncontexts:\n  prod: {{{fields}}}\n");
    let without = |name: &str| {
        let kept = fields.split(", ").filter(|field| !field.starts_with(name)).collect::<Vec<_>>();
        context(&kept.join(", "))
    };
    let of_context = |text: &str| format!("context prod of FILE: {text}");
    for (text, field, message) in [
        (String::new(), Field::ConfigPath, "FILE: it is empty".to_owned()),
        (
            "context: a\ncontexts: [".to_owned(),
            Field::ConfigPath,
            "FILE: it is not a talosconfig, line 2: it does not have the shape of one".to_owned(),
        ),
        (
            "contexts: {a: {}, b: {}}".to_owned(),
            Field::Context,
            "FILE: it chooses no context; there are a, b".to_owned(),
        ),
        (
            "context: x\ncontexts: {}".to_owned(),
            Field::Context,
            "FILE: there is no context `x`; there are none".to_owned(),
        ),
        (
            "context: x\ncontexts: {a: {}}".to_owned(),
            Field::Context,
            "FILE: there is no context `x`; there are a".to_owned(),
        ),
        (without("ca:"), Field::CaCertificate, of_context("CA certificate: it is missing")),
        (without("crt:"), Field::ClientCertificate, of_context("client certificate: it is missing")),
        (without("key:"), Field::ClientKey, of_context("client key: it is missing")),
        (
            context(&format!("endpoints: ['http://x'], {fields}")),
            Field::Endpoints,
            of_context(
                "endpoints: `http://x` is not an endpoint: Talos's API is never without TLS; leave `http://` out",
            ),
        ),
        (
            context("auth: {siderov1: {identity: me@example.com}}"),
            Field::Auth,
            of_context("auth: requests signed for Omni (siderov1) are not supported"),
        ),
        (
            context("auth: {basic: {username: u, password: p}}"),
            Field::Auth,
            of_context("auth: basic authentication is not supported"),
        ),
        (
            context(&format!("proxy-url: 'socks5://x', {fields}")),
            Field::ProxyUrl,
            of_context("proxy-url: proxies are not supported"),
        ),
    ] {
        let error = home.read(&text).unwrap_err();
        let file = home.path().join("talosconfig").display().to_string();
        assert_eq!((error.to_string().replace(&file, "FILE"), error.field()), (message, Some(field)), "{text}");
        assert!(!error.next_step().is_empty());
    }
}

fn inline(ca: &str, certificate: &str, key: &str) -> Result<ClientConfig, ConfigError> {
    let inline = InlineCredentials {
        ca_certificate: ca.to_owned(),
        client_certificate: certificate.to_owned(),
        client_key: SecretString::from(key),
    };
    Discovery { inline: Some(inline), ..Discovery::default() }.resolve()
}

#[test]
fn inline_credentials_are_pem_or_base64_of_pem() {
    let Pems { ca, certificate, key } = pems();
    let plain_label = key.replace("ED25519 PRIVATE KEY", "PRIVATE KEY");
    let [ca64, certificate64, key64] = [&ca, &certificate, &key].map(|pem| STANDARD.encode(pem));
    let broken_lines = ca64.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect::<Vec<_>>();
    for (ca, certificate, key) in [
        (&ca, &certificate, &key),
        (&ca, &certificate, &plain_label),
        (&ca64, &certificate64, &key64),
        (&broken_lines.join("\n"), &certificate, &key64),
    ] {
        let config = inline(ca, certificate, key).unwrap();
        assert_eq!(config.origin, "client_configuration");
        assert!(config.endpoints.is_empty());
    }
}

#[test]
fn keys_of_the_other_kinds_that_talos_takes_are_taken() {
    let Pems { ca, .. } = pems();
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let certificate = CertificateParams::default().self_signed(&key).unwrap();
    let config = inline(&ca, &certificate.pem(), &key.serialize_pem()).unwrap();
    assert!(config.credentials.roles().is_empty());
}

#[test]
fn what_is_wrong_with_inline_credentials_is_said_without_showing_them() {
    let Pems { ca, certificate, key } = pems();
    let other = pems();
    for (result, field, problem) in [
        (inline("", &certificate, &key), Field::CaCertificate, "it is missing"),
        (inline("nonsense", &certificate, &key), Field::CaCertificate, "it is neither PEM nor base64 of PEM"),
        (inline(&key, &certificate, &key), Field::CaCertificate, "there is no certificate in its PEM"),
        (inline(&ca.replace("-----END", "-----MID"), &certificate, &key), Field::CaCertificate, "its PEM is damaged"),
        (inline(&ca, &key, &key), Field::ClientCertificate, "there is no certificate in its PEM"),
        (inline(&ca, &certificate, &certificate), Field::ClientKey, "there is no private key in its PEM"),
        (inline(&ca, &certificate, &other.key), Field::ClientKey, "it is not the key of the client certificate"),
    ] {
        let error = result.unwrap_err();
        assert_eq!((error.field(), error.problem().to_string().as_str()), (Some(field), problem));
        let body = key.lines().nth(1).unwrap();
        assert!(!format!("{error} {error:?}").contains(body));
    }
}

#[test]
fn a_configuration_shows_no_key() {
    let Pems { ca, certificate, key } = pems();
    let config = inline(&ca, &certificate, &key).unwrap();
    let shown = format!("{config:?}");
    assert!(shown.contains("os:admin") && !shown.contains(key.lines().nth(1).unwrap()), "{shown}");
}

#[test]
fn a_certificate_is_valid_between_its_dates() {
    let config = inline(&pems().ca, &pems().certificate, "").map(|_| ()).unwrap_err();
    assert_eq!(config.field(), Some(Field::ClientKey));
    let Pems { ca, certificate, key } = pems();
    let credentials = inline(&ca, &certificate, &key).unwrap().credentials;
    let end = credentials.expires();
    assert_eq!(credentials.check(end), Ok(()));
    let after = end + std::time::Duration::from_secs(1);
    assert_eq!(credentials.check(after), Err(crate::error::CertificateProblem::Expired { since: end }));
    let long_ago = std::time::UNIX_EPOCH;
    assert!(matches!(credentials.check(long_ago), Err(crate::error::CertificateProblem::NotYetValid { .. })));
}
