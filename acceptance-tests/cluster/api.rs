//! The few calls that the cluster itself needs of its API server. A test's own calls go through kubectl, as a user's do.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

use crate::certificates::{Authority, Identity};

/// No call here waits for anything but the answer.
const LIMIT: Duration = Duration::from_secs(30);

/// A client of the API server, as the cluster's administrator.
#[derive(Clone, Debug)]
pub struct Api {
    port: u16,
    tls: Arc<ClientConfig>,
}

/// An answer of the API server.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) body: Vec<u8>,
}

impl Api {
    pub(crate) fn new(port: u16, authority: &Authority, user: &Identity) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes())?)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_slice(user.certificate.as_bytes())?],
                PrivateKeyDer::from_pem_slice(user.key.as_bytes())?,
            )?;
        Ok(Self { port, tls: Arc::new(tls) })
    }

    /// The object at a path, if there is one.
    ///
    /// # Errors
    /// When the server does not answer, or answers with anything but 200 and 404.
    pub fn find(&self, path: &str) -> Result<Option<Value>> {
        let answer = self.call("GET", path, None)?;
        match answer.code {
            404 => Ok(None),
            _ => answer.object("GET", path).map(Some),
        }
    }

    /// The object at a path.
    ///
    /// # Errors
    /// When it is not there, or the server does not answer.
    pub fn get(&self, path: &str) -> Result<Value> {
        self.find(path)?.with_context(|| format!("there is nothing at {path}"))
    }

    /// Creates an object in the list at a path.
    ///
    /// # Errors
    /// When the server refuses it, or does not answer.
    pub fn create(&self, path: &str, object: &Value) -> Result<Value> {
        self.call("POST", path, Some(("application/json", object)))?.object("POST", path)
    }

    /// Merges a patch into the object at a path.
    ///
    /// # Errors
    /// When the server refuses it, or does not answer.
    pub fn patch(&self, path: &str, patch: &Value) -> Result<Value> {
        self.call("PATCH", path, Some(("application/merge-patch+json", patch)))?.object("PATCH", path)
    }

    /// Deletes the object at a path; one that is gone already is what was wanted.
    ///
    /// # Errors
    /// When the server refuses it, or does not answer.
    pub fn delete(&self, path: &str) -> Result<()> {
        let answer = self.call("DELETE", path, None)?;
        if answer.code == 404 { Ok(()) } else { answer.object("DELETE", path).map(drop) }
    }

    /// A connection of its own to the server, as this user.
    pub(crate) fn connect(&self) -> Result<StreamOwned<ClientConnection, TcpStream>> {
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        let name = ServerName::from(std::net::IpAddr::from(Ipv4Addr::LOCALHOST));
        Ok(StreamOwned::new(ClientConnection::new(Arc::clone(&self.tls), name)?, socket))
    }

    /// One request on a connection of its own. HTTP/1.0, whose answers end with the connection: no chunks to put together.
    pub(crate) fn call(&self, method: &str, path: &str, body: Option<(&str, &Value)>) -> Result<Answer> {
        let what = || format!("{method} {path}");
        let mut stream = self.connect().with_context(what)?;
        stream.sock.set_read_timeout(Some(LIMIT))?;
        let (kind, bytes) = match body {
            Some((kind, object)) => (kind, serde_json::to_vec(object)?),
            None => ("application/json", Vec::new()),
        };
        let head = format!(
            "{method} {path} HTTP/1.0\r\nHost: localhost\r\nAccept: application/json\r\n\
             Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
            bytes.len()
        );
        let mut message = head.into_bytes();
        message.extend_from_slice(&bytes);
        stream.write_all(&message).with_context(what)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).with_context(what)?;
        split(&answer).with_context(|| format!("{}: no HTTP answer", what()))
    }
}

impl Answer {
    fn object(&self, method: &str, path: &str) -> Result<Value> {
        if !(200..300).contains(&self.code) {
            bail!("{method} {path}: {} {}", self.code, String::from_utf8_lossy(&self.body).trim());
        }
        serde_json::from_slice(&self.body).with_context(|| format!("{method} {path}: the answer is no JSON"))
    }
}

fn split(answer: &[u8]) -> Option<Answer> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).ok()?;
    let code = head.split_whitespace().nth(1)?.parse().ok()?;
    Some(Answer { code, body: answer[end + 4..].to_vec() })
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn an_answer_is_a_code_and_a_body() {
        let answer =
            split(b"HTTP/1.0 404 Not Found\r\nA: b\r\n\r\nno\r\n\r\n").map(|answer| (answer.code, answer.body));
        assert_eq!(answer, Some((404, b"no\r\n\r\n".to_vec())));
        assert!(split(b"HTTP/1.0 200 OK\r\n").is_none());
    }
}
