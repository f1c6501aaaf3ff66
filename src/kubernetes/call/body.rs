//! Answers, read whole or line by line, and never without an end.

use std::future::poll_fn;
use std::pin::Pin;

use http_body::Body as _;
use kube::client::Body;

/// The next piece of an answer; `None` at its end.
async fn piece(body: &mut Body) -> Option<Result<Vec<u8>, kube::Error>> {
    loop {
        match poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await? {
            Ok(frame) => {
                if let Ok(data) = frame.into_data() {
                    return Some(Ok(data.to_vec()));
                }
            }
            Err(error) => return Some(Err(error)),
        }
    }
}

/// The whole answer, up to `limit` bytes; what is beyond is not read.
pub(crate) async fn collect(mut body: Body, limit: usize) -> Result<Vec<u8>, kube::Error> {
    let mut all = Vec::new();
    while let Some(next) = piece(&mut body).await {
        all.extend_from_slice(&next?);
        if all.len() > limit {
            all.truncate(limit);
            break;
        }
    }
    Ok(all)
}

/// An answer that comes in lines.
pub(crate) struct Lines {
    body: Body,
    held: Vec<u8>,
}

impl Lines {
    pub(super) fn new(body: Body) -> Self {
        Self { body, held: Vec::new() }
    }

    /// The next line; `None` at the end. What comes after the last line break is no line: a connection may break in it.
    pub(crate) async fn next(&mut self) -> Option<Result<Vec<u8>, kube::Error>> {
        loop {
            if let Some(end) = self.held.iter().position(|byte| *byte == b'\n') {
                let rest = self.held.split_off(end + 1);
                let mut line = std::mem::replace(&mut self.held, rest);
                line.pop();
                return Some(Ok(line));
            }
            match piece(&mut self.body).await? {
                Ok(bytes) => self.held.extend_from_slice(&bytes),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_is_read_up_to_its_limit() {
        let body = || Body::from(b"12345".to_vec());
        assert_eq!(collect(body(), 10).await.unwrap(), b"12345");
        assert_eq!(collect(body(), 3).await.unwrap(), b"123");
    }

    #[tokio::test]
    async fn half_a_line_is_no_line() {
        let mut lines = Lines::new(Body::from(b"a\n\nb\nc".to_vec()));
        let mut read = Vec::new();
        while let Some(line) = lines.next().await {
            read.push(String::from_utf8(line.unwrap()).unwrap());
        }
        assert_eq!(read, ["a", "", "b"]);
    }
}
