//! One name for several REST processes.
//!
//! As a Service of Kubernetes does it for whoever stands before it: each process is asked for its readiness, new requests go
//! round those that are ready, and one that says no gets no more. Nothing is sent twice.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::SendRequest;
use parking_lot::{Mutex, RwLock};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

use crate::load::{Reply, Shot, connect, fire, get_status};

/// How often each process is asked. A process must serve for longer than this after it has said no.
const PROBE_PERIOD: Duration = Duration::from_millis(100);
/// How long it may take to answer.
const PROBE_LIMIT: Duration = Duration::from_secs(3);
/// How often it may fail to say yes, one time after the other, and still get requests: a busy one may answer late once.
const FAILURES_MAX: usize = 1;

/// The name. Its clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Service(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    endpoints: RwLock<Vec<Probed>>,
    next: AtomicUsize,
}

#[derive(Debug)]
struct Probed {
    endpoint: Arc<Endpoint>,
    /// Asks as long as it is here.
    _probe: AbortOnDropHandle<()>,
}

#[derive(Debug)]
struct Endpoint {
    address: SocketAddr,
    is_ready: AtomicBool,
    /// Connections that carry nothing now.
    idle: Mutex<Vec<SendRequest<Full<Bytes>>>>,
}

impl Service {
    /// Lets the process at `address` have requests as soon as it is ready.
    ///
    /// # Errors
    /// When it is not on this machine.
    pub(super) fn add(&self, address: SocketAddr) -> Result<()> {
        ensure!(
            address.ip().is_loopback(),
            "{address} is not a loopback address: load is for this machine only"
        );
        let endpoint = Arc::new(Endpoint {
            address,
            is_ready: AtomicBool::new(false),
            idle: Mutex::default(),
        });
        let probe = tokio::spawn(Arc::clone(&endpoint).probe());
        self.0.endpoints.write().push(Probed {
            endpoint,
            _probe: AbortOnDropHandle::new(probe),
        });
        Ok(())
    }

    /// Forgets the process at `address`, which has ended.
    pub(super) fn remove(&self, address: SocketAddr) {
        let mut endpoints = self.0.endpoints.write();
        endpoints.retain(|probed| probed.endpoint.address != address);
    }

    /// Waits until so many processes are ready.
    ///
    /// # Errors
    /// When they are not within `limit`.
    pub(super) async fn until_ready(&self, count: usize, limit: Duration) -> Result<()> {
        let reached = async {
            while self.ready().len() < count {
                sleep(PROBE_PERIOD).await;
            }
        };
        let waited = timeout(limit, reached).await;
        waited.with_context(|| format!("not {count} processes are ready within {limit:?}"))
    }

    /// Sends one request to the next process that is ready.
    ///
    /// # Errors
    /// When none is ready, when no complete answer comes, or it has another status than was expected.
    pub(super) async fn send(&self, shot: &Shot) -> Result<Reply> {
        let endpoint = self.next().context("no process is ready")?;
        let sent = endpoint.send(shot).await;
        sent.with_context(|| format!("{} {} at {}", shot.method, shot.path, endpoint.address))
    }

    fn next(&self) -> Option<Arc<Endpoint>> {
        let mut ready = self.ready();
        let next = self.0.next.fetch_add(1, Ordering::Relaxed);
        Some(ready.swap_remove(next.checked_rem(ready.len())?))
    }

    fn ready(&self) -> Vec<Arc<Endpoint>> {
        let endpoints = self.0.endpoints.read();
        let endpoints = endpoints.iter().map(|probed| &probed.endpoint);
        endpoints.filter(|endpoint| endpoint.takes()).cloned().collect()
    }
}

impl Endpoint {
    fn takes(&self) -> bool {
        self.is_ready.load(Ordering::Relaxed)
    }

    async fn send(&self, shot: &Shot) -> Result<Reply> {
        let kept = self.idle.lock().pop();
        let mut connection = match kept {
            Some(connection) => connection,
            None => connect(self.address).await?,
        };
        let reply = fire(&mut connection, shot).await?;
        if self.takes() {
            self.idle.lock().push(connection);
        }
        Ok(reply)
    }

    /// Asks for readiness for as long as the endpoint is there.
    async fn probe(self: Arc<Self>) {
        let mut failures = 0;
        loop {
            failures = if self.says_ready().await { 0 } else { failures + 1 };
            let is_ready = failures == 0 || self.takes() && failures <= FAILURES_MAX;
            self.is_ready.store(is_ready, Ordering::Relaxed);
            if !is_ready {
                // Kept connections would be closed by the process at any moment.
                self.idle.lock().clear();
            }
            sleep(PROBE_PERIOD).await;
        }
    }

    async fn says_ready(&self) -> bool {
        let asked = async {
            let stream = TcpStream::connect(self.address).await?;
            get_status(stream, "/readyz").await
        };
        matches!(timeout(PROBE_LIMIT, asked).await, Ok(Ok(200)))
    }
}
