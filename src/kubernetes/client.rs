//! The client of one server, put together from kube's parts: the way of its connections, TLS and the credentials.
//!
//! kube's own composition (`kube::Client::try_from`) knows ways to get credentials that Kubernetes has given up and that
//! [`crate::settings`] refuses; they bring a query language, its grammar and regular expressions into the binary. This one
//! leaves them out, and sends what it has at once (`TCP_NODELAY`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, HeaderValue};
use http::{Request, Response};
use hyper_util::client::legacy;
use hyper_util::rt::TokioExecutor;
use kube::client::{Body, ClientBuilder, ConfigExt as _};
use kube::config::AuthInfo;
use secrecy::ExposeSecret;

mod tls;
mod way;

/// Sends requests. Cloning is cheap and shares the connections.
#[derive(Clone)]
pub(crate) struct Client {
    kube: kube::Client,
    authorization: Option<HeaderValue>,
}

/// Why there is no client. What the operator gave was checked before, so this is about files and the system.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoClient {
    /// A file with a CA, by its path.
    #[error("{path}: {why}")]
    File { path: String, why: String },
    #[error("setting up TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// Headers that cannot be sent.
    #[error(transparent)]
    Headers(#[from] kube::Error),
}

impl Client {
    /// Reads the authorities and puts the client together, with the credentials that stand in the configuration. Nothing
    /// connects here.
    pub(crate) fn new(config: &kube::Config) -> Result<Self, NoClient> {
        let dial = way::Dial::new(config, tls::config(config)?);
        let http: legacy::Client<_, Body> = legacy::Client::builder(TokioExecutor::new()).build(dial);
        let kube = ClientBuilder::new(http, config.default_namespace.clone())
            .with_layer(&config.base_uri_layer())
            .with_layer(&config.extra_headers_layer()?)
            .build();
        Ok(Self { kube, authorization: authorization(&config.auth_info) })
    }

    /// Sends a request, with the credentials.
    pub(crate) async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Body>, kube::Error> {
        let mut request = request.map(Body::from);
        if let Some(header) = &self.authorization {
            request.headers_mut().insert(AUTHORIZATION, header.clone());
        }
        self.kube.send(request).await
    }
}

/// A password comes before a token, as kubectl has it.
fn authorization(auth: &AuthInfo) -> Option<HeaderValue> {
    match (&auth.username, &auth.password, &auth.token) {
        (Some(user), Some(password), _) => basic(format!("{user}:{}", password.expose_secret()).as_bytes()),
        (_, _, Some(token)) => header("Bearer", token.expose_secret()),
        _ => None,
    }
}

fn basic(user_and_password: &[u8]) -> Option<HeaderValue> {
    header("Basic", &STANDARD.encode(user_and_password))
}

/// A token was checked where it came from, so this is one that can be sent.
fn header(scheme: &str, secret: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!("{scheme} {secret}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_comes_before_a_token_and_neither_is_shown() {
        let mut auth = AuthInfo { token: Some("t0ken".to_owned().into()), ..AuthInfo::default() };
        let sent = authorization(&auth).unwrap();
        assert_eq!(sent, "Bearer t0ken");
        assert!(!format!("{sent:?}").contains("t0ken"));
        auth.username = Some("ada".to_owned());
        auth.password = Some("love".to_owned().into());
        assert_eq!(authorization(&auth).unwrap(), "Basic YWRhOmxvdmU=");
        assert_eq!(authorization(&AuthInfo::default()), None);
    }
}
