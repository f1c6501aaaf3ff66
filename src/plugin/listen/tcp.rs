//! The local port, where there are no Unix sockets (Windows).

use std::{
    io,
    net::{Ipv4Addr, TcpListener as StdListener},
};

use tokio::net::{TcpListener, TcpStream};

use super::{Address, Error};
use crate::handshake::Environment;

pub(crate) type Stream = TcpStream;

/// A port that already listens: the CLI may connect before the runtime is up.
pub(crate) struct Bound {
    listener: StdListener,
    /// Where it is.
    pub(crate) address: Address,
}

impl Bound {
    /// Takes the first free port of those that the CLI allows.
    pub(crate) fn new(environment: &Environment) -> Result<Self, Error> {
        let (first, last) = environment.ports;
        let mut why = io::Error::from(io::ErrorKind::AddrInUse);
        for port in first..=last {
            match StdListener::bind((Ipv4Addr::LOCALHOST, port)).and_then(Self::listening) {
                Ok(bound) => return Ok(bound),
                Err(error) => why = error,
            }
        }
        Err(Error::Bind { address: format!("127.0.0.1, ports {first} to {last}"), source: why })
    }

    fn listening(listener: StdListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let address = Address::Tcp(listener.local_addr()?);
        Ok(Self { listener, address })
    }

    /// Joins the runtime.
    pub(crate) fn acceptor(self) -> io::Result<Acceptor> {
        TcpListener::from_std(self.listener).map(Acceptor)
    }
}

/// Takes connections.
pub(crate) struct Acceptor(TcpListener);

impl Acceptor {
    pub(crate) async fn accept(&self) -> io::Result<Stream> {
        let (stream, _) = self.0.accept().await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_free_port_of_the_range_is_taken() {
        let taken = StdListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let within = |ports| Bound::new(&Environment { ports, ..Environment::default() });

        let error = within((port, port)).err().unwrap();
        assert!(error.to_string().contains(&format!("127.0.0.1, ports {port} to {port}")), "{error}");

        let bound = within((port, port + 20)).unwrap();
        let (network, address) = bound.address.parts();
        assert_eq!(network, "tcp");
        assert!(address.starts_with("127.0.0.1:") && !address.ends_with(&format!(":{port}")), "{address}");
    }
    #[tokio::test]
    async fn a_client_that_connects_before_the_runtime_joins_is_accepted() {
        let bound = Bound::new(&Environment { ports: (20_000, 25_000), ..Environment::default() }).unwrap();
        let client = std::net::TcpStream::connect(bound.address.to_string()).unwrap();
        let stream = bound.acceptor().unwrap().accept().await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), client.local_addr().unwrap());
    }
}
