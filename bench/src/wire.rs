//! A kept-alive connection that asks one thing after the other and looks at nothing but status and length.
//!
//! On one machine the clients' work is taken from the server. It sends no `HEAD`, and takes no answer in chunks.

use std::fmt::Write as _;
use std::net::SocketAddr;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::load::Shot;

/// Headers that an answer may have.
const HEADERS_MAX: usize = 64;
/// Statuses whose answers have no body and need not say so.
const WITHOUT_BODY: [u16; 2] = [204, 304];
/// As long are most answers.
const ANSWER_BYTES: usize = 4_096;

/// The connection, and what it used last.
pub(crate) struct Wire {
    stream: TcpStream,
    request: String,
    answer: Vec<u8>,
}

/// What an answer's head says.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    head_bytes: usize,
    body_bytes: usize,
}

impl Head {
    /// Of the whole answer.
    fn bytes(&self) -> usize {
        self.head_bytes + self.body_bytes
    }
}

impl Wire {
    pub(crate) async fn connect(address: SocketAddr) -> Result<Self> {
        Ok(Self {
            stream: open(address).await?,
            request: String::new(),
            answer: Vec::with_capacity(ANSWER_BYTES),
        })
    }

    /// Sends one request and waits for the whole answer.
    ///
    /// # Errors
    /// When its status is not the expected one, or the connection breaks: it is of no more use then.
    pub(crate) async fn ask(&mut self, shot: &Shot) -> Result<()> {
        self.request.clear();
        write_request(&mut self.request, shot)?;
        self.stream.write_all(self.request.as_bytes()).await?;
        let head = self.read().await?;
        if head.status != shot.expected {
            bail!(
                "{} {}: expected {}, got {}: {}",
                shot.method,
                shot.path,
                shot.expected,
                head.status,
                String::from_utf8_lossy(&self.answer[head.head_bytes..])
            );
        }
        Ok(())
    }

    async fn read(&mut self) -> Result<Head> {
        self.answer.clear();
        let mut head = None;
        loop {
            let read = self.stream.read_buf(&mut self.answer).await?;
            ensure!(read > 0, "the connection ended within an answer");
            if head.is_none() {
                head = read_head(&self.answer)?;
            }
            if let Some(head) = head.take_if(|head| self.answer.len() >= head.bytes()) {
                ensure!(self.answer.len() == head.bytes(), "more came than the answer");
                return Ok(head);
            }
        }
    }
}

/// A connection on which nothing was sent.
pub(crate) async fn open(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address)
        .await
        .with_context(|| format!("cannot connect to {address}"))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn write_request(text: &mut String, shot: &Shot) -> Result<()> {
    write!(
        text,
        "{} {} HTTP/1.1\r\nhost: localhost\r\n",
        shot.method, shot.path
    )?;
    if let Some(token) = &shot.token {
        write!(text, "authorization: Bearer {token}\r\n")?;
    }
    for (name, value) in &shot.headers {
        write!(text, "{name}: {value}\r\n")?;
    }
    if let Some(body) = &shot.body {
        let body = std::str::from_utf8(body)?;
        let length = body.len();
        write!(
            text,
            "content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        )?;
    } else {
        text.push_str("\r\n");
    }
    Ok(())
}

/// Nothing while the head is not complete.
fn read_head(bytes: &[u8]) -> Result<Option<Head>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(length) = response.parse(bytes)? else {
        return Ok(None);
    };
    let status = response.code.context("an answer without a status")?;
    let named = response
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let body_bytes = match named {
        _ if WITHOUT_BODY.contains(&status) => 0,
        Some(header) => std::str::from_utf8(header.value)?.parse()?,
        None => bail!("status {status}: an answer that does not say how long it is"),
    };
    Ok(Some(Head {
        status,
        head_bytes: length,
        body_bytes,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use hyper::Method;

    #[test]
    fn a_head_is_read_when_it_is_whole() -> Result<()> {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
        for length in 0..answer.len() - 3 {
            assert_eq!(read_head(&answer[..length])?, None, "{length}");
        }
        let head = read_head(answer)?.context("a head")?;
        assert_eq!(
            (head.status, head.head_bytes, head.body_bytes),
            (200, answer.len() - 3, 3)
        );
        let empty = read_head(b"HTTP/1.1 204 No Content\r\n\r\n")?.context("a head")?;
        assert_eq!((empty.status, empty.body_bytes), (204, 0));
        assert!(read_head(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
        Ok(())
    }

    #[test]
    fn a_request_has_what_the_shot_says() -> Result<()> {
        let mut text = String::new();
        let shot = Shot {
            method: Method::PUT,
            path: "/a?b=c".to_owned(),
            token: Some("t".to_owned()),
            headers: vec![("prefer", "wait=1".to_owned())],
            body: Some(Bytes::from_static(b"{}")),
            expected: 204,
        };
        write_request(&mut text, &shot)?;
        assert_eq!(
            text,
            "PUT /a?b=c HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer t\r\nprefer: wait=1\r\n\
             content-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
        );
        Ok(())
    }
}
