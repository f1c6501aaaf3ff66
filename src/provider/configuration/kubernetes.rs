//! The `kubernetes` block of the provider: its attributes, its checks, and what of it is known.

use std::path::PathBuf;

use kubernetes::settings::{Environment, Exec, Inline};
use plugin::{Attribute, Diagnostics, Field, Mode, Nesting, Path, Type, Value};

use super::first_unknown;

/// The attributes that say how a cluster is reached without a kubeconfig.
const VALUES: [&str; 6] = ["host", "cluster_ca_certificate", "client_certificate", "client_key", "token", "exec"];

/// The attributes that say which kubeconfig.
const FILES: [&str; 3] = ["config_path", "config_paths", "config_context"];

/// The `kubernetes` block, as far as it is known.
#[derive(Clone, Debug, Default)]
pub(crate) enum KubernetesSettings {
    /// There is no block: an error for whoever needs a cluster.
    #[default]
    Absent,
    /// This attribute is known only after apply.
    Unknown(String),
    /// Ready to be resolved.
    Known(Box<kubernetes::Settings>),
}

/// The attribute `kubernetes` of the provider block.
pub(super) fn attribute() -> Attribute {
    let strings = || Type::list(Type::String);
    let exec = vec![
        Attribute::required("api_version", Type::String)
            .describe("Version of the answer, such as `client.authentication.k8s.io/v1`."),
        Attribute::required("command", Type::String).describe("The program."),
        Attribute::optional("args", strings()).describe("Its arguments."),
        Attribute::optional("env", Type::map(Type::String))
            .sensitive()
            .describe("Variables beside those of the environment."),
    ];
    let client = vec![
        Attribute::required("host", Type::String).describe("Address of the API server, as a URL."),
        Attribute::required("ca_certificate", Type::String)
            .describe("Certificate of the cluster's authority: PEM, or base64 of PEM."),
        Attribute::required("client_certificate", Type::String)
            .describe("Certificate of the client: PEM, or base64 of PEM."),
        Attribute::required("client_key", Type::String)
            .sensitive()
            .describe("Private key of the client: PEM, or base64 of PEM."),
    ];
    let attributes = vec![
        Attribute::optional("config_path", Type::String).describe(
            "Path of a kubeconfig. Default: `KUBE_CONFIG_PATH`, then `KUBE_CONFIG_PATHS`, then `KUBECONFIG` (one or several files), then the service account of the pod that it runs in. There is no other default: `~/.kube/config` is used where it is named.",
        ),
        Attribute::optional("config_paths", strings())
            .describe("Paths of several kubeconfigs, merged as kubectl merges them. In place of `config_path`."),
        Attribute::optional("config_context", Type::String)
            .describe("Context of the kubeconfig. Default: `KUBE_CTX`, then the one that the file names as current."),
        Attribute::optional("host", Type::String)
            .describe("Address of the API server, as a URL (`https://10.0.0.1:6443`): in place of a kubeconfig, with the credentials below."),
        Attribute::optional("cluster_ca_certificate", Type::String)
            .describe("Certificate of the cluster's authority: PEM, or base64 of PEM. Without it the system's authorities are used. TLS is always verified."),
        Attribute::optional("client_certificate", Type::String)
            .describe("Certificate of the client: PEM, or base64 of PEM."),
        Attribute::optional("client_key", Type::String)
            .sensitive()
            .describe("Private key of the client: PEM, or base64 of PEM. Never in a log, a message or the state."),
        Attribute::optional("token", Type::String)
            .sensitive()
            .describe("Bearer token. Never in a log, a message or the state."),
        Attribute::optional("tls_server_name", Type::String)
            .describe("Name that the server's certificate must be for, where it is not the address. With a kubeconfig too."),
        Attribute::optional("proxy_url", Type::String)
            .sensitive()
            .describe("Proxy: `http://proxy.example:3128` (a user and a password may stand before the host) or `socks5://proxy.example:1080` (without). Both are given the name of the server to connect to. Default: the kubeconfig's, then `HTTPS_PROXY` where `NO_PROXY` does not say otherwise. With a kubeconfig too."),
        Attribute::nested("exec", Mode::Optional, Nesting::Single, exec).describe(
            "A program that gives credentials, as in a kubeconfig. It cannot ask questions. It is run when a resource needs the cluster, and again when its credentials run out.",
        ),
        Attribute::nested("client_configuration", Mode::Optional, Nesting::Single, client).describe(
            "Address and credentials in place of a kubeconfig, as `talos_cluster_kubeconfig.this.kubernetes_client_configuration` of siderolabs/talos gives them. May be unknown while the cluster is still to be made.",
        ),
    ];
    Attribute::nested("kubernetes", Mode::Optional, Nesting::Single, attributes)
        .describe("How the Kubernetes API is reached. An empty block (`kubernetes = {}`) takes the kubeconfig of the environment. One set of connections is shared by all resources.")
}

