//! Load at a rate of its own: requests begin when they are due, however long earlier ones take.
//!
//! A request counts from when it was due, not from when a connection was free for it, so a server that falls behind
//! shows it in every later request.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use http_body_util::Full;
use hyper::HeaderMap;
use hyper::body::Bytes;
use hyper::client::conn::http1::SendRequest;
use tokio::task::JoinSet;

use crate::load::{Loaded, Shot, connect, fire};
use crate::numbers::Latencies;

/// Requests are sent no longer than so many times the planned time, when a server falls far behind.
const PATIENCE: u32 = 2;

/// How many requests, and when.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Requests that are due each second.
    pub per_second: usize,
    /// For so long.
    pub duration: Duration,
    /// On so many connections.
    pub connections: usize,
}

impl Pace {
    fn requests(&self) -> usize {
        (self.per_second as f64 * self.duration.as_secs_f64()) as usize
    }

    fn due(&self, number: usize) -> Duration {
        Duration::from_secs_f64(number as f64 / self.per_second as f64)
    }
}

/// One answer.
#[derive(Debug)]
pub struct Answered<'a> {
    /// What was asked.
    pub shot: &'a Shot,
    /// Which request it was, in the order in which they were due.
    pub number: usize,
    /// When the answer was complete.
    pub at: Instant,
    /// Its headers.
    pub headers: &'a HeaderMap,
}

/// Runs a load against `address`. `shot(connection)` makes a request; `answered` hears of each answer and must be quick.
///
/// # Errors
/// At the first answer with an unexpected status, and when a connection breaks; nothing more is sent then.
pub async fn run<S, A>(address: SocketAddr, pace: Pace, shot: S, answered: A) -> Result<Loaded>
where
    S: Fn(usize) -> Shot + Clone + Send + 'static,
    A: Fn(Answered<'_>) + Clone + Send + 'static,
{
    if !address.ip().is_loopback() {
        bail!("{address} is not a loopback address: load is for this machine only");
    }
    let mut connections = Vec::new();
    for _ in 0..pace.connections {
        connections.push(connect(address).await?);
    }
    let began = Instant::now();
    let schedule = Arc::new(Schedule {
        pace,
        began,
        next: AtomicUsize::new(0),
    });
    let mut tasks = JoinSet::new();
    for (index, connection) in connections.into_iter().enumerate() {
        let shot = shot.clone();
        let work = work(
            connection,
            Arc::clone(&schedule),
            move || shot(index),
            answered.clone(),
        );
        tasks.spawn(work);
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

/// What all connections take their requests from.
struct Schedule {
    pace: Pace,
    began: Instant,
    next: AtomicUsize,
}

impl Schedule {
    /// The next request's number and when it was due, once it is; nothing when there are no more.
    async fn next(&self) -> Option<(usize, Instant)> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        if number >= self.pace.requests() || self.began.elapsed() > self.pace.duration * PATIENCE {
            return None;
        }
        let due = self.began + self.pace.due(number);
        tokio::time::sleep_until(due.into()).await;
        Some((number, due))
    }
}

async fn work(
    mut connection: SendRequest<Full<Bytes>>,
    schedule: Arc<Schedule>,
    shot: impl Fn() -> Shot,
    answered: impl Fn(Answered<'_>),
) -> Result<Latencies> {
    let mut latencies = Latencies::default();
    while let Some((number, due)) = schedule.next().await {
        let shot = &shot();
        let headers = &fire(&mut connection, shot).await?.headers;
        let at = Instant::now();
        latencies.push(at - due);
        answered(Answered {
            shot,
            number,
            at,
            headers,
        });
    }
    Ok(latencies)
}

#[cfg(test)]
mod tests {
    use hyper::Method;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// Answers one request after the other, each after `delay`.
    async fn slow_server(delay: Duration) -> Result<SocketAddr> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await?;
            let mut buffer = [0; 4_096];
            while stream.read(&mut buffer).await? > 0 {
                tokio::time::sleep(delay).await;
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                    .await?;
            }
            anyhow::Ok(())
        });
        Ok(address)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_request_that_had_to_wait_for_a_connection_counts_from_when_it_was_due() -> Result<()> {
        let address = slow_server(Duration::from_millis(100)).await?;
        let pace = Pace {
            per_second: 100,
            duration: Duration::from_millis(200),
            connections: 1,
        };
        let shot = |_| Shot {
            method: Method::GET,
            path: "/".to_owned(),
            token: None,
            headers: Vec::new(),
            body: None,
            expected: 200,
        };
        let loaded = run(address, pace, shot, |_| {}).await?;
        // Due at 0, 10 and 20 ms; answered not before 100, 200 and 300 ms.
        assert!(loaded.latencies.count() >= 3, "{loaded:?}");
        let longest = loaded.latencies.quantile(1.0);
        assert!(longest >= Duration::from_millis(250), "{loaded:?}");
        Ok(())
    }
}
