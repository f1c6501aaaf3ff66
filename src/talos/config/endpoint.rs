//! Where a Talos API listens: a host and a port, however people write it.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use rustls_pki_types::ServerName;

/// The port of Talos's API, apid.
pub const DEFAULT_PORT: u16 = 50_000;

/// The port of an endpoint that is written as `https://host`.
const HTTPS_PORT: u16 = 443;

/// A Talos API endpoint. `Display` writes it as `host:port`, with brackets around an IPv6 address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    host: String,
    port: u16,
}

/// A text that is no endpoint, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an endpoint: {reason}")]
pub struct EndpointError {
    text: String,
    reason: &'static str,
}

impl Endpoint {
    /// The address, without brackets, or the DNS name, in small letters.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The address, where the host is one.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// The endpoint that a node itself is, or nothing where the text is not a host alone.
    pub(crate) fn of_node(node: &str) -> Option<Self> {
        let node = node.trim();
        let bare = node.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(node);
        if bare.contains(':') && bare.parse::<Ipv6Addr>().is_err() {
            return None;
        }
        known_host(bare).ok().map(|host| Self { host, port: DEFAULT_PORT })
    }

    /// The name that the server's certificate must carry.
    pub(crate) fn server_name(&self) -> Option<ServerName<'static>> {
        ServerName::try_from(self.host.clone()).ok()
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        parse(text.trim()).map_err(|reason| EndpointError { text: text.to_owned(), reason })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

fn parse(text: &str) -> Result<Endpoint, &'static str> {
    let (authority, default_port) = match text.split_once("://") {
        Some(("https", rest)) => (rest.strip_suffix('/').unwrap_or(rest), HTTPS_PORT),
        Some(("http", _)) => return Err("Talos's API is never without TLS; leave `http://` out"),
        Some(_) => return Err("its scheme is not https"),
        None => (text, DEFAULT_PORT),
    };
    let (host, port) = split_port(authority)?;
    let host = known_host(host)?;
    let port = port.map_or(Ok(default_port), parse_port)?;
    Ok(Endpoint { host, port })
}

/// Host and port of `host`, `host:port`, `[v6]`, `[v6]:port` or a bare IPv6 address, which has colons of its own.
fn split_port(authority: &str) -> Result<(&str, Option<&str>), &'static str> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (address, after) = rest.split_once(']').ok_or("the bracket is not closed")?;
        without_zone(address)?;
        address.parse::<Ipv6Addr>().map_err(|_| "what stands in brackets is not an IPv6 address")?;
        return match after.strip_prefix(':') {
            Some(port) => Ok((address, Some(port))),
            None if after.is_empty() => Ok((address, None)),
            None => Err("only a port can follow the bracket"),
        };
    }
    match authority.matches(':').count() {
        0 => Ok((authority, None)),
        1 => authority.split_once(':').map(|(host, port)| (host, Some(port))).ok_or("it has no host"),
        _ => {
            without_zone(authority)?;
            authority.parse::<Ipv6Addr>().map_err(|_| "it has several colons and is not an IPv6 address")?;
            Ok((authority, None))
        }
    }
}

/// A certificate cannot be checked against an address that means something on one machine alone.
fn without_zone(address: &str) -> Result<(), &'static str> {
    if address.contains('%') { Err("an IPv6 address with a zone cannot be used") } else { Ok(()) }
}

fn known_host(host: &str) -> Result<String, &'static str> {
    if host.is_empty() {
        return Err("it has no host");
    }
    if host.contains(['/', '?', '#', '@']) {
        return Err("only a host and a port can be given");
    }
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(address.to_string());
    }
    let name = host.to_ascii_lowercase();
    match ServerName::try_from(name.as_str()) {
        Ok(_) if !looks_like_ipv4(&name) => Ok(name),
        _ => Err("the host is neither an address nor a DNS name"),
    }
}

/// `10.0.0.300` is a mistyped address and not a name: no top-level domain is a number.
fn looks_like_ipv4(name: &str) -> bool {
    name.rsplit('.').find(|label| !label.is_empty()).is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()))
}

fn parse_port(text: &str) -> Result<u16, &'static str> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(port) if digits && port > 0 => Ok(port),
        _ => Err("the port is not a number from 1 to 65535"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_read_in_every_form() {
        for (text, host, port, shown) in [
            ("10.0.0.2", "10.0.0.2", 50_000, "10.0.0.2:50000"),
            (" 10.0.0.2\n", "10.0.0.2", 50_000, "10.0.0.2:50000"),
            ("10.0.0.2:50001", "10.0.0.2", 50_001, "10.0.0.2:50001"),
            ("cp.example:50000", "cp.example", 50_000, "cp.example:50000"),
            ("CP.example", "cp.example", 50_000, "cp.example:50000"),
            ("localhost", "localhost", 50_000, "localhost:50000"),
            ("node_1", "node_1", 50_000, "node_1:50000"),
            ("https://host", "host", 443, "host:443"),
            ("https://host/", "host", 443, "host:443"),
            ("https://host:8443", "host", 8443, "host:8443"),
            ("https://[fd00::1]", "fd00::1", 443, "[fd00::1]:443"),
            ("[::1]:50000", "::1", 50_000, "[::1]:50000"),
            ("[::1]:60000", "::1", 60_000, "[::1]:60000"),
            ("[fd00::1]", "fd00::1", 50_000, "[fd00::1]:50000"),
            ("::1", "::1", 50_000, "[::1]:50000"),
            ("FD00:0::1", "fd00::1", 50_000, "[fd00::1]:50000"),
        ] {
            let endpoint: Endpoint = text.parse().unwrap();
            assert_eq!(
                (endpoint.host(), endpoint.port(), endpoint.to_string().as_str()),
                (host, port, shown),
                "{text}"
            );
            assert!(endpoint.server_name().is_some(), "{text}");
        }
    }

    #[test]
    fn what_is_no_endpoint_is_refused_with_the_reason() {
        for (text, reason) in [
            ("", "it has no host"),
            (":50000", "it has no host"),
            ("https://", "it has no host"),
            ("http://host", "Talos's API is never without TLS; leave `http://` out"),
            ("grpc://host", "its scheme is not https"),
            ("https://host/path", "only a host and a port can be given"),
            ("user@host", "only a host and a port can be given"),
            ("host:", "the port is not a number from 1 to 65535"),
            ("host:0", "the port is not a number from 1 to 65535"),
            ("host:+5", "the port is not a number from 1 to 65535"),
            ("host:65536", "the port is not a number from 1 to 65535"),
            ("host:port", "the port is not a number from 1 to 65535"),
            ("[::1", "the bracket is not closed"),
            ("[host]:1", "what stands in brackets is not an IPv6 address"),
            ("[::1]50000", "only a port can follow the bracket"),
            ("a:b:c", "it has several colons and is not an IPv6 address"),
            ("[fe80::1%eth0]:50000", "an IPv6 address with a zone cannot be used"),
            ("two words", "the host is neither an address nor a DNS name"),
            ("10.0.0.300", "the host is neither an address nor a DNS name"),
        ] {
            let error = text.parse::<Endpoint>().unwrap_err();
            assert_eq!(error.to_string(), format!("`{text}` is not an endpoint: {reason}"));
        }
    }
}
