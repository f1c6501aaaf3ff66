//! Who we are to the server: a header, a certificate, and for how long.

use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use kube::config::AuthInfo;
use secrecy::ExposeSecret;

use super::{NoClient, plugin};
use crate::secret::Secret;

/// A client certificate and its key, PEM.
pub(super) struct Identity {
    pub(super) certificate: String,
    pub(super) key: Secret,
}

/// How long credentials are good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lifetime {
    Endless,
    Until(SystemTime),
    /// Somebody writes them anew from time to time.
    OfFiles,
}

/// What proves who we are.
pub(super) struct Credentials {
    pub(super) authorization: Option<HeaderValue>,
    pub(super) identity: Option<Identity>,
    pub(super) lifetime: Lifetime,
}

impl Credentials {
    /// Gets them: a password, else a token, else one of a file, else what a plugin gives; and the certificate of the
    /// configuration, unless the plugin gives one.
    pub(super) async fn of(auth: &AuthInfo) -> Result<Self, NoClient> {
        let endless = |authorization| Self { authorization, identity: None, lifetime: Lifetime::Endless };
        let mut credentials = if let (Some(user), Some(password)) = (&auth.username, &auth.password) {
            let both = STANDARD.encode(format!("{user}:{}", password.expose_secret()));
            endless(header("Basic", &both))
        } else if let Some(token) = &auth.token {
            endless(header("Bearer", token.expose_secret()))
        } else if let Some(path) = &auth.token_file {
            Self { lifetime: Lifetime::OfFiles, ..endless(of_file(path)?) }
        } else if let Some(exec) = &auth.exec {
            plugin::ask(exec).await?
        } else {
            endless(None)
        };
        if credentials.identity.is_none() {
            credentials.identity = identity(auth);
        }
        Ok(credentials)
    }
}

/// A token or a password was checked with the settings, so this is one that can be sent.
pub(super) fn header(scheme: &str, secret: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!("{scheme} {secret}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn of_file(path: &str) -> Result<Option<HeaderValue>, NoClient> {
    let failed = |why: String| NoClient::File { path: path.to_owned(), why };
    let token = std::fs::read_to_string(path).map_err(|why| failed(format!("the token file cannot be read: {why}")))?;
    let header = header("Bearer", token.trim());
    header.map(Some).ok_or_else(|| failed("what it holds is no token".to_owned()))
}

/// The certificate of the configuration, which the settings have put there as base64 of PEM.
fn identity(auth: &AuthInfo) -> Option<Identity> {
    let pem = |text: &str| STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let certificate = pem(auth.client_certificate_data.as_deref()?)?;
    let key = pem(auth.client_key_data.as_ref()?.expose_secret())?;
    Some(Identity { certificate, key: key.into() })
}
