//! Load: many kept-alive connections, each sending its next request when the last was answered; and single requests, which go
//! through hyper itself, without a pool in between.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{HeaderMap, Method, Request};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::numbers::Latencies;
use crate::wire::{Wire, open};

/// One request of a load, made anew each time.
#[derive(Clone, Debug)]
pub struct Shot {
    /// The method.
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// The bearer token, where one is needed.
    pub token: Option<String>,
    /// Headers besides those that every request has.
    pub headers: Vec<(&'static str, String)>,
    /// The JSON body, where there is one.
    pub body: Option<Bytes>,
    /// The only status that is expected.
    pub expected: u16,
}

/// What was answered, with the status that was expected.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// How much load, and for how long: whichever bound comes first.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Connections.
    pub connections: usize,
    /// Time.
    pub duration: Duration,
    /// Requests in all.
    pub requests_max: usize,
}

/// What a load did.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// How long each request took.
    pub latencies: Latencies,
    /// How long all took.
    pub elapsed: Duration,
}

impl Loaded {
    /// Answers a second.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        self.latencies.count() as f64 / self.elapsed.as_secs_f64()
    }

    /// Counts `other`, which ran after this one, in.
    pub fn extend(&mut self, other: Self) {
        self.latencies.extend(other.latencies);
        self.elapsed += other.elapsed;
    }
}

/// Runs a load against `address`. `shot(connection, n)` makes the n-th request of a connection.
///
/// # Errors
/// At the first answer with an unexpected status, and when a connection breaks; nothing more is sent then.
pub async fn run<F>(address: SocketAddr, bounds: Bounds, shot: F) -> Result<Loaded>
where
    F: Fn(usize, usize) -> Shot + Clone + Send + 'static,
{
    if !address.ip().is_loopback() {
        bail!("{address} is not a loopback address: load is for this machine only");
    }
    let each_max = (bounds.requests_max / bounds.connections).max(1);
    let mut wires = Vec::new();
    for _ in 0..bounds.connections {
        wires.push(Wire::connect(address).await?);
    }
    let began = Instant::now();
    let deadline = began + bounds.duration;
    let mut tasks = JoinSet::new();
    for (index, mut wire) in wires.into_iter().enumerate() {
        let shot = shot.clone();
        tasks.spawn(async move {
            let mut latencies = Latencies::default();
            for n in 0..each_max {
                let sent = Instant::now();
                if sent >= deadline {
                    break;
                }
                wire.ask(&shot(index, n)).await?;
                latencies.push(sent.elapsed());
            }
            anyhow::Ok(latencies)
        });
    }
    let mut latencies = Latencies::default();
    while let Some(done) = tasks.join_next().await {
        // The first failure ends the whole load: dropping the set stops the others.
        latencies.extend(done??);
    }
    Ok(Loaded {
        latencies,
        elapsed: began.elapsed(),
    })
}

/// Sends one `GET` on a new connection and hands back the status.
///
/// # Errors
/// When no complete answer came.
pub async fn get_status(stream: TcpStream, path: &str) -> Result<u16> {
    let mut connection = start(stream).await?;
    let request = Request::get(path)
        .header("host", "localhost")
        .body(Full::default())?;
    let response = connection.send_request(request).await?;
    let status = response.status().as_u16();
    response.into_body().collect().await?;
    Ok(status)
}

/// Sends one `GET` on a new connection and hands back the body as text.
///
/// # Errors
/// When no complete answer came.
pub async fn get_text(address: SocketAddr, path: &str) -> Result<String> {
    let mut connection = connect(address).await?;
    let request = Request::get(path)
        .header("host", "localhost")
        .body(Full::default())?;
    let body = connection
        .send_request(request)
        .await?
        .into_body()
        .collect()
        .await?;
    Ok(String::from_utf8_lossy(&body.to_bytes()).into_owned())
}

pub(crate) async fn connect(address: SocketAddr) -> Result<SendRequest<Full<Bytes>>> {
    start(open(address).await?).await
}