/// Checks what the schema cannot say.
pub(super) fn validate(config: &Value, diagnostics: &mut Diagnostics) {
    let block = config.get("kubernetes");
    let path = Path::attribute("kubernetes");
    let given = |name: &str| !block.get(name).is_null();
    let mut two_sources = |winner: &str, others: &[&str]| {
        for other in others.iter().filter(|other| given(other)) {
            diagnostics.error(
                path.then(*other),
                "Two sources of credentials",
                format!("kubernetes.{winner} says how the cluster is reached, so kubernetes.{other} would be passed over. Remove one of the two."),
            );
        }
    };
    if given("client_configuration") {
        two_sources("client_configuration", &[&FILES[..], &VALUES[..]].concat());
    } else if given("host") {
        two_sources("host", &FILES);
    }
    if given("config_path") {
        two_sources("config_path", &["config_paths"]);
    }
    if given("exec") {
        two_sources("exec", &["token", "client_certificate"]);
    }
    if !given("client_configuration") && !given("host") {
        for name in VALUES.iter().filter(|name| given(name)) {
            diagnostics.error(
                path.then(*name),
                "No address of a cluster",
                format!("kubernetes.{name} is used together with kubernetes.host, which is not given. Give the address, or remove it to use a kubeconfig."),
            );
        }
    }
    for (one, other) in [("client_certificate", "client_key"), ("client_key", "client_certificate")] {
        if given(one) && !given(other) {
            diagnostics.error(
                path.then(one),
                "Half a client certificate",
                format!("kubernetes.{one} is given and kubernetes.{other} is not. Give both."),
            );
        }
    }
    let empty = ["config_path", "config_context", "host", "token", "tls_server_name", "proxy_url"];
    for name in empty.iter().filter(|name| block.get(name).string() == Field::Known("")) {
        diagnostics.error(
            path.then(*name),
            "Empty value",
            format!("kubernetes.{name} is empty. Give a value, or leave it out (null) to use what comes next."),
        );
    }
    if let Field::Known([]) = block.get("config_paths").items() {
        diagnostics.error(
            path.then("config_paths"),
            "Empty value",
            "kubernetes.config_paths is an empty list. Name a file, or leave it out.",
        );
    }
    every_path_is_given(block.get("config_paths"), &path.then("config_paths"), diagnostics);
}

/// An empty path would be passed over, and with it the cluster that was meant. The schema passes none that is null.
fn every_path_is_given(paths: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    let Field::Known(items) = paths.items() else { return };
    for (index, item) in items.iter().enumerate() {
        if item.string() == Field::Known("") {
            diagnostics.error(
                path.index(index),
                "Empty value",
                "This item of kubernetes.config_paths is empty. Name a file, or leave the item out.",
            );
        }
    }
}

/// What is known of a configuration that [`validate`] has passed.
impl From<&Value> for KubernetesSettings {
    fn from(config: &Value) -> Self {
        let block = config.get("kubernetes");
        if block.is_null() {
            return Self::Absent;
        }
        if let Some(path) = first_unknown(block, Path::attribute("kubernetes")) {
            return Self::Unknown(path.to_string());
        }
        let text = |name: &str| block.get(name).string().known().map(ToOwned::to_owned);
        let mut config_paths: Vec<PathBuf> = text("config_path").into_iter().map(PathBuf::from).collect();
        config_paths.extend(strings(block.get("config_paths")).into_iter().map(PathBuf::from));
        Self::Known(Box::new(kubernetes::Settings {
            config_paths,
            context: text("config_context"),
            inline: inline(block),
            tls_server_name: text("tls_server_name"),
            proxy_url: text("proxy_url"),
            environment: Environment::of_process(),
        }))
    }
}

