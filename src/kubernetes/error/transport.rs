//! Why a request got no answer, told by the types in the chain of causes that kube, hyper and rustls leave.

use std::error::Error as StdError;
use std::io;

use super::{CertificateProblem, Error, ErrorKind, Place, Unreachable};
use crate::client::NoClient;

/// Why a request got no answer.
pub(crate) fn of_failure(error: &kube::Error, place: Place) -> Error {
    Error::new(place, kind_of(error)).after_sending(!never_left(error))
}

/// Why nothing could be sent.
pub(crate) fn of_no_client(why: NoClient, place: Place) -> Error {
    let kind = match why {
        NoClient::File { path, why } => ErrorKind::CaFile { path, why },
        NoClient::Tls(error) => of_tls(&error),
        NoClient::Headers(error) => ErrorKind::Malformed(innermost(&error)),
    };
    Error::new(place, kind)
}

fn kind_of(error: &kube::Error) -> ErrorKind {
    if let Some(tls) = chain(error).find_map(tls_error) {
        return of_tls(tls);
    }
    let timed_out = chain(error).filter_map(io_error).any(|io| io.kind() == io::ErrorKind::TimedOut);
    if timed_out && never_left(error) {
        return ErrorKind::Unreachable(Unreachable::NoAnswer);
    }
    match error {
        kube::Error::Service(_) | kube::Error::HyperError(_) | kube::Error::ReadEvents(_) if never_left(error) => {
            ErrorKind::Unreachable(Unreachable::NoConnection(no_way(&innermost(error)).to_owned()))
        }
        kube::Error::Service(_) | kube::Error::HyperError(_) | kube::Error::ReadEvents(_) => {
            ErrorKind::Unreachable(Unreachable::Lost(in_words(error)))
        }
        other => ErrorKind::Malformed(innermost(other)),
    }
}

/// Whether there was no connection to send anything over.
fn never_left(error: &kube::Error) -> bool {
    find::<hyper_util::client::legacy::Error>(error).is_some_and(hyper_util::client::legacy::Error::is_connect)
}

fn of_tls(error: &rustls::Error) -> ErrorKind {
    match (CertificateProblem::of(error), error) {
        (Some(problem), _) => ErrorKind::Certificate(problem),
        (None, rustls::Error::InvalidMessage(_)) => ErrorKind::NotKubernetes("it does not speak TLS".to_owned()),
        (None, other) => ErrorKind::NotKubernetes(other.to_string()),
    }
}

/// The causes of an error, itself first.
fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| cause(*error))
}

/// An io::Error passes over what it holds when it is asked for its source.
fn cause<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(held) => Some(held),
        None => error.source(),
    }
}

fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    chain(error).find_map(|cause| cause.downcast_ref::<T>())
}

fn tls_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    error.downcast_ref()
}

fn io_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a io::Error> {
    error.downcast_ref()
}

/// The last cause, which says the most: `Connection refused (os error 111)`.
fn innermost(error: &(dyn StdError + 'static)) -> String {
    chain(error).last().map(ToString::to_string).unwrap_or_default()
}

/// What a proxy has answered in the words of an operator. hyper-util has no types for it that others can name.
fn no_way(words: &str) -> &str {
    match words {
        "tunnel error: proxy authorization required" => "the proxy asks for another user and password (HTTP 407)",
        "tunnel error: unsuccessful" => "the proxy refuses to connect to the server, or is no HTTP proxy",
        "tunnel error: unexpected end of file" => "the proxy closed the connection",
        other => other,
    }
}

/// The common ends of a connection in the words of an operator; rustls and hyper would speak to a developer.
fn in_words(error: &kube::Error) -> String {
    let kind = chain(error).filter_map(io_error).map(io::Error::kind).last();
    match kind {
        Some(io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe) => "closed by the server".to_owned(),
        Some(io::ErrorKind::ConnectionReset) => "reset by the server".to_owned(),
        Some(io::ErrorKind::TimedOut) => "nothing came any more".to_owned(),
        _ => innermost(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(inner: io::Error) -> ErrorKind {
        kind_of(&kube::Error::Service(Box::new(inner)))
    }

    #[test]
    fn a_failure_of_tls_is_found_inside_of_a_failure_of_io() {
        let refused = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        assert_eq!(
            kind(io::Error::other(io::Error::other(refused))),
            ErrorKind::Certificate(CertificateProblem::WrongAuthority)
        );
    }

    #[test]
    fn a_broken_connection_is_said_in_words() {
        assert_eq!(
            kind(io::ErrorKind::UnexpectedEof.into()),
            ErrorKind::Unreachable(Unreachable::Lost("closed by the server".into()))
        );
    }
}
