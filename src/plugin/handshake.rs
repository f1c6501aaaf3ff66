//! The first line on stdout, and the environment in which the CLI starts a provider.

use std::{ffi::OsString, io::Write, path::PathBuf};

use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use rustls_pki_types::CertificateDer;

use crate::listen::Address;

/// The variable that says that a CLI, and not a person, started this process. Not a secret: the same for everyone.
const COOKIE: (&str, &str) =
    ("TF_PLUGIN_MAGIC_COOKIE", "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2");

/// Version of the go-plugin handshake itself.
const CORE_PROTOCOL: u8 = 1;

/// Major version of the Terraform protocol. A CLI that cannot speak it says so itself, and better than we could.
pub(crate) const PROTOCOL: u8 = 6;

/// What the CLI sets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    /// A CLI started this process.
    pub(crate) by_cli: bool,
    /// The certificate of the client in PEM. Without it the connection is plaintext (`TF_DISABLE_PLUGIN_TLS`).
    pub(crate) client_certificate: Option<String>,
    /// Where the socket goes.
    #[cfg_attr(all(not(unix), not(test)), expect(dead_code, reason = "Windows listens on a port"))]
    pub(crate) socket_directory: PathBuf,
    /// Group that may connect, by number or name.
    #[cfg_attr(all(not(unix), not(test)), expect(dead_code, reason = "Windows listens on a port"))]
    pub(crate) socket_group: Option<String>,
    /// The client asks whether more connections fit through this one. It also makes the line one field longer, which
    /// older clients cannot read.
    pub(crate) asks_multiplex: bool,
    /// Ports that may be used where there are no Unix sockets.
    #[cfg_attr(all(unix, not(test)), expect(dead_code, reason = "only Windows listens on a port"))]
    pub(crate) ports: (u16, u16),
}

impl Environment {
    /// Of this process.
    pub(crate) fn of_process() -> Self {
        Self::from(|name| std::env::var_os(name))
    }

    fn from(get: impl Fn(&str) -> Option<OsString>) -> Self {
        let text = |name: &str| get(name).and_then(|value| value.into_string().ok()).filter(|value| !value.is_empty());
        let port = |name: &str| text(name).and_then(|value| value.parse().ok());
        let directory = |name: &str| get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        Self {
            by_cli: text(COOKIE.0).as_deref() == Some(COOKIE.1),
            client_certificate: text("PLUGIN_CLIENT_CERT"),
            socket_directory: directory("PLUGIN_UNIX_SOCKET_DIR").unwrap_or_else(std::env::temp_dir),
            socket_group: text("PLUGIN_UNIX_SOCKET_GROUP"),
            asks_multiplex: text("PLUGIN_MULTIPLEX_GRPC").is_some(),
            ports: (port("PLUGIN_MIN_PORT").unwrap_or(10_000), port("PLUGIN_MAX_PORT").unwrap_or(25_000)),
        }
    }
}

/// Where this process listens, for the client.
pub(crate) fn line(address: &Address, certificate: Option<&CertificateDer<'_>>, asks_multiplex: bool) -> String {
    let certificate = certificate.map(|der| BASE64_STANDARD_NO_PAD.encode(der)).unwrap_or_default();
    let (network, address) = address.parts();
    let multiplex = if asks_multiplex { "|false" } else { "" };
    format!("{CORE_PROTOCOL}|{PROTOCOL}|{network}|{address}|grpc|{certificate}{multiplex}\n")
}

/// Writes the line: the only thing that ever goes to stdout.
pub(crate) fn announce(line: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(line.as_bytes())?;
    stdout.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(set: &[(&str, &str)]) -> Environment {
        Environment::from(|name| set.iter().find(|(n, _)| *n == name).map(|(_, value)| value.into()))
    }

    #[test]
    fn the_line_has_six_fields_and_an_unpadded_certificate() {
        let address = Address::Unix(PathBuf::from("/tmp/plugin1"));
        let certificate = CertificateDer::from(vec![0xff; 4]);
        assert_eq!(line(&address, Some(&certificate), false), "1|6|unix|/tmp/plugin1|grpc|/////w\n");
        assert_eq!(line(&address, None, false), "1|6|unix|/tmp/plugin1|grpc|\n");
    }

    #[test]
    fn the_line_has_a_seventh_field_only_for_a_client_that_asks() {
        let address = Address::Unix(PathBuf::from("/tmp/plugin1"));
        assert_eq!(line(&address, None, true), "1|6|unix|/tmp/plugin1|grpc||false\n");
    }

    #[test]
    fn the_cookie_is_compared() {
        assert!(environment(&[COOKIE]).by_cli);
        assert!(!environment(&[(COOKIE.0, "other")]).by_cli);
        assert!(!environment(&[]).by_cli);
    }

    #[test]
    fn the_socket_goes_where_the_client_says() {
        let there = environment(&[("PLUGIN_UNIX_SOCKET_DIR", "/run/x"), ("PLUGIN_UNIX_SOCKET_GROUP", "staff")]);
        assert_eq!(there.socket_directory, PathBuf::from("/run/x"));
        assert_eq!(there.socket_group.as_deref(), Some("staff"));
        assert_eq!(environment(&[("PLUGIN_UNIX_SOCKET_DIR", "")]).socket_directory, std::env::temp_dir());
    }
}
