//! The provider block: its schema, its checks, and what of it is known.
//!
//! Nothing here connects, and nothing is an error before a resource needs it: a plan may run while the cluster that
//! the block describes is still to be made.

mod kubernetes;

use std::path::PathBuf;

use plugin::{Attribute, Diagnostics, Field, Mode, Nesting, Path, Schema, Type, Value, validators};

pub(crate) use self::kubernetes::KubernetesSettings;

/// What the provider does about a node that cannot be reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum OnUnreachable {
    /// An error.
    #[default]
    Error,
    /// A warning; the state is kept.
    Warn,
}

/// The `talos` block, as far as it is known.
#[derive(Clone, Debug, Default)]
pub(crate) enum TalosSettings {
    /// There is no block: an error for whoever needs a node.
    #[default]
    Absent,
    /// This attribute is known only after apply.
    Unknown(String),
    /// Ready to be resolved.
    Known(Box<TalosBlock>),
}

/// A known `talos` block.
#[derive(Clone, Debug, Default)]
pub(crate) struct TalosBlock {
    pub(crate) config_path: Option<PathBuf>,
    pub(crate) config_context: Option<String>,
    pub(crate) endpoints: Option<Vec<String>>,
    pub(crate) credentials: Option<talos::config::InlineCredentials>,
    pub(crate) on_unreachable: OnUnreachable,
}

/// The schema of the provider block.
pub(crate) fn schema() -> Schema {
    let credentials = vec![
        Attribute::required("ca_certificate", Type::String)
            .describe("Certificate of the Talos API's authority: PEM, or base64 of PEM."),
        Attribute::required("client_certificate", Type::String)
            .describe("Certificate of the client: PEM, or base64 of PEM. Its subject's organisation is the role (`os:admin`, `os:operator`, `os:reader`)."),
        Attribute::required("client_key", Type::String)
            .sensitive()
            .describe("Private key of the client: PEM, or base64 of PEM. Never in a log, a message or the state."),
    ];
    let talos = vec![
        Attribute::optional("config_path", Type::String).describe(
            "Path of a talosconfig. Default: `TALOSCONFIG`, then `$TALOS_HOME/config`, then `~/.talos/config`, then `/var/run/secrets/talos.dev/config`.",
        ),
        Attribute::optional("config_context", Type::String)
            .describe("Context of the talosconfig. Default: the one that the file names as current."),
        Attribute::optional("endpoints", Type::List(Box::new(Type::String)))
            .describe("Talos API endpoints (`host`, `host:port`, `[ipv6]:port`; port 50000 unless given), in place of the context's. Several are tried in turn when one cannot be reached."),
        Attribute::nested("client_configuration", Mode::Optional, Nesting::Single, credentials).describe(
            "Credentials in place of a talosconfig, as `talos_machine_secrets.this.client_configuration` of siderolabs/talos gives them. May be unknown while the cluster is still to be made.",
        ),
        Attribute::optional("on_unreachable", Type::String)
            .validate(validators::one_of(&["error", "warn"]))
            .describe("What a refresh does about a node that does not answer: `error` (default) stops the plan, `warn` keeps the state with a warning and lets a destroy forget a node that is gone. A refused certificate or a missing role is always an error."),
    ];
    Schema {
        version: 0,
        description: "NVIDIA GPUs on Talos Linux: the machine configuration of GPU nodes and what their Kubernetes cluster needs, with drift seen at plan time and taken back on destroy. Nothing connects before a resource needs it.".into(),
        attributes: vec![
            Attribute::nested("talos", Mode::Optional, Nesting::Single, talos).describe(
                "How the Talos API is reached. An empty block (`talos = {}`) takes the talosconfig of the environment. TLS is always verified; HTTP/2 connections are shared by all resources.",
            ),
            kubernetes::attribute(),
        ],
    }
}