async fn start(stream: TcpStream) -> Result<SendRequest<Full<Bytes>>> {
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    // It ends when the sender is dropped or the peer goes away; the sender hears of the latter.
    tokio::spawn(connection);
    Ok(sender)
}

/// Sends one request.
pub(crate) async fn fire(connection: &mut SendRequest<Full<Bytes>>, shot: &Shot) -> Result<Reply> {
    let mut request = Request::builder()
        .method(shot.method.clone())
        .uri(&shot.path)
        .header("host", "localhost");
    if let Some(token) = &shot.token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    if shot.body.is_some() {
        request = request.header("content-type", "application/json");
    }
    for (name, value) in &shot.headers {
        request = request.header(*name, value);
    }
    let request = request.body(Full::new(shot.body.clone().unwrap_or_default()))?;
    connection.ready().await?;
    let (head, body) = connection.send_request(request).await?.into_parts();
    let body = body.collect().await?.to_bytes();
    if head.status != shot.expected {
        bail!(
            "{} {}: expected {}, got {}: {}",
            shot.method,
            shot.path,
            shot.expected,
            head.status,
            String::from_utf8_lossy(&body)
        );
    }
    Ok(Reply {
        headers: head.headers,
        body,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// Gives the n-th request of any connection the n-th of `answers`, in pieces, and hangs up after the last; counts requests.
    async fn server(answers: Vec<&'static str>) -> Result<(SocketAddr, Arc<AtomicUsize>)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (address, asked) = (listener.local_addr()?, Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (answers, count) = (answers.clone(), Arc::clone(&count));
                tokio::spawn(async move {
                    let mut buffer = [0; 4_096];
                    for answer in answers {
                        if stream.read(&mut buffer).await? == 0 {
                            break;
                        }
                        count.fetch_add(1, Ordering::SeqCst);
                        for piece in answer.as_bytes().chunks(30) {
                            stream.write_all(piece).await?;
                            tokio::time::sleep(Duration::from_millis(2)).await;
                        }
                    }
                    std::io::Result::Ok(())
                });
            }
        });
        Ok((address, asked))
    }

    async fn load(address: SocketAddr, requests_max: usize) -> Result<Loaded> {
        let bounds = Bounds {
            connections: 1,
            duration: Duration::from_secs(60),
            requests_max,
        };
        run(address, bounds, |_, n| Shot {
            method: Method::GET,
            path: format!("/{n}"),
            token: None,
            headers: Vec::new(),
            body: None,
            expected: 200,
        })
        .await
    }

    const GOOD: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    const BAD: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\nfull";

    #[tokio::test]
    async fn a_load_asks_no_more_than_it_may() -> Result<()> {
        let (address, asked) = server(vec![GOOD; 9]).await?;
        assert_eq!(load(address, 5).await?.latencies.count(), 5);
        assert_eq!(asked.load(Ordering::SeqCst), 5);
        Ok(())
    }

    #[tokio::test]
    async fn a_load_ends_at_the_first_unexpected_status_and_says_what_was_answered() -> Result<()> {
        let (address, asked) = server(vec![GOOD, GOOD, BAD, GOOD]).await?;
        let error = load(address, 9).await.map(|loaded| loaded.latencies.count());
        let error = error.expect_err("an unexpected status").to_string();
        assert_eq!(error, "GET /2: expected 200, got 503: full");
        assert_eq!(asked.load(Ordering::SeqCst), 3);
        Ok(())
    }

    #[tokio::test]
    async fn a_load_ends_when_a_connection_is_of_no_more_use() -> Result<()> {
        for (last, expected) in [
            (
                "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\no",
                "the connection ended within an answer",
            ),
            ("", "the connection ended within an answer"),
            (
                "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok!",
                "more came than the answer",
            ),
        ] {
            let (address, _) = server(vec![GOOD, last]).await?;
            let loaded = load(address, 9).await.map(|loaded| loaded.latencies.count());
            let error = loaded.expect_err("a broken connection").to_string();
            assert_eq!(error, expected, "{last:?}");
        }
        Ok(())
    }
}
