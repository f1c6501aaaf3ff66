//! Every form of settings, with files in a folder of the test's own.

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;

use super::*;
use crate::credentials::Source;

/// A self-signed certificate and its key, in PEM.
fn pair() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(vec!["a".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn write(folder: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    path
}

/// A kubeconfig with one cluster, user and context of this name.
fn kubeconfig(name: &str, server: &str, user: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: {name}\nclusters:\n- name: {name}\n  cluster:\n    server: {server}\nusers:\n- name: {name}\n  user: {user}\ncontexts:\n- name: {name}\n  context: {{cluster: {name}, user: {name}}}\n"
    )
}

fn of_file(path: &Path) -> Settings {
    Settings { config_paths: vec![path.to_owned()], ..Settings::default() }
}

fn url(settings: &Settings) -> String {
    settings.resolve().unwrap().url
}

fn problem(settings: &Settings) -> (Option<Field>, String) {
    let error = settings.resolve().unwrap_err();
    (error.field(), error.to_string())
}

#[test]
fn nothing_configured_is_an_error_that_names_where_was_looked() {
    let (field, said) = problem(&Settings::default());
    assert_eq!(field, None);
    for place in ["config_path", "KUBE_CONFIG_PATH", "KUBECONFIG", "client_configuration", "/var/run/secrets"] {
        assert!(said.contains(place), "{said}");
    }
}

#[test]
fn the_places_are_looked_at_in_order() {
    let folder = folder();
    let file = |name: &str| write(&folder, name, &kubeconfig(name, &format!("https://{name}:6443"), "{}"));
    let mut settings = Settings::default();
    settings.environment.kubeconfig = Some(file("kubeconfig").into());
    assert_eq!(url(&settings), "https://kubeconfig:6443");
    settings.environment.kube_config_paths = Some(file("several").into());
    assert_eq!(url(&settings), "https://several:6443");
    settings.environment.kube_config_path = Some(file("one").into());
    assert_eq!(url(&settings), "https://one:6443");
    settings.config_paths = vec![file("attribute")];
    assert_eq!(url(&settings), "https://attribute:6443");
    settings.inline = Some(Inline { host: "https://inline".into(), ..Inline::default() });
    assert_eq!(url(&settings), "https://inline");
}

#[test]
fn several_files_are_merged_and_the_first_to_name_a_thing_wins() {
    let folder = folder();
    let first = write(&folder, "first", &kubeconfig("a", "https://first", "{}"));
    let second = write(
        &folder,
        "second",
        &(kubeconfig("a", "https://second", "{}") + "- name: b\n  context: {cluster: a, user: a}\n"),
    );
    let mut settings = Settings::default();
    let list = std::env::join_paths([&folder.path().join("missing"), &first, &second]).unwrap();
    settings.environment.kubeconfig = Some(list);
    settings.context = Some("b".into());
    assert_eq!(url(&settings), "https://first");
    // kubectl passes over a missing file of KUBECONFIG; when all are missing there is nothing to go by.
    settings.environment.kubeconfig = Some(folder.path().join("missing").into());
    assert!(problem(&settings).1.contains("no such file"));
    // A path that somebody wrote for us must be there.
    assert_eq!(problem(&of_file(&folder.path().join("missing"))).0, Some(Field::ConfigPath));
}

#[test]
fn a_tilde_is_the_home_folder() {
    let folder = folder();
    write(&folder, "config", &kubeconfig("a", "https://a", "{}"));
    let mut settings = of_file(Path::new("~/config"));
    settings.environment.home = Some(folder.path().into());
    assert_eq!(url(&settings), "https://a");
}

#[test]
fn the_context_is_the_one_that_was_asked_for() {
    let folder = folder();
    let path = write(&folder, "config", &kubeconfig("prod", "https://a", "{}"));
    let mut settings = of_file(&path);
    assert!(settings.resolve().unwrap().origin.starts_with("context prod of "));
    settings.environment.kube_ctx = Some("dev".into());
    assert_eq!(problem(&settings).0, Some(Field::Context));
    settings.context = Some("prod".into());
    assert_eq!(url(&settings), "https://a", "an attribute comes before the environment");
    settings.context = Some("test".into());
    assert!(problem(&settings).1.ends_with("there is no context `test`; there are prod"));
}

#[test]
fn files_that_cannot_be_used_are_told_without_their_text() {
    let folder = folder();
    for (text, said) in [
        ("", "it names no cluster"),
        ("a: [s3cret", "it is not a kubeconfig: line"),
        ("clusters: s3cret", "it is not a kubeconfig: line"),
        ("clusters: [{name: a, cluster: {server: x}}]", "it chooses no context"),
        ("current-context: a\ncontexts: [{name: a, context: {cluster: b, user: c}}]", "names the cluster `b`"),
        (
            "current-context: a\ncontexts: [{name: a, context: {cluster: a}}]\nclusters: [{name: a, cluster: {}}]",
            "address of the server: it is missing",
        ),
    ] {
        let path = write(&folder, "config", text);
        let (_, found) = problem(&of_file(&path));
        assert!(found.contains(said) && !found.contains("s3cret"), "{text}: {found}");
    }
}

#[test]
fn what_would_weaken_the_connection_is_refused() {
    let folder = folder();
    let config = |server: &str, user: &str| of_file(&write(&folder, "config", &kubeconfig("a", server, user)));
    assert_eq!(problem(&config("https://a\n    insecure-skip-tls-verify: true", "{}")).0, Some(Field::Insecure));
    assert_eq!(problem(&config("https://a", "{auth-provider: {name: gcp}}")).0, Some(Field::AuthProvider));
    assert_eq!(problem(&config("http://a.example", "{token: s3cret}")).0, Some(Field::Host));
    assert_eq!(url(&config("http://127.0.0.1:8001", "{token: x}")), "http://127.0.0.1:8001");
}

#[test]
fn certificates_are_taken_as_pem_and_as_base64_of_pem() {
    let (certificate, key) = pair();
    for encode in [str::to_owned as fn(&str) -> String, |pem| STANDARD.encode(pem)] {
        let inline = Inline {
            host: "10.0.0.1:6443".into(),
            ca_certificate: Some(encode(&certificate)),
            client_certificate: Some(encode(&certificate)),
            client_key: Some(encode(&key).into()),
            ..Inline::default()
        };
        let settings = Settings { inline: Some(inline), ..Settings::default() };
        assert_eq!(url(&settings), "https://10.0.0.1:6443");
    }
}

#[test]
fn certificates_that_cannot_be_used_are_told_by_their_field() {
    let (certificate, key) = pair();
    let (_, other_key) = pair();
    let inline = |ca: &str, certificate: Option<&str>, key: Option<&str>| Settings {
        inline: Some(Inline {
            host: "a".into(),
            ca_certificate: Some(ca.to_owned()),
            client_certificate: certificate.map(ToOwned::to_owned),
            client_key: key.map(SecretString::from),
            ..Inline::default()
        }),
        ..Settings::default()
    };
    for (settings, field) in [
        (inline("nonsense", None, None), Field::CaCertificate),
        (inline(&key, None, None), Field::CaCertificate),
        (inline(&certificate, Some(&certificate), None), Field::ClientKey),
        (inline(&certificate, None, Some(&key)), Field::ClientCertificate),
        (inline(&certificate, Some(&certificate), Some(&other_key)), Field::ClientKey),
        (inline(&certificate, Some(&certificate), Some(&certificate)), Field::ClientKey),
    ] {
        let (found, said) = problem(&settings);
        assert_eq!(found, Some(field), "{said}");
        assert!(!said.contains("BEGIN"), "{said}");
    }
}

#[test]
fn an_address_is_checked_before_it_is_dialled() {
    let settings = |host: &str| Settings {
        inline: Some(Inline { host: host.to_owned(), ..Inline::default() }),
        ..Settings::default()
    };
    for host in ["", "  ", "ftp://a", "https://", "a b", "a:port", "[fd00::1]:99999"] {
        assert_eq!(problem(&settings(host)).0, Some(Field::Host), "{host}");
    }
    assert_eq!(url(&settings("[fd00::1]:6443")), "https://[fd00::1]:6443");
    assert_eq!(url(&settings("[fd00::1]")), "https://[fd00::1]");
}

#[test]
fn an_address_never_brings_a_password_into_a_message() {
    let folder = folder();
    for host in ["https://user:s3cret@a:6443", "user:s3cret@a", "https://user:s3cret@a b", "https://user:s3cret@a:port"]
    {
        let inline = Inline { host: host.to_owned(), ..Inline::default() };
        let of_file = of_file(&write(&folder, "config", &kubeconfig("a", &format!("'{host}'"), "{}")));
        for settings in [Settings { inline: Some(inline), ..Settings::default() }, of_file] {
            let (field, said) = problem(&settings);
            assert!(field == Some(Field::Host) && !said.contains("s3cret"), "{said}");
        }
    }
}

#[test]
fn a_token_that_no_header_can_carry_is_refused_without_quoting_it() {
    let folder = folder();
    for token in ["s3cret\\nb", "s3cret b", "s3cret\\u00e4"] {
        let user = format!("{{token: \"{token}\"}}");
        let (field, said) = problem(&of_file(&write(&folder, "config", &kubeconfig("a", "https://a", &user))));
        assert!(field == Some(Field::Token) && !said.contains("s3cret"), "{said}");
    }
}

#[test]
fn a_server_name_is_a_name_or_an_address() {
    let settings = |name: &str| Settings {
        inline: Some(Inline { host: "a".into(), ..Inline::default() }),
        tls_server_name: Some(name.to_owned()),
        ..Settings::default()
    };
    for name in ["not a name", "https://a", "a/b"] {
        assert_eq!(problem(&settings(name)).0, Some(Field::TlsServerName), "{name}");
    }
    for name in ["cp.example", "10.0.0.1", "fd00::1"] {
        assert_eq!(url(&settings(name)), "https://a", "{name}");
    }
}

#[test]
fn an_exec_plugin_never_asks_questions() {
    let folder = folder();
    let config = |mode: &str| {
        let user = format!("{{exec: {{apiVersion: client.authentication.k8s.io/v1, command: aws{mode}}}}}");
        of_file(&write(&folder, "config", &kubeconfig("a", "https://a", &user)))
    };
    let server = config("").resolve().unwrap();
    assert!(matches!(&server.source, Source::Plugin(plugin) if plugin.command() == "aws"), "{server:?}");
    assert!(server.config().auth_info.exec.is_none(), "kube does not run it");
    assert_eq!(problem(&config(", interactiveMode: Always")).0, Some(Field::Exec));
}

#[test]
fn a_proxy_is_taken_from_the_attribute_the_file_or_the_environment() {
    let folder = folder();
    let proxy = |settings: &Settings| settings.resolve().unwrap().config().proxy_url.map(|url| url.to_string());
    let path = write(&folder, "config", &kubeconfig("a", "https://a.example", "{}"));
    let mut settings = of_file(&path);
    assert_eq!(proxy(&settings), None);
    settings.environment.https_proxy = Some("http://environment:1".into());
    assert_eq!(proxy(&settings).as_deref(), Some("http://environment:1/"));
    settings.environment.no_proxy = Some(".example".into());
    assert_eq!(proxy(&settings), None);
    write(&folder, "config", &kubeconfig("a", "https://a.example\n    proxy-url: socks5://file:2", "{}"));
    assert_eq!(proxy(&settings).as_deref(), Some("socks5://file:2/"));
    settings.proxy_url = Some("http://attribute:3".into());
    assert_eq!(proxy(&settings).as_deref(), Some("http://attribute:3/"));
    for password in ["s3cret", "s3c@ret"] {
        settings.proxy_url = Some(format!("http://user:{password}@proxy.example:3128"));
        assert_eq!(settings.resolve().unwrap().proxy.as_deref(), Some("http://proxy.example:3128"));
    }
}

#[test]
fn a_proxy_that_cannot_be_used_is_refused_without_its_password() {
    for (proxy, why) in [
        ("ftp://user:s3cret@attribute", "neither http nor socks5"),
        ("https://user:s3cret@attribute", "reached over TLS"),
        ("socks5://user:s3cret@attribute", "a user and a password"),
        ("http://user:s3cret@", "no URL"),
        ("http://user:s3cret@a b", "no URL"),
    ] {
        let inline = Inline { host: "a".into(), ..Inline::default() };
        let settings = Settings { inline: Some(inline), proxy_url: Some(proxy.into()), ..Settings::default() };
        let (field, said) = problem(&settings);
        assert!(field == Some(Field::ProxyUrl) && said.contains(why) && !said.contains("s3cret"), "{proxy}: {said}");
    }
}

#[test]
fn a_pod_uses_its_service_account() {
    let folder = folder();
    let mut settings = Settings::default();
    settings.environment.service = Some(("fd00::1".into(), "443".into()));
    settings.environment.service_account = folder.path().into();
    assert_eq!(problem(&settings).0, Some(Field::CaCertificate));
    write(&folder, "ca.crt", &pair().0);
    write(&folder, "token", "s3cret");
    let server = settings.resolve().unwrap();
    assert_eq!(server.url, "https://[fd00::1]:443");
    assert_eq!(server.config().root_cert_file, Some(folder.path().join("ca.crt")));
    settings.context = Some("a".into());
    assert!(matches!(settings.resolve().unwrap_err().problem(), SettingsProblem::NotConfigured { .. }));
}

#[test]
fn no_secret_is_in_the_debug_of_anything() {
    let folder = folder();
    let user = "{token: s3cret-a, exec: {command: aws, args: [s3cret-b], env: [{name: A, value: s3cret-c}]}}";
    let server = of_file(&write(&folder, "config", &kubeconfig("a", "https://a", user))).resolve().unwrap();
    let inline = Inline {
        host: "a".into(),
        token: Some("s3cret-d".into()),
        client_key: Some("s3cret-e".into()),
        exec: Some(Exec {
            args: vec!["s3cret-f".into()],
            env: [("A".to_owned(), "s3cret-g".into())].into(),
            ..Exec::default()
        }),
        ..Inline::default()
    };
    let settings = Settings { inline: Some(inline), ..Settings::default() };
    let shown = format!("{server:?} {settings:?}");
    assert!(!shown.contains("s3cret"), "{shown}");
}
