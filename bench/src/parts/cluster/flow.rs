//! Messages a second from the log to the broker and from the broker to the views, beside what the broker makes alone.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use eventing::testing::{QueueWatch, plain_broker_rate};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::super::{Setting, listeners, track_ids};
use super::{SETTLE_LIMIT, start};
use crate::client::{Client, Session};
use crate::cluster::{Cluster, Role};
use crate::cpu::CpuWatch;
use crate::metrics::{Gauges, settled, until};
use crate::numbers::thousands;
use crate::report::Row;

const TRACKS: usize = 10_000;
/// Ratings of one command.
const BULK: usize = 1_000;
const LISTENERS: usize = 10;
/// Messages that the plain publisher leaves unconfirmed: the relay's own window.
const WINDOW: usize = 1_000;
/// The virtual host of the cluster, as URLs have it.
const VHOST: &str = "%2f";
const QUEUES: [&str; 2] = ["usermanagement", "classification"];
/// How often the queues are looked at while they are worked off.
const POLL: Duration = Duration::from_millis(20);

/// Runs the part.
///
/// # Errors
/// At the first unexpected answer, or when a server is not installed.
pub async fn run(setting: &Setting) -> Result<Vec<Row>> {
    let mut cluster = start(setting, TRACKS).await?;
    let rest = cluster.rest()?.address();
    let sessions = listeners(&Client::new(rest)?, LISTENERS).await?;
    settled(rest, SETTLE_LIMIT).await?;
    cluster.scale(Role::Usermanagement, 0).await?;
    cluster.scale(Role::Classifier, 0).await?;
    // Without the broker nothing is published, and the log fills.
    cluster.rabbitmq.stop();
    fill(&sessions, setting.pick(1, 6)).await?;
    cluster.rabbitmq.restart().await?;
    let relayed = relayed(rest).await?;
    let queues = QueueWatch::connect(&cluster.rabbitmq.url(VHOST)).await?;
    let bytes = queues.message_bytes("classification").await?;
    let before = alone(&cluster, bytes, relayed.messages).await?;
    let consumed = consumed(&mut cluster, &queues).await?;
    let after = alone(&cluster, bytes, relayed.messages).await?;
    let others = before.others.max(after.others);
    let alone = f64::midpoint(before.per_second, after.per_second);
    cluster.stop().await?;
    let plain = format!(
        "a plain publisher, {} unconfirmed: {}/s",
        thousands(WINDOW as f64),
        thousands(alone)
    );
    Ok(vec![
        relayed
            .row(bytes)
            .beside(plain.clone(), relayed.per_second / alone)
            .among(others),
        consumed
            .row()
            .beside(plain, consumed.per_second / alone)
            .among(others),
    ])
}

/// Has every listener rate `bulks` times a thousand tracks, none of them twice.
async fn fill(sessions: &[Session], bulks: usize) -> Result<()> {
    let tracks = track_ids(&sessions[0], TRACKS).await?;
    let mut tasks = JoinSet::new();
    for session in sessions {
        let (session, tracks) = (session.clone(), tracks.clone());
        tasks.spawn(async move {
            for some in tracks.chunks(BULK).take(bulks) {
                let ratings: Vec<(&str, &str)> = some.iter().map(|track| (track.as_str(), "like")).collect();
                session.rate(&ratings).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(())
}

/// What the broker did alone.
struct Alone {
    per_second: f64,
    others: f64,
}

/// Gives the broker as many messages of the same size, in a virtual host of their own.
async fn alone(cluster: &Cluster, bytes: usize, messages: usize) -> Result<Alone> {
    let broker = &cluster.rabbitmq;
    let url = broker.url(&broker.new_vhost()?);
    let watch = CpuWatch::start();
    Ok(Alone {
        per_second: plain_broker_rate(&url, bytes, messages, WINDOW).await?,
        others: watch.others(),
    })
}

/// What the relay did.
struct Relayed {
    messages: usize,
    per_second: f64,
    others: f64,
}

impl Relayed {
    fn row(&self, bytes: usize) -> Row {
        let what = format!("messages of {bytes} bytes that the relay publishes, each confirmed");
        Row::new(what, format!("{}/s", thousands(self.per_second)), self.others)
    }
}

/// Waits until the relay has published all that the log holds. Time counts from the first progress that was seen: how soon
/// the relay connects again is another matter.
async fn relayed(rest: SocketAddr) -> Result<Relayed> {
    let published = |gauges: &Gauges| gauges.get("relay_published_position", "relay");
    let gauges = Gauges::of(rest).await?;
    let (before, head) = (published(&gauges)?, gauges.get("log_head_position", "log")?);
    let first = until(rest, SETTLE_LIMIT, |gauges| Ok(published(gauges)? > before)).await?;
    let (began, watch) = (Instant::now(), CpuWatch::start());
    until(rest, SETTLE_LIMIT, |gauges| Ok(published(gauges)? >= head)).await?;
    let (took, others) = (began.elapsed(), watch.others());
    let messages = head - published(&first)?;
    ensure!(messages > 0, "all was published before it could be looked at");
    Ok(Relayed {
        messages: usize::try_from(messages)?,
        per_second: messages as f64 / took.as_secs_f64(),
        others,
    })
}

/// What the consumers did.
struct Consumed {
    messages: u32,
    per_second: f64,
    current_after: Duration,
    others: f64,
}

impl Consumed {
    fn row(&self) -> Row {
        let value = format!(
            "{}/s; all views current after {:.1} s",
            thousands(self.per_second),
            self.current_after.as_secs_f64()
        );
        let what = format!(
            "{} messages worked off by usermanagement and a classifier, from their start",
            thousands(f64::from(self.messages))
        );
        Row::new(what, value, self.others)
    }
}

/// Starts the consumers on what waits for them, and waits until nothing does.
async fn consumed(cluster: &mut Cluster, queues: &QueueWatch) -> Result<Consumed> {
    let messages = waiting(queues).await?;
    let (began, watch) = (Instant::now(), CpuWatch::start());
    // They are ready when they have read the log to its head; what the queues hold is then known already.
    cluster.run(&[Role::Usermanagement, Role::Classifier]).await?;
    let current_after = began.elapsed();
    while waiting(queues).await? > 0 {
        ensure!(began.elapsed() < SETTLE_LIMIT, "the queues are not worked off");
        sleep(POLL).await;
    }
    let took = began.elapsed();
    Ok(Consumed {
        messages,
        per_second: f64::from(messages) / took.as_secs_f64(),
        current_after,
        others: watch.others(),
    })
}

async fn waiting(queues: &QueueWatch) -> Result<u32> {
    let mut messages = 0;
    for queue in QUEUES {
        messages += queues.waiting(queue).await?;
    }
    Ok(messages)
}
