//! The file `talosconfig`: contexts with endpoints and credentials (`pkg/machinery/client/config/config.go` of Talos).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use secrecy::SecretString;
use serde::Deserialize;

use super::credentials::{Credentials, InlineCredentials};
use super::{ClientConfig, ConfigError, ConfigProblem, Endpoint, Field};

/// Keys that are not known are ignored, as Talos ignores them.
#[derive(Deserialize)]
struct Talosconfig {
    #[serde(default)]
    context: Option<String>,
    #[serde(default)]
    contexts: Option<BTreeMap<String, Option<Context>>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Context {
    /// Deprecated: one more endpoint.
    target: Option<String>,
    endpoints: Option<Vec<String>>,
    nodes: Option<Vec<String>>,
    ca: Option<String>,
    crt: Option<String>,
    key: Option<String>,
    auth: Option<Auth>,
    cluster: Option<String>,
    #[serde(rename = "proxy-url")]
    proxy_url: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Auth {
    basic: Option<serde::de::IgnoredAny>,
    siderov1: Option<serde::de::IgnoredAny>,
}

/// Reads one context of the file: the one that is asked for, else the one that the file chooses. `endpoints`, where given,
/// take the place of the context's.
pub(super) fn load(
    path: &Path,
    context: Option<&str>,
    endpoints: Option<&[Endpoint]>,
) -> Result<ClientConfig, ConfigError> {
    let file = path.display().to_string();
    let text = fs::read_to_string(path)
        .map_err(|error| ConfigError::new(&file, Field::ConfigPath, ConfigProblem::Unreadable(error.to_string())))?;
    let parsed = parse(&text).map_err(|problem| ConfigError::new(&file, Field::ConfigPath, problem))?;
    let (name, context) =
        choose(parsed, context).map_err(|problem| ConfigError::new(&file, Field::Context, problem))?;
    client_config(context, endpoints, format!("context {name} of {file}"))
}

fn parse(text: &str) -> Result<Talosconfig, ConfigProblem> {
    if text.trim().is_empty() {
        return Err(ConfigProblem::Empty);
    }
    // The parser's own message quotes the file, which holds the key: only the line is kept.
    serde_saphyr::from_str(text).map_err(|error| ConfigProblem::NotATalosconfig {
        line: error.location().map(|location| location.line()).filter(|line| *line > 0),
        reason: "it does not have the shape of one",
    })
}

fn choose(file: Talosconfig, wanted: Option<&str>) -> Result<(String, Context), ConfigProblem> {
    let mut contexts = file.contexts.unwrap_or_default();
    let known = contexts.keys().cloned().collect();
    let chosen = file.context.filter(|name| !name.is_empty());
    let Some(name) = wanted.map(str::to_owned).or(chosen) else {
        return Err(ConfigProblem::NoContext { known });
    };
    match contexts.remove(&name) {
        Some(context) => Ok((name, context.unwrap_or_default())),
        None => Err(ConfigProblem::UnknownContext { name, known }),
    }
}

fn client_config(
    context: Context,
    endpoints: Option<&[Endpoint]>,
    origin: String,
) -> Result<ClientConfig, ConfigError> {
    refuse_unsupported(&context).map_err(|(field, problem)| ConfigError::new(&origin, field, problem))?;
    let endpoints = match endpoints {
        Some(given) => given.to_vec(),
        None => {
            let written = context.endpoints.into_iter().flatten().chain(context.target);
            super::discovery::endpoints(written.filter(|text| !text.is_empty()), &origin)?
        }
    };
    let inline = InlineCredentials {
        ca_certificate: context.ca.unwrap_or_default(),
        client_certificate: context.crt.unwrap_or_default(),
        client_key: SecretString::from(context.key.unwrap_or_default()),
    };
    let credentials = Credentials::new(&inline, &origin)?;
    let cluster = context.cluster.filter(|name| !name.is_empty());
    Ok(ClientConfig { endpoints, nodes: context.nodes.unwrap_or_default(), cluster, credentials, origin })
}

/// Ways of authentication that would need code of their own; going on without them would end in a refusal that says less.
fn refuse_unsupported(context: &Context) -> Result<(), (Field, ConfigProblem)> {
    let auth = context.auth.as_ref();
    if auth.is_some_and(|auth| auth.siderov1.is_some()) {
        return Err((Field::Auth, ConfigProblem::Unsupported("requests signed for Omni (siderov1) are not supported")));
    }
    if auth.is_some_and(|auth| auth.basic.is_some()) {
        return Err((Field::Auth, ConfigProblem::Unsupported("basic authentication is not supported")));
    }
    if context.proxy_url.as_ref().is_some_and(|url| !url.is_empty()) {
        return Err((Field::ProxyUrl, ConfigProblem::Unsupported("proxies are not supported")));
    }
    Ok(())
}
