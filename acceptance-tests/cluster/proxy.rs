//! A TCP proxy in front of the API server, for the faults of one case.
//!
//! The API server itself serves others at the same time. What a case does to its proxy (nobody listens, connections
//! break, answers get lost) reaches only the client that has the proxy's kubeconfig. TLS goes through it untouched: the
//! server's certificate is for 127.0.0.1, which is where the proxy listens too.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result};
use socket2::{Domain, SockAddr, Socket, Type};

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server: requests.
    Requests,
    /// From the server to the client: answers.
    Answers,
}

/// What becomes of the proxy when enough has gone through it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Cut,
    Refuse,
    Hold,
}

/// A fault that is to come: after so many more bytes in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Armed {
    direction: Direction,
    left: usize,
    then: Then,
}

#[derive(Debug, Default)]
struct State {
    /// Nobody listens.
    refusing: bool,
    /// Connections are accepted, and nothing goes through.
    holding: bool,
    armed: Option<Armed>,
    /// Both ends of every connection that was made.
    open: Vec<[TcpStream; 2]>,
    connections: usize,
}

/// One proxy. It goes with its connections when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    server: u16,
    kubeconfig: PathBuf,
    state: Arc<Mutex<State>>,
    listening: Mutex<Listening>,
}

/// The port is never given up: while nobody listens, a bound socket keeps it.
#[derive(Debug)]
enum Listening {
    On(JoinHandle<()>),
    Off { kept: Socket },
}

impl Proxy {
    /// A healthy one. `write` is given its port and writes its kubeconfig.
    pub(crate) fn start(server: u16, write: impl FnOnce(u16) -> Result<PathBuf>) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port of loopback is free")?;
        let port = listener.local_addr()?.port();
        let state = Arc::new(Mutex::new(State::default()));
        let thread = accept(listener, server, Arc::clone(&state));
        Ok(Self { port, server, kubeconfig: write(port)?, state, listening: Mutex::new(Listening::On(thread)) })
    }

    /// The administrator's kubeconfig through this proxy.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Where it listens: `127.0.0.1:PORT`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The same as a client of the API names it: `https://127.0.0.1:PORT`.
    #[must_use]
    pub fn server(&self) -> String {
        format!("https://{}", self.address())
    }

    /// How many connections it has taken.
    #[must_use]
    pub fn connections(&self) -> usize {
        lock(&self.state).connections
    }

    /// Breaks every connection there is; new ones are served.
    pub fn cut(&self) {
        lock(&self.state).cut();
    }

    /// Breaks every connection, and nobody listens until `heal`: what a client gets is "connection refused".
    ///
    /// # Errors
    /// When the port cannot be kept.
    pub fn refuse(&self) -> Result<()> {
        {
            let mut state = lock(&self.state);
            state.refusing = true;
            state.cut();
        }
        self.listen_no_more()
    }

    /// Nothing goes through any more, and nothing is broken: what a client gets is silence, until `heal`.
    pub fn hold(&self) {
        lock(&self.state).holding = true;
    }

    /// Everything breaks once, after so many more bytes.
    pub fn cut_after(&self, direction: Direction, bytes: usize) {
        self.arm(direction, bytes, Then::Cut);
    }

    /// Everything breaks after so many more bytes, and nobody is served until `heal`.
    pub fn refuse_after(&self, direction: Direction, bytes: usize) {
        self.arm(direction, bytes, Then::Refuse);
    }

    /// Silence after so many more bytes, until `heal`.
    pub fn hold_after(&self, direction: Direction, bytes: usize) {
        self.arm(direction, bytes, Then::Hold);
    }

    /// Serves as before. Connections that were held are broken: their silence cannot be made good.
    ///
    /// # Errors
    /// When it cannot listen.
    pub fn heal(&self) -> Result<()> {
        {
            let mut state = lock(&self.state);
            state.armed = None;
            state.refusing = false;
            if std::mem::take(&mut state.holding) {
                state.cut();
            }
        }
        self.listen_again()
    }

    fn arm(&self, direction: Direction, left: usize, then: Then) {
        lock(&self.state).armed = Some(Armed { direction, left, then });
    }

    fn listen_no_more(&self) -> Result<()> {
        let mut listening = self.listening.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*listening, Listening::Off { .. }) {
            return Ok(());
        }
        let kept = socket()?;
        let before = std::mem::replace(&mut *listening, Listening::Off { kept: kept.try_clone()? });
        if let Listening::On(thread) = before {
            // Wakes the thread that accepts, which then sees that it is to end.
            drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
            // It has nothing that could panic, and a panic would have ended it just as well.
            let _ = thread.join();
        }
        self.bind(&kept)
    }

    fn bind(&self, socket: &Socket) -> Result<()> {
        let address = SockAddr::from(SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)));
        socket.bind(&address).with_context(|| format!("cannot keep port {}", self.port))
    }

    fn listen_again(&self) -> Result<()> {
        let mut listening = self.listening.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = match &*listening {
            Listening::On(thread) if !thread.is_finished() => return Ok(()),
            Listening::On(_) => {
                let socket = socket()?;
                self.bind(&socket)?;
                socket
            }
            Listening::Off { kept } => kept.try_clone()?,
        };
        kept.listen(64).with_context(|| format!("cannot listen on port {} again", self.port))?;
        *listening = Listening::On(accept(kept.into(), self.server, Arc::clone(&self.state)));
        Ok(())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Nobody is left who could be told.
        let _ = self.refuse();
    }
}

