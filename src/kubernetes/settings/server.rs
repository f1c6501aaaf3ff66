//! Settings that were found usable, and what kube needs of them.

use std::fmt;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube::config::AuthInfo;
use rustls_pki_types::ServerName;
use secrecy::{ExposeSecret, SecretString};

use super::{Environment, Field, SettingsError, SettingsProblem, pem, proxy};
use crate::credentials::{NotAPlugin, Plugin, Source, is_token};

/// How long a dial may take: a plan must not hang on a server that is not there.
const DIAL: std::time::Duration = std::time::Duration::from_secs(5);

/// A server and who we are to it.
#[derive(Clone)]
pub(crate) struct Server {
    /// `context prod of /root/.kube/config`.
    pub(crate) origin: String,
    /// `https://10.0.0.1:6443`.
    pub(crate) url: String,
    /// Where credentials come from that do not stand in the settings.
    pub(crate) source: Source,
    /// The proxy on the way, without its user and password: `http://proxy.example:3128`.
    pub(crate) proxy: Option<String>,
    config: kube::Config,
}

/// kube shows the variables and arguments of an exec plugin.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("origin", &self.origin).field("url", &self.url).finish_non_exhaustive()
    }
}

/// Everything that the sources of settings have in common.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) url: String,
    pub(super) ca: Option<String>,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) certificate: Option<String>,
    pub(super) key: Option<SecretString>,
    pub(super) tls_server_name: Option<String>,
    pub(super) proxy_url: Option<String>,
    /// Everything else: tokens, impersonation, the exec plugin.
    pub(super) auth: AuthInfo,
}

impl Server {
    /// What kube builds a client from.
    pub(crate) fn config(&self) -> kube::Config {
        self.config.clone()
    }

    /// Checks the parts and puts them together.
    pub(super) fn new(parts: Parts, environment: &Environment, origin: &str) -> Result<Self, SettingsError> {
        let at = |(field, problem)| SettingsError::new(origin, field, problem);
        let uri = address(&parts.url).map_err(at)?;
        let mut auth = parts.auth;
        if let Some(token) = &auth.token {
            check_token(token).map_err(at)?;
        }
        let source = source(&mut auth).map_err(at)?;
        if let Some(name) = &parts.tls_server_name {
            check_server_name(name).map_err(at)?;
        }
        let has_credentials = source.can_renew() || auth.token.is_some() || auth.password.is_some();
        if uri.scheme_str() == Some("http") && has_credentials && !is_loopback(&uri) {
            return Err(at((
                Field::Host,
                SettingsProblem::Unusable("credentials would go over plain HTTP to another machine".to_owned()),
            )));
        }
        match (&parts.certificate, &parts.key) {
            (Some(certificate), Some(key)) => {
                let certificate = pem::pem(certificate, Field::ClientCertificate).map_err(at)?;
                let key = SecretString::from(pem::pem(key.expose_secret(), Field::ClientKey).map_err(at)?);
                pem::check_identity(&certificate, &key).map_err(at)?;
                auth.client_certificate_data = Some(STANDARD.encode(certificate));
                auth.client_key_data = Some(STANDARD.encode(key.expose_secret()).into());
            }
            (Some(_), None) => return Err(at((Field::ClientKey, SettingsProblem::Missing))),
            (None, Some(_)) => return Err(at((Field::ClientCertificate, SettingsProblem::Missing))),
            (None, None) => {}
        }
        let mut config = kube::Config::new(uri.clone());
        if let Some(ca) = &parts.ca {
            let ca = pem::pem(ca, Field::CaCertificate).map_err(at)?;
            let ca = pem::certificates(&ca, Field::CaCertificate).map_err(at)?;
            config.root_cert = Some(ca.iter().map(|der| der.to_vec()).collect());
        }
        config.root_cert_file = parts.ca_file;
        config.proxy_url = proxy_for(&uri, parts.proxy_url.as_deref(), environment).map_err(at)?;
        config.tls_server_name = parts.tls_server_name;
        config.auth_info = auth;
        config.connect_timeout = Some(DIAL);
        config.write_timeout = None;
        // Retries are our own: they keep to a deadline, hear Retry-After and end with Ctrl-C.
        config.default_retry = false;
        let url = uri.to_string().trim_end_matches('/').to_owned();
        let proxy = config.proxy_url.as_ref().map(without_password);
        Ok(Self { origin: origin.to_owned(), url, source, proxy, config })
    }
}

/// What a message may say of a proxy.
fn without_password(proxy: &http::Uri) -> String {
    let place = proxy.authority().map(http::uri::Authority::as_str).unwrap_or_default();
    let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
    format!("{}://{place}", proxy.scheme_str().unwrap_or_default())
}

