//! Requests that begin when they are due, whatever became of those before, each in a task of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use hyper::header::LOCATION;
use serde_json::Value;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;

use super::asks::{Ask, Listeners};
use super::service::Service;
use super::tally::{Counted, Tally};
use super::told::{Acknowledged, Write};
use crate::load::Reply;

/// How long after one look at a playlist the next is due.
pub(super) const POLL: Duration = Duration::from_millis(50);
/// How long a playlist may take.
const READY_LIMIT: Duration = Duration::from_secs(120);
/// So many requests without an answer mean that the stack does not keep up at all.
const RUNNING_MAX: usize = 5_000;

/// A load that runs.
#[derive(Debug)]
pub(super) struct Load {
    tally: Tally,
    stop: CancellationToken,
    driving: JoinHandle<Result<()>>,
}

#[derive(Debug)]
struct Shared {
    service: Service,
    listeners: Listeners,
    tally: Tally,
}

impl Load {
    /// Starts so many requests a second at `service`.
    pub(super) fn start(service: Service, listeners: Listeners, per_second: usize) -> Self {
        let tally = Tally::default();
        tally.begin("the first requests");
        let shared = Arc::new(Shared {
            service,
            listeners,
            tally: tally.clone(),
        });
        let stop = CancellationToken::new();
        let driving = tokio::spawn(drive(shared, per_second, stop.clone()));
        Self { tally, stop, driving }
    }

    /// What it has seen.
    pub(super) fn tally(&self) -> Tally {
        self.tally.clone()
    }

    /// Does `work` while the load runs.
    ///
    /// # Errors
    /// Those of `work`; and at once when a request fails.
    pub(super) async fn during<T>(&mut self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            worked = work => worked,
            ended = &mut self.driving => {
                ended??;
                bail!("the load has ended by itself")
            }
        }
    }

    /// Begins no further request, waits for those that run and for every playlist, and hands back what it has seen.
    ///
    /// # Errors
    /// When a request fails.
    pub(super) async fn stop(self) -> Result<Counted> {
        self.stop.cancel();
        self.driving.await??;
        Ok(self.tally.take())
    }
}

/// Ends at the first failure: dropping the set ends all others.
async fn drive(shared: Arc<Shared>, per_second: usize, stop: CancellationToken) -> Result<()> {
    let began = Instant::now();
    let mut running = JoinSet::new();
    let mut number = 0;
    while !stop.is_cancelled() {
        let due = began + Duration::from_secs_f64(number as f64 / per_second as f64);
        tokio::select! {
            () = stop.cancelled() => {}
            Some(done) = running.join_next() => done??,
            () = sleep_until(due.into()) => {
                ensure!(running.len() < RUNNING_MAX, "{RUNNING_MAX} requests wait for their answers");
                running.spawn(Arc::clone(&shared).carry_out(number, due));
                number += 1;
            }
        }
    }
    while let Some(done) = running.join_next().await {
        done??;
    }
    Ok(())
}

impl Shared {
    async fn carry_out(self: Arc<Self>, number: usize, due: Instant) -> Result<()> {
        let phase = self.tally.now();
        let mut ask = self.listeners.ask(number);
        let write = ask.write.take();
        let reply = self.answer(phase, &ask, due).await?;
        let Some(write) = write else { return Ok(()) };
        let acknowledged = self.acknowledge(ask.listener, write, &reply)?;
        match acknowledged.playlist {
            Some(path) => self.follow(phase, ask.listener, &path, due).await,
            None => Ok(()),
        }
    }

    async fn answer(&self, phase: usize, ask: &Ask, due: Instant) -> Result<Reply> {
        let reply = self.service.send(&ask.shot).await?;
        self.tally.answered(phase, ask.kind, due.elapsed());
        Ok(reply)
    }

    fn acknowledge(&self, listener: usize, write: Write, reply: &Reply) -> Result<Acknowledged> {
        let header = |name: &str| reply.headers.get(name).and_then(|value| value.to_str().ok());
        let position = header("segue-position").and_then(|value| value.parse().ok());
        let acknowledged = Acknowledged {
            position: position.context("no Segue-Position")?,
            listener,
            write,
            playlist: header(LOCATION.as_str()).map(str::to_owned),
        };
        self.listeners.wrote(listener, acknowledged.position);
        self.tally.acknowledged(acknowledged.clone());
        Ok(acknowledged)
    }

    /// Asks again and again whether a playlist is ready.
    async fn follow(&self, phase: usize, listener: usize, path: &str, wished: Instant) -> Result<()> {
        let mut due = Instant::now();
        while wished.elapsed() < READY_LIMIT {
            due += POLL;
            sleep_until(due.into()).await;
            let reply = self
                .answer(phase, &self.listeners.poll(listener, path), due)
                .await?;
            let playlist: Value = serde_json::from_slice(&reply.body)?;
            match playlist["status"].as_str() {
                Some("ready") => {
                    self.tally.ready(phase, wished.elapsed());
                    return Ok(());
                }
                Some("pending") => {}
                _ => bail!("{path} is not ready: {playlist}"),
            }
        }
        bail!("{path} is still pending after {READY_LIMIT:?}")
    }
}