fn inline(block: &Value) -> Option<Inline> {
    let text = |value: &Value| value.string().known().map(ToOwned::to_owned);
    let client = block.get("client_configuration");
    if !client.is_null() {
        return Some(Inline {
            host: text(client.get("host")).unwrap_or_default(),
            ca_certificate: text(client.get("ca_certificate")),
            client_certificate: text(client.get("client_certificate")),
            client_key: text(client.get("client_key")).map(Into::into),
            ..Inline::default()
        });
    }
    Some(Inline {
        host: text(block.get("host"))?,
        ca_certificate: text(block.get("cluster_ca_certificate")),
        client_certificate: text(block.get("client_certificate")),
        client_key: text(block.get("client_key")).map(Into::into),
        token: text(block.get("token")).map(Into::into),
        exec: exec(block.get("exec")),
    })
}

fn exec(value: &Value) -> Option<Exec> {
    let text = |name: &str| value.get(name).string().known().map(ToOwned::to_owned);
    let env = value.get("env").entries().known().map(|entries| {
        entries.iter().filter_map(|(name, value)| Some((name.clone(), value.string().known()?.into()))).collect()
    });
    Some(Exec {
        api_version: text("api_version")?,
        command: text("command").unwrap_or_default(),
        args: strings(value.get("args")),
        env: env.unwrap_or_default(),
    })
}

fn strings(value: &Value) -> Vec<String> {
    let items = value.items().known().unwrap_or_default();
    items.iter().filter_map(|item| item.string().known().map(ToOwned::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn block(attributes: Vec<(&str, Value)>) -> Value {
        Value::object([("kubernetes", Value::object(attributes))])
    }

    fn known(attributes: Vec<(&str, Value)>) -> kubernetes::Settings {
        match KubernetesSettings::from(&block(attributes)) {
            KubernetesSettings::Known(settings) => *settings,
            other => panic!("{other:?}"),
        }
    }

    fn problems(attributes: Vec<(&str, Value)>) -> Vec<String> {
        let mut diagnostics = Diagnostics::new();
        validate(&block(attributes), &mut diagnostics);
        diagnostics.iter().map(|diagnostic| diagnostic.path.to_string()).collect()
    }

    #[test]
    fn an_unknown_part_is_named_and_no_block_is_absent() {
        let client = Value::object([("host", Value::unknown())]);
        let KubernetesSettings::Unknown(path) =
            KubernetesSettings::from(&block(vec![("client_configuration", client)]))
        else {
            panic!("not unknown")
        };
        assert_eq!(path, "kubernetes.client_configuration.host");
        let none = Value::object([("kubernetes", Value::Null)]);
        assert!(matches!(KubernetesSettings::from(&none), KubernetesSettings::Absent));
    }

    #[test]
    fn values_are_taken_from_either_form() {
        let client = Value::object([("host", "https://a".into()), ("client_key", "k".into())]);
        let inline = known(vec![("client_configuration", client)]).inline.unwrap();
        assert_eq!((inline.host.as_str(), inline.client_key.unwrap().expose_secret()), ("https://a", "k"));
        let exec = Value::object([
            ("api_version", "v1".into()),
            ("command", "aws".into()),
            ("args", Value::List(vec!["a".into()])),
            ("env", Value::map([("A", Value::from("1"))])),
        ]);
        let inline = known(vec![("host", "b".into()), ("exec", exec)]).inline.unwrap();
        let exec = inline.exec.unwrap();
        assert_eq!((exec.command.as_str(), exec.args, exec.env.len()), ("aws", vec!["a".to_owned()], 1));
        assert!(known(vec![("config_path", "~/x".into())]).inline.is_none());
    }

    #[test]
    fn what_contradicts_is_refused_on_its_attribute() {
        for (attributes, paths) in [
            (vec![("host", "a".into()), ("config_path", "b".into())], vec!["kubernetes.config_path"]),
            (vec![("client_configuration", Value::unknown()), ("token", "b".into())], vec!["kubernetes.token"]),
            (vec![("token", "a".into())], vec!["kubernetes.token"]),
            (vec![("host", "".into())], vec!["kubernetes.host"]),
            (vec![("host", "a".into()), ("client_key", "b".into())], vec!["kubernetes.client_key"]),
            (vec![("host", Value::unknown()), ("token", "b".into())], vec![]),
            (vec![("config_paths", Value::List(vec![]))], vec!["kubernetes.config_paths"]),
            (
                vec![("config_paths", Value::List(vec![Value::Null, "a".into(), "".into(), Value::unknown()]))],
                vec!["kubernetes.config_paths[2]"],
            ),
            (vec![("tls_server_name", "a".into()), ("config_path", "b".into())], vec![]),
        ] {
            assert_eq!(problems(attributes.clone()), paths, "{attributes:?}");
        }
    }
}