/// The address as a URI; `https` where no scheme is given.
fn address(given: &str) -> Result<http::Uri, (Field, SettingsProblem)> {
    let wrong = |why: String| (Field::Host, SettingsProblem::Unusable(why));
    let given = given.trim();
    if given.is_empty() {
        return Err((Field::Host, SettingsProblem::Missing));
    }
    // Every message names the address, so it must not hold a password; and kube would not send it.
    if given.contains('@') {
        return Err(wrong(
            "it holds a user or a password, which an API server does not take from its address".to_owned(),
        ));
    }
    let text = if given.contains("://") { given.to_owned() } else { format!("https://{given}") };
    let uri: http::Uri = text.parse().map_err(|_| wrong(format!("\"{given}\" is no URL")))?;
    if uri.host().is_none_or(str::is_empty) {
        return Err(wrong(format!("\"{given}\" has no host")));
    }
    let has_port = uri.authority().is_some_and(|authority| authority.as_str() != uri.host().unwrap_or_default());
    if has_port && uri.port_u16().is_none() {
        return Err(wrong(format!("the port of \"{given}\" is no number from 0 to 65535")));
    }
    match uri.scheme_str() {
        Some("https" | "http") => Ok(uri),
        scheme => Err(wrong(format!("the scheme {} is not https", scheme.unwrap_or_default()))),
    }
}

/// kube gives up in the middle of its work on a token that no header can carry.
fn check_token(token: &SecretString) -> Result<(), (Field, SettingsProblem)> {
    if is_token(token.expose_secret()) {
        return Ok(());
    }
    let why = "it has a blank, a line break or another character that no token has".to_owned();
    Err((Field::Token, SettingsProblem::Unusable(why)))
}

fn check_server_name(name: &str) -> Result<(), (Field, SettingsProblem)> {
    let why = || SettingsProblem::Unusable(format!("\"{name}\" is neither a DNS name nor an IP address"));
    ServerName::try_from(name).map(drop).map_err(|_| (Field::TlsServerName, why()))
}

fn is_loopback(uri: &http::Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Takes from kube what it would ask for itself, in its order: a token comes before a file, and a file before a plugin.
fn source(auth: &mut AuthInfo) -> Result<Source, (Field, SettingsProblem)> {
    let plugin =
        auth.exec.take().map(Plugin::new).transpose().map_err(|why| (Field::Exec, SettingsProblem::from(why)))?;
    let file = auth.token_file.take().map(PathBuf::from);
    let stands_there = auth.token.is_some() || (auth.username.is_some() && auth.password.is_some());
    Ok(match (file, plugin) {
        _ if stands_there => Source::Settings,
        (Some(file), _) => Source::TokenFile(file),
        (None, Some(plugin)) => Source::Plugin(Box::new(plugin)),
        (None, None) => Source::Settings,
    })
}

impl From<NotAPlugin> for SettingsProblem {
    fn from(why: NotAPlugin) -> Self {
        match why {
            NotAPlugin::NoCommand => Self::Missing,
            NotAPlugin::Asks(command) => Self::Unusable(format!(
                "`{command}` wants to ask questions (interactiveMode Always), and there is no terminal here"
            )),
        }
    }
}

/// The proxy that is configured, else that of the environment where it is not exempt.
fn proxy_for(
    uri: &http::Uri,
    given: Option<&str>,
    environment: &Environment,
) -> Result<Option<http::Uri>, (Field, SettingsProblem)> {
    let port = uri.port_u16().unwrap_or(443);
    let exempt =
        || proxy::is_exempt(environment.no_proxy.as_deref().unwrap_or_default(), uri.host().unwrap_or_default(), port);
    let from_environment = || environment.https_proxy.as_deref().filter(|_| !exempt());
    let Some(text) = given.or_else(from_environment) else { return Ok(None) };
    // Its user and password are never quoted.
    let wrong = |why: &str| (Field::ProxyUrl, SettingsProblem::Unusable(why.to_owned()));
    let text = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let proxy: http::Uri = text.parse().map_err(|_| wrong("it is no URL"))?;
    let has_user = proxy.authority().is_some_and(|authority| authority.as_str().contains('@'));
    match proxy.scheme_str() {
        _ if proxy.host().is_none_or(str::is_empty) => Err(wrong("it has no host")),
        Some("http") => Ok(Some(proxy)),
        // kube would not send them.
        Some("socks5") if has_user => Err(wrong("a socks5 proxy that wants a user and a password is not supported")),
        Some("socks5") => Ok(Some(proxy)),
        // kube would check such a proxy's certificate as if it were the cluster's, and show it the client's.
        Some("https") => Err(wrong("a proxy that is itself reached over TLS (https) is not supported")),
        _ => Err(wrong("its scheme is neither http nor socks5")),
    }
}
