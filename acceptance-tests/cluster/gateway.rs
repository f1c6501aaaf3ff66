//! A proxy as a company has one between its machines and its clusters: HTTP CONNECT or SOCKS5.
//!
//! It is asked for a name and leads to the API server of the cluster, whatever the name is: whoever gets through has
//! left the name to the proxy, since nothing else knows it. TLS goes through untouched.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::{Context, Result};

/// Which protocol a gateway speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// HTTP with CONNECT.
    Http,
    /// SOCKS5, without a user.
    Socks5,
}

/// What a gateway does when it is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mood {
    /// Connects.
    #[default]
    Serves,
    /// Answers with this status, or with SOCKS5's "not allowed".
    Refuses(u16),
    /// Takes connections and says nothing.
    IsSilent,
}

#[derive(Debug, Default)]
struct State {
    ended: bool,
    mood: Mood,
    asked: Vec<String>,
    authorizations: Vec<String>,
    /// Those that wait for a word that does not come.
    held: Vec<TcpStream>,
}

/// One gateway. It listens until it is dropped.
#[derive(Debug)]
pub struct Gateway {
    speaks: Speaks,
    port: u16,
    state: Arc<Mutex<State>>,
}

impl Gateway {
    pub(crate) fn start(speaks: Speaks, server: u16) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port of loopback is free")?;
        let port = listener.local_addr()?.port();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if lock(&shared).ended {
                    return;
                }
                let state = Arc::clone(&shared);
                // A client that hangs up in the middle finds out by itself.
                thread::spawn(move || match speaks {
                    Speaks::Http => over_http(client, server, &state),
                    Speaks::Socks5 => over_socks(client, server, &state),
                });
            }
        });
        Ok(Self { speaks, port, state })
    }

    /// Its URL: `http://127.0.0.1:3128`.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_for("")
    }

    /// The same with a user and a password in it.
    #[must_use]
    pub fn url_for(&self, user: &str) -> String {
        let scheme = match self.speaks {
            Speaks::Http => "http",
            Speaks::Socks5 => "socks5",
        };
        let user = if user.is_empty() { String::new() } else { format!("{user}@") };
        format!("{scheme}://{user}127.0.0.1:{}", self.port)
    }

    /// From now on it refuses, with this HTTP status where it speaks HTTP.
    pub fn refuse(&self, status: u16) {
        lock(&self.state).mood = Mood::Refuses(status);
    }

    /// From now on it takes connections and says nothing.
    pub fn fall_silent(&self) {
        lock(&self.state).mood = Mood::IsSilent;
    }

    /// What it was asked to connect to: `cp.example:6443`.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        lock(&self.state).asked.clone()
    }

    /// What it was given as `Proxy-Authorization`.
    #[must_use]
    pub fn authorizations(&self) -> Vec<String> {
        lock(&self.state).authorizations.clone()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        {
            let mut state = lock(&self.state);
            state.ended = true;
            state.held.clear();
        }
        // Wakes the thread that accepts; there is nothing to do when it is gone already.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

/// Notes what is asked for, and says what is to be done.
fn note(state: &Mutex<State>, target: String, client: &TcpStream) -> io::Result<Mood> {
    let mut state = lock(state);
    state.asked.push(target);
    if state.mood == Mood::IsSilent {
        state.held.push(client.try_clone()?);
    }
    Ok(state.mood)
}

fn over_http(client: TcpStream, server: u16, state: &Mutex<State>) -> io::Result<()> {
    let mut lines = BufReader::new(client.try_clone()?);
    let mut request = String::new();
    lines.read_line(&mut request)?;
    let target = request.split_whitespace().nth(1).unwrap_or_default().to_owned();
    loop {
        let mut line = String::new();
        lines.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        if name.eq_ignore_ascii_case("proxy-authorization") {
            lock(state).authorizations.push(value.to_owned());
        }
    }
    match note(state, target, &client)? {
        Mood::Serves => {
            let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server))?;
            (&client).write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
            join(client, server)
        }
        Mood::Refuses(status) => write!(&client, "HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n"),
        Mood::IsSilent => Ok(()),
    }
}

/// RFC 1928, as far as a client without a user needs it.
fn over_socks(mut client: TcpStream, server: u16, state: &Mutex<State>) -> io::Result<()> {
    let [_, methods] = read(&mut client)?;
    io::copy(&mut (&mut client).take(methods.into()), &mut io::sink())?;
    client.write_all(&[5, 0])?;
    let [_, _, _, kind] = read(&mut client)?;
    let host = match kind {
        1 => Ipv4Addr::from(read::<4>(&mut client)?).to_string(),
        3 => {
            let [length] = read(&mut client)?;
            let mut name = String::new();
            (&mut client).take(length.into()).read_to_string(&mut name)?;
            name
        }
        _ => return Err(io::ErrorKind::Unsupported.into()),
    };
    let target = format!("{host}:{}", u16::from_be_bytes(read(&mut client)?));
    let answer = |code: u8| [5, code, 0, 1, 127, 0, 0, 1, 0, 0];
    match note(state, target, &client)? {
        Mood::Serves => {
            let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server))?;
            client.write_all(&answer(0))?;
            join(client, server)
        }
        Mood::Refuses(_) => client.write_all(&answer(2)),
        Mood::IsSilent => Ok(()),
    }
}

fn read<const N: usize>(from: &mut TcpStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Passes everything on in both directions, until either side ends.
fn join(client: TcpStream, server: TcpStream) -> io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (back, forth) = ((server.try_clone()?, client.try_clone()?), (client, server));
    thread::spawn(move || pump(back));
    pump(forth);
    Ok(())
}

fn pump((mut from, mut to): (TcpStream, TcpStream)) {
    // However it ends, both sides are to know.
    let _ = io::copy(&mut from, &mut to);
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    // What a panicking case leaves is still a list.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