impl State {
    fn cut(&mut self) {
        for [client, server] in self.open.drain(..) {
            // One that the other side has closed already is what was wanted.
            let _ = client.shutdown(Shutdown::Both);
            let _ = server.shutdown(Shutdown::Both);
        }
    }

    /// How many of these bytes may go on.
    fn pass(&mut self, direction: Direction, count: usize) -> usize {
        if self.holding || self.refusing {
            return 0;
        }
        let Some(armed) = self.armed.as_mut().filter(|armed| armed.direction == direction) else { return count };
        if count <= armed.left {
            armed.left -= count;
            return count;
        }
        let (left, then) = (armed.left, armed.then);
        self.armed = None;
        match then {
            Then::Cut => {}
            Then::Refuse => self.refusing = true,
            Then::Hold => self.holding = true,
        }
        left
    }
}

fn socket() -> Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    Ok(socket)
}

fn accept(listener: TcpListener, server: u16, state: Arc<Mutex<State>>) -> JoinHandle<()> {
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let mut now = lock(&state);
            if now.refusing {
                return;
            }
            now.connections += 1;
            // A server that is not there is a connection that ends at once.
            if let Ok(ends) = connect(client, server, &state) {
                now.open.push(ends);
            }
        }
    })
}

fn connect(client: TcpStream, server: u16, state: &Arc<Mutex<State>>) -> Result<[TcpStream; 2]> {
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server))?;
    // Small frames go at once, as they would without a proxy.
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    pump(client.try_clone()?, server.try_clone()?, Direction::Requests, Arc::clone(state));
    pump(server.try_clone()?, client.try_clone()?, Direction::Answers, Arc::clone(state));
    Ok([client, server])
}

fn pump(mut from: TcpStream, mut to: TcpStream, direction: Direction, state: Arc<Mutex<State>>) {
    thread::spawn(move || {
        let mut buffer = [0; 16 << 10];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let pass = lock(&state).pass(direction, count);
            if to.write_all(&buffer[..pass]).is_err() {
                break;
            }
            let mut now = lock(&state);
            if pass < count && !now.holding {
                now.cut();
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    });
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    // What a panicking case leaves is still a list of connections.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::{Armed, Direction, State, Then};

    #[test]
    fn a_fault_comes_after_its_bytes_in_its_direction() {
        for (then, after) in [(Then::Cut, 100), (Then::Refuse, 0), (Then::Hold, 0)] {
            let armed = Some(Armed { direction: Direction::Requests, left: 10, then });
            let mut state = State { armed, ..State::default() };
            assert_eq!(state.pass(Direction::Answers, 100), 100);
            assert_eq!(state.pass(Direction::Requests, 10), 10);
            assert_eq!(state.pass(Direction::Requests, 1), 0);
            assert_eq!(state.pass(Direction::Requests, 100), after, "{then:?}");
        }
    }
}
