//! The few lines of HTTP that the test node's control port needs: one request, one answer, the connection closed.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// A control request only changes memory; one that takes this long hangs.
const LIMIT: Duration = Duration::from_secs(20);

/// Sends a request and gives the body of the answer.
///
/// HTTP/1.0, because its answers end with the connection: no chunks to put together.
///
/// # Errors
/// When the port does not answer, or answers with anything but 2xx; the message holds its text.
pub(crate) fn request(address: &str, method: &str, path: &str, body: &[u8]) -> Result<Vec<u8>> {
    let what = || format!("{method} http://{address}{path}");
    let mut stream = TcpStream::connect(address).with_context(what)?;
    stream.set_read_timeout(Some(LIMIT))?;
    let head = format!("{method} {path} HTTP/1.0\r\nHost: {address}\r\nContent-Length: {}\r\n\r\n", body.len());
    let mut message = head.into_bytes();
    message.extend_from_slice(body);
    stream.write_all(&message).with_context(what)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).with_context(what)?;
    let (code, body) = split(&answer).with_context(|| format!("{}: no HTTP answer", what()))?;
    if !(200..300).contains(&code) {
        bail!("{}: {code} {}", what(), String::from_utf8_lossy(body).trim());
    }
    Ok(body.to_vec())
}

fn split(answer: &[u8]) -> Option<(u16, &[u8])> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).ok()?;
    let code = head.split_whitespace().nth(1)?.parse().ok()?;
    Some((code, &answer[end + 4..]))
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn an_answer_is_a_code_and_a_body() {
        assert_eq!(split(b"HTTP/1.0 404 Not Found\r\nA: b\r\n\r\nno\r\n\r\n"), Some((404, b"no\r\n\r\n".as_slice())));
        assert_eq!(split(b"HTTP/1.0 200 OK\r\n"), None);
    }
}
