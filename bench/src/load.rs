//! Load: many kept-alive connections, each sending its next request when the last was answered; and single requests, which go
//! through hyper itself, without a pool in between.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{HeaderMap, Method, Request};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::numbers::Latencies;
use crate::wire::Wire;

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

/// Runs a load against `address`, on a thread of its own. `shot(connection, n)` makes the n-th request of a connection.
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
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    tokio::task::spawn_blocking(move || runtime.block_on(all(address, bounds, shot))).await?
}

async fn all<F>(address: SocketAddr, bounds: Bounds, shot: F) -> Result<Loaded>
where
    F: Fn(usize, usize) -> Shot + Clone + Send + 'static,
{
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
    let stream = TcpStream::connect(address)
        .await
        .with_context(|| format!("cannot connect to {address}"))?;
    stream.set_nodelay(true)?;
    start(stream).await
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