/// Checks what the schema cannot say.
pub(crate) fn validate(config: &Value, diagnostics: &mut Diagnostics) {
    kubernetes::validate(config, diagnostics);
    let talos = config.get("talos");
    let path = Path::attribute("talos");
    if !talos.get("client_configuration").is_null() {
        for other in ["config_path", "config_context"] {
            if !talos.get(other).is_null() {
                diagnostics.error(
                    path.then(other),
                    "Two sources of credentials",
                    format!("talos.client_configuration gives the credentials, so talos.{other} would be passed over. Remove one of the two."),
                );
            }
        }
    }
    if let Field::Known(endpoints) = talos.get("endpoints").items() {
        if endpoints.is_empty() {
            diagnostics.error(
                path.then("endpoints"),
                "No endpoints",
                "talos.endpoints is an empty list. Name at least one endpoint, or leave the attribute out to use the context's.",
            );
        }
        for (index, endpoint) in endpoints.iter().enumerate() {
            match endpoint.string() {
                Field::Known(text) => {
                    if let Err(error) = text.parse::<talos::Endpoint>() {
                        diagnostics.error(path.then("endpoints").index(index), "Invalid endpoint", error.to_string());
                    }
                }
                Field::Null => diagnostics.error(
                    path.then("endpoints").index(index),
                    "Invalid endpoint",
                    "An endpoint is null. Name a host, with a port where it is not 50000.",
                ),
                Field::Unknown => {}
            }
        }
    }
}

/// What is known of a configuration that [`validate`] has passed.
impl From<&Value> for TalosSettings {
    fn from(config: &Value) -> Self {
        let talos = config.get("talos");
        if talos.is_null() {
            return Self::Absent;
        }
        if let Some(path) = first_unknown(talos, Path::attribute("talos")) {
            return Self::Unknown(path.to_string());
        }
        let text = |value: &Value| value.string().known().map(ToOwned::to_owned);
        let credentials = talos.get("client_configuration");
        Self::Known(Box::new(TalosBlock {
            config_path: text(talos.get("config_path")).map(PathBuf::from),
            config_context: text(talos.get("config_context")),
            endpoints: talos
                .get("endpoints")
                .items()
                .known()
                .map(|items| items.iter().filter_map(|item| item.string().known().map(ToOwned::to_owned)).collect()),
            credentials: (!credentials.is_null()).then(|| {
                let part = |name: &str| credentials.get(name).string().known().unwrap_or_default();
                talos::config::InlineCredentials {
                    ca_certificate: part("ca_certificate").to_owned(),
                    client_certificate: part("client_certificate").to_owned(),
                    client_key: part("client_key").into(),
                }
            }),
            on_unreachable: match talos.get("on_unreachable").string() {
                Field::Known("warn") => OnUnreachable::Warn,
                _ => OnUnreachable::Error,
            },
        }))
    }
}

fn first_unknown(value: &Value, path: Path) -> Option<Path> {
    match value {
        Value::Unknown(_) => Some(path),
        Value::Object(attributes) => attributes.iter().find_map(|(name, value)| first_unknown(value, path.then(name))),
        Value::Map(entries) => entries.iter().find_map(|(key, value)| first_unknown(value, path.key(key))),
        Value::List(items) | Value::Set(items) | Value::Tuple(items) => {
            items.iter().enumerate().find_map(|(index, value)| first_unknown(value, path.index(index)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(attributes: Vec<(&str, Value)>) -> Value {
        Value::object([("talos", Value::object(attributes))])
    }

    #[test]
    fn an_unknown_part_is_named_and_never_taken_for_a_default() {
        let config = block(vec![("client_configuration", Value::object([("client_key", Value::unknown())]))]);
        let TalosSettings::Unknown(path) = TalosSettings::from(&config) else { panic!("not unknown") };
        assert_eq!(path, "talos.client_configuration.client_key");
        assert!(matches!(
            TalosSettings::from(&Value::object([("talos", Value::unknown())])),
            TalosSettings::Unknown(_)
        ));
    }

    #[test]
    fn no_block_is_absent_and_an_empty_block_is_known() {
        assert!(matches!(TalosSettings::from(&Value::object([("talos", Value::Null)])), TalosSettings::Absent));
        assert!(matches!(TalosSettings::from(&block(vec![])), TalosSettings::Known(_)));
    }

    #[test]
    fn two_sources_of_credentials_and_bad_endpoints_are_refused_on_their_attribute() {
        let mut diagnostics = Diagnostics::new();
        validate(
            &block(vec![
                ("client_configuration", Value::object([("client_key", Value::from("x"))])),
                ("config_path", Value::from("a")),
                ("endpoints", Value::List(vec![Value::from("ok"), Value::from("bad host")])),
            ]),
            &mut diagnostics,
        );
        let paths: Vec<String> = diagnostics.iter().map(|d| d.path.to_string()).collect();
        assert_eq!(paths, ["talos.config_path", "talos.endpoints[1]"]);
    }
}
