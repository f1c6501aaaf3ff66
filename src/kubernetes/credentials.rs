//! Who we are to a server, where that does not stand in the settings once and for all: a file that is written anew, and
//! a program that gives credentials.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::config::AuthInfo;
use secrecy::{ExposeSecret, SecretString};

use crate::error::ErrorKind;

mod plugin;

pub(crate) use plugin::{NotAPlugin, Plugin};

/// How long a token of a file is used before the file is read again, as client-go does it. Kubernetes writes a pod's new
/// token long before the old one ends.
const REREAD: SignedDuration = SignedDuration::from_secs(60);

/// How long before their end credentials count as run out, so that none ends on its way to the server.
const MARGIN: SignedDuration = SignedDuration::from_secs(10);

/// Where credentials come from beside the settings.
#[derive(Clone, Debug, Default)]
pub(crate) enum Source {
    /// From nowhere: the settings say it all.
    #[default]
    Settings,
    /// From a file with a token, which Kubernetes renews for a pod.
    TokenFile(PathBuf),
    /// From a program.
    Plugin(Box<Plugin>),
}

/// Credentials and their end. `Debug` shows none of them.
#[derive(Debug, Default)]
pub(crate) struct Credentials {
    token: Option<SecretString>,
    identity: Option<Identity>,
    until: Option<Timestamp>,
}

/// A client certificate and its key, both PEM.
#[derive(Debug)]
struct Identity {
    certificate: String,
    key: SecretString,
}

impl Source {
    /// Whether asking again can bring other credentials.
    pub(crate) const fn can_renew(&self) -> bool {
        !matches!(self, Self::Settings)
    }

    /// Asks for credentials. A program that this future has started ends with it.
    pub(crate) async fn ask(&self) -> Result<Credentials, ErrorKind> {
        match self {
            Self::Settings => Ok(Credentials::default()),
            Self::TokenFile(path) => read(path).map_err(|why| ErrorKind::TokenFile { path: shown(path), why }),
            Self::Plugin(plugin) => {
                plugin.run().await.map_err(|why| ErrorKind::ExecPlugin { command: plugin.command().to_owned(), why })
            }
        }
    }
}

impl Credentials {
    /// Puts them where kube looks for them.
    pub(crate) fn put_into(&self, auth: &mut AuthInfo) {
        if let Some(token) = &self.token {
            auth.token = Some(token.clone());
        }
        if let Some(Identity { certificate, key }) = &self.identity {
            auth.client_certificate_data = Some(STANDARD.encode(certificate));
            auth.client_key_data = Some(STANDARD.encode(key.expose_secret()).into());
        }
    }

    /// Whether a client that was made with these others serves for these as well.
    pub(crate) fn same(&self, other: &Self) -> bool {
        let token = |of: &Self| of.token.as_ref().map(|token| token.expose_secret().to_owned());
        let identity =
            |of: &Self| of.identity.as_ref().map(|of| (of.certificate.clone(), of.key.expose_secret().to_owned()));
        token(self) == token(other) && identity(self) == identity(other)
    }

    /// Whether it is time to ask again.
    pub(crate) fn have_run_out(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| now.duration_until(until) <= MARGIN)
    }
}

/// Whether a header can carry a token.
pub(crate) fn is_token(token: &str) -> bool {
    !token.is_empty() && token.chars().all(|c| c.is_ascii_graphic())
}

/// A line break at its end is no part of the token: tools that write one put it there.
fn read(path: &Path) -> Result<Credentials, String> {
    let text = std::fs::read_to_string(path).map_err(|why| why.to_string())?;
    let token = text.trim();
    if !is_token(token) {
        return Err("what it holds is no token".to_owned());
    }
    let until = Timestamp::now().checked_add(REREAD).ok();
    Ok(Credentials { token: Some(token.into()), until, ..Credentials::default() })
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn until(until: &str) -> Credentials {
        Credentials { until: Some(until.parse().unwrap()), ..Credentials::default() }
    }

    #[test]
    fn credentials_run_out_a_little_before_their_end() {
        let now: Timestamp = "2026-01-01T12:00:00Z".parse().unwrap();
        for (end, run_out) in [
            ("2026-01-01T12:01:00Z", false),
            ("2026-01-01T12:00:11Z", false),
            ("2026-01-01T12:00:10Z", true),
            ("2026-01-01T12:00:00Z", true),
            ("2020-01-01T12:00:00Z", true),
        ] {
            assert_eq!(until(end).have_run_out(now), run_out, "{end}");
        }
        assert!(!Credentials::default().have_run_out(now));
    }

    #[test]
    fn a_file_holds_a_token_and_perhaps_a_line_break() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "s3cret\n").unwrap();
        let read_token = || read(&path).map(|found| found.token.unwrap().expose_secret().to_owned());
        assert_eq!(read_token().as_deref(), Ok("s3cret"));
        for text in ["", "\n", "s3cret with blanks", "s3cret\nb"] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(read_token(), Err("what it holds is no token".to_owned()), "{text:?}");
        }
    }

    #[test]
    fn a_client_is_kept_for_as_long_as_its_credentials_are_the_same() {
        let token = |token: &str| Credentials { token: Some(token.into()), ..until("2026-01-01T12:00:00Z") };
        assert!(token("a").same(&Credentials { until: None, ..token("a") }));
        assert!(!token("a").same(&token("b")) && !token("a").same(&Credentials::default()));
    }

    #[test]
    fn no_credentials_show_anything_of_themselves() {
        let identity = Identity { certificate: "public".into(), key: "s3cret-a".into() };
        let all = Credentials { token: Some("s3cret-b".into()), identity: Some(identity), until: None };
        assert!(!format!("{all:?}").contains("s3cret"));
    }
}
