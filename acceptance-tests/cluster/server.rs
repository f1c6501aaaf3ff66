//! A small HTTPS server on loopback: what the API server calls (the kubelet of every node, an admission webhook), and a
//! front before the API server.
//!
//! One request a connection, one thread a connection, and the end of the connection ends the answer, so that a log can
//! be followed.

use std::io::{self, BufRead as _, BufReader, Read as _, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::{Context, Result, bail};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::certificates::Identity;

/// The largest request that is read: an admission review of a large pod.
const LARGEST: usize = 4 << 20;

/// A request, as far as its readers care.
#[derive(Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    /// Names as they were written.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// A header, whatever the case of its name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// A value of the query that needs no decoding: a number or a bool.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.into_iter().find_map(|(key, value)| (key == name).then_some(value))
    }
}

/// Writes the whole answer, head and body.
pub(crate) type Handler = dyn Fn(&Request, &mut dyn Write) -> io::Result<()> + Send + Sync;

/// A server that listens until it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    port: u16,
    ended: Arc<AtomicBool>,
}

/// A port that is taken and on which nothing is answered yet: its number goes into command lines before its handler can
/// exist.
pub(crate) struct Reserved(TcpListener);

impl Reserved {
    pub(crate) fn new() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port of loopback is free")?;
        Ok(Self(listener))
    }

    pub(crate) fn port(&self) -> Result<u16> {
        Ok(self.0.local_addr()?.port())
    }

    /// Begins to answer.
    pub(crate) fn serve(self, identity: &Identity, handler: Arc<Handler>) -> Result<Server> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from_pem_slice(identity.certificate.as_bytes())?],
                PrivateKeyDer::from_pem_slice(identity.key.as_bytes())?,
            )?;
        let (port, ended, tls) = (self.port()?, Arc::new(AtomicBool::new(false)), Arc::new(tls));
        let told = Arc::clone(&ended);
        thread::Builder::new().name("served".to_owned()).spawn(move || {
            for socket in self.0.incoming().flatten() {
                if told.load(Ordering::Relaxed) {
                    return;
                }
                let (tls, handler) = (Arc::clone(&tls), Arc::clone(&handler));
                // A caller that hangs up in the middle is the API server giving up; nobody else is to be told.
                thread::spawn(move || answer(socket, tls, &*handler));
            }
        })?;
        Ok(Server { port, ended })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts; there is nothing to do when it is gone already.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

fn answer(socket: TcpStream, tls: Arc<ServerConfig>, handler: &Handler) -> Result<()> {
    let mut stream = BufReader::new(StreamOwned::new(ServerConnection::new(tls)?, socket));
    let request = read(&mut stream)?;
    let mut stream = stream.into_inner();
    handler(&request, &mut stream)?;
    stream.conn.send_close_notify();
    Ok(stream.flush()?)
}

fn read(stream: &mut BufReader<StreamOwned<ServerConnection, TcpStream>>) -> Result<Request> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let method = words.next().context("no request line")?.to_owned();
    let target = words.next().context("no request line")?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut request = Request { method, path: path.to_owned(), query: query.to_owned(), ..Request::default() };
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        request.headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let length = request.header("content-length").map_or(Ok(0), str::parse)?;
    if length > LARGEST {
        bail!("a request of {length} bytes");
    }
    request.body.resize(length, 0);
    stream.read_exact(&mut request.body)?;
    Ok(request)
}

/// A whole answer that is known at once.
pub(crate) fn reply(to: &mut dyn Write, code: u16, kind: &str, body: &[u8]) -> io::Result<()> {
    head(to, code, kind, Some(body.len()))?;
    to.write_all(body)?;
    to.flush()
}

/// The head of an answer; without a length, the end of the connection is the end of it.
pub(crate) fn head(to: &mut dyn Write, code: u16, kind: &str, length: Option<usize>) -> io::Result<()> {
    let length = length.map(|length| format!("Content-Length: {length}\r\n")).unwrap_or_default();
    write!(to, "HTTP/1.1 {code} \r\nContent-Type: {kind}\r\nConnection: close\r\n{length}\r\n")
}

#[cfg(test)]
mod tests {
    use super::Request;

    #[test]
    fn a_parameter_is_found_by_its_whole_name() {
        let request = Request { query: "xfollow=false&follow=true".to_owned(), ..Request::default() };
        assert_eq!(request.parameter("follow"), Some("true"));
        assert_eq!(request.parameter("limitBytes"), None);
    }
}
