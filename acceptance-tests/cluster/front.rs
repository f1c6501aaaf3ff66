//! A front before the API server that sees requests: for faults that a TCP proxy cannot make, and to count calls.
//!
//! It ends TLS with a certificate of the cluster's own authority, and passes requests on over connections of its own, as
//! the user that it was made for. Whatever certificate its client has does not matter.

use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use serde_json::json;

use crate::api::Api;
use crate::certificates::Identity;
use crate::server::{Request, Reserved, Server};

/// What becomes of a request instead of its answer.
pub enum Fault {
    /// The server's front answers for it: 429 with the seconds of `Retry-After`, 500, 503.
    Answer(u16, Option<u32>),
    /// The connection ends, and the server has seen nothing.
    Drop,
    /// The server does what it was asked, and the connection ends before its answer.
    LoseAnswer,
    /// Something else happens first, such as somebody else's write; then the request goes on.
    Meanwhile(Box<dyn Fn() + Send + Sync>),
}

impl std::fmt::Debug for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Answer(code, after) => write!(f, "Answer({code}, {after:?})"),
            Self::Drop => f.write_str("Drop"),
            Self::LoseAnswer => f.write_str("LoseAnswer"),
            Self::Meanwhile(_) => f.write_str("Meanwhile"),
        }
    }
}

/// A fault for some of the requests that are to come.
#[derive(Debug)]
struct Planned {
    method: String,
    path: String,
    left: usize,
    fault: Arc<Fault>,
}

#[derive(Debug, Default)]
struct State {
    planned: Vec<Planned>,
    requests: Vec<String>,
}

/// One front. It listens until it is dropped.
#[derive(Debug)]
pub struct Front {
    kubeconfig: PathBuf,
    state: Arc<Mutex<State>>,
    _server: Server,
}

impl Front {
    /// One that passes everything on. `write` is given its port and writes its kubeconfig.
    pub(crate) fn start(api: Api, identity: &Identity, write: impl FnOnce(u16) -> Result<PathBuf>) -> Result<Self> {
        let reserved = Reserved::new()?;
        let kubeconfig = write(reserved.port()?)?;
        let state = Arc::new(Mutex::new(State::default()));
        let seen = Arc::clone(&state);
        let handler = move |request: &Request, to: &mut dyn Write| {
            let fault = lock(&seen).take(&request.method, &target(request));
            serve(&api, request, fault.as_deref(), to)
        };
        Ok(Self { kubeconfig, state, _server: reserved.serve(identity, Arc::new(handler))? })
    }

    /// A kubeconfig that leads here.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The next so many requests with this method and this text in their path (with its query) meet this fault.
    pub fn next(&self, times: usize, method: &str, path: &str, fault: Fault) {
        let (method, path) = (method.to_owned(), path.to_owned());
        lock(&self.state).planned.push(Planned { method, path, left: times, fault: Arc::new(fault) });
    }

    /// Everything that was asked until now: `GET /api/v1/nodes?limit=500`.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        lock(&self.state).requests.clone()
    }

    /// Forgets what was asked until now, and the faults that have not come yet.
    pub fn forget(&self) {
        *lock(&self.state) = State::default();
    }
}

impl State {
    /// Notes a request and takes the fault that is its, if there is one: the first that was planned.
    fn take(&mut self, method: &str, target: &str) -> Option<Arc<Fault>> {
        self.requests.push(format!("{method} {target}"));
        let meets =
            |planned: &&mut Planned| planned.left > 0 && planned.method == method && target.contains(&planned.path);
        let planned = self.planned.iter_mut().find(meets)?;
        planned.left -= 1;
        Some(Arc::clone(&planned.fault))
    }
}

fn serve(api: &Api, request: &Request, fault: Option<&Fault>, to: &mut dyn Write) -> io::Result<()> {
    match fault {
        Some(Fault::Answer(code, after)) => return refuse(*code, *after, to),
        Some(Fault::Drop) => return Err(io::ErrorKind::ConnectionAborted.into()),
        Some(Fault::LoseAnswer) => {
            pass(api, request, &mut io::sink())?;
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Some(Fault::Meanwhile(act)) => act(),
        None => {}
    }
    pass(api, request, to)
}

/// Request and answer as they are, but for the connections, each of which serves once.
fn pass(api: &Api, request: &Request, to: &mut dyn Write) -> io::Result<()> {
    let mut server = api.connect().map_err(io::Error::other)?;
    let mut message = format!("{} {} HTTP/1.1\r\nConnection: close\r\n", request.method, target(request));
    for (name, value) in request.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("connection")) {
        message.push_str(&format!("{name}: {value}\r\n"));
    }
    server.write_all(format!("{message}\r\n").as_bytes())?;
    server.write_all(&request.body)?;
    server.flush()?;
    let mut buffer = [0; 16 << 10];
    loop {
        match server.read(&mut buffer)? {
            0 => return Ok(()),
            count => to.write_all(&buffer[..count])?,
        }
        to.flush()?;
    }
}

/// In the words of the API server, whose clients read the object and not only the code.
fn refuse(code: u16, after: Option<u32>, to: &mut dyn Write) -> io::Result<()> {
    let (reason, message) = match code {
        429 => ("TooManyRequests", "the server has received too many requests and has asked us to try again later"),
        503 => ("ServiceUnavailable", "the server is currently unable to handle the request"),
        504 => ("Timeout", "the server was unable to return a response in the time allotted"),
        _ => ("InternalError", "Internal error occurred: etcdserver: leader changed"),
    };
    let mut status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "reason": reason, "message": message, "code": code,
    });
    if let Some(after) = after {
        status["details"] = json!({"retryAfterSeconds": after});
    }
    let body = status.to_string();
    let after = after.map(|seconds| format!("Retry-After: {seconds}\r\n")).unwrap_or_default();
    write!(
        to,
        "HTTP/1.1 {code} {reason}\r\nContent-Type: application/json\r\nConnection: close\r\n{after}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    to.flush()
}

fn target(request: &Request) -> String {
    if request.query.is_empty() { request.path.clone() } else { format!("{}?{}", request.path, request.query) }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    // What a panicking case leaves is still a list.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::{Fault, Planned, State};

    #[test]
    fn a_fault_meets_as_many_requests_as_it_was_planned_for() {
        let planned = |method: &str, path: &str, left| Planned {
            method: method.to_owned(),
            path: path.to_owned(),
            left,
            fault: Fault::Drop.into(),
        };
        let planned = vec![planned("GET", "/nodes", 2), planned("POST", "/pods", 1)];
        let mut state = State { planned, ..State::default() };
        let met: Vec<bool> =
            [("GET", "/pods"), ("GET", "/nodes/a"), ("POST", "/pods?a=b"), ("GET", "/nodes"), ("GET", "/nodes")]
                .map(|(method, target)| state.take(method, target).is_some())
                .into();
        assert_eq!(met, [false, true, true, true, false]);
        assert_eq!(state.requests[2], "POST /pods?a=b");
    }
}
