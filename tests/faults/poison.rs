//! Messages that no relay would send.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bench::cluster::Cluster;
use eventing::bus::{Bus, DEAD_QUEUE, EXCHANGE, RabbitMqConfig};
use eventing::{
    Append, EventLog, ExpectedVersion, Metadata, NewEvent, Position, PostgresConfig, SchemaVersion, StreamId,
};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Connection, ConnectionProperties};
use tokio::time::{Instant, sleep};

/// As large as RabbitMQ 4 takes, and so as a message of ours can be.
const HUGE: usize = 16 << 20;
/// How long what was set aside may take to be seen.
const LIMIT: Duration = Duration::from_secs(60);
/// How many events of the past come again.
const AGAIN: usize = 200;

/// Broken JSON, another content type, an event from elsewhere, nothing at all and far too much, to both queues. Waits until all
/// are seen among the dead letters.
///
/// # Errors
/// When the broker does not take them, or they do not turn up there.
pub(crate) async fn send(cluster: &Cluster) -> Result<()> {
    let before = dead(cluster)?;
    let broker = &cluster.rabbitmq;
    let connection =
        Connection::connect(&broker.url(cluster.vhost()), ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let huge = vec![b'x'; HUGE];
    let unknown =
        br#"{"specversion":"1.0","id":"x","source":"/elsewhere","type":"weather.changed","data":{}}"#;
    let messages: [(&str, &[u8]); 5] = [
        ("application/cloudevents+json", b"{\"specversion\":"),
        ("text/plain", b"hello"),
        ("application/cloudevents+json", unknown),
        ("application/cloudevents+json", b""),
        ("application/cloudevents+json", &huge),
    ];
    for tag in ["usermanagement", "classification"] {
        for (content_type, body) in messages {
            let properties = BasicProperties::default()
                .with_content_type(content_type.into())
                .with_delivery_mode(2);
            let key = format!("{tag}.poison");
            channel
                .basic_publish(
                    EXCHANGE.into(),
                    key.as_str().into(),
                    BasicPublishOptions::default(),
                    body,
                    properties,
                )
                .await?
                .await?;
        }
    }
    connection.close(200, "done".into()).await?;
    let deadline = Instant::now() + LIMIT;
    while dead(cluster)? < before + 2 * messages.len() {
        ensure!(
            Instant::now() < deadline,
            "{} dead letters, {before} before",
            dead(cluster)?
        );
        sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

/// How many messages were set aside.
fn dead(cluster: &Cluster) -> Result<usize> {
    waiting(cluster, DEAD_QUEUE)
}

/// How many messages a queue holds.
///
/// # Errors
/// When the broker does not answer, or has no such queue.
pub(crate) fn waiting(cluster: &Cluster, queue: &str) -> Result<usize> {
    let list = ["list_queues", "-p", cluster.vhost(), "name", "messages"];
    let said = cluster.rabbitmq.ctl(list)?;
    let count = said
        .lines()
        .find_map(|line| line.strip_prefix(queue)?.trim().parse().ok());
    count.with_context(|| format!("no {queue} in {said}"))
}

/// Records an event of a type that no consumer knows, in a stream of its own, and waits until a person is told of it.
///
/// # Errors
/// When the log does not take it, or it is not set aside.
pub(crate) async fn record(cluster: &Cluster) -> Result<()> {
    let log = EventLog::open_postgres(PostgresConfig::parse(cluster.database_url())?).await?;
    let stream = StreamId::new("listener", uuid::Uuid::now_v7());
    let event = NewEvent::new("listener.dreamt", SchemaVersion(1), &b"{}"[..]);
    let append = Append::new(
        stream.clone(),
        ExpectedVersion::NoStream,
        vec![event],
        Metadata::new(),
    );
    log.append(append).await?;
    let deadline = Instant::now() + LIMIT;
    loop {
        let said = cluster.program().tool(&["dead-letters", "list"], "").await?;
        if said.contains(stream.as_str()) {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "{stream} was not set aside: {said}");
        sleep(Duration::from_millis(200)).await;
    }
}

/// Some events of the past, twice and from the last to the first.
///
/// # Errors
/// When the log cannot be read, or the broker does not take them.
pub(crate) async fn send_again(cluster: &Cluster) -> Result<()> {
    let log = EventLog::open_postgres(PostgresConfig::parse(cluster.database_url())?).await?;
    let head = log.head().await?;
    let from = Position(head.0.saturating_sub(AGAIN as u64));
    let events = log.read_after(from, AGAIN).await?;
    let mut events: Vec<_> = events.into_iter().map(std::sync::Arc::new).collect();
    events.reverse();
    let broker = &cluster.rabbitmq;
    let bus = Bus::rabbitmq(RabbitMqConfig {
        port: broker.port(),
        user: broker.user().to_owned(),
        password: broker.password().to_owned(),
        vhost: cluster.vhost().to_owned(),
        ..RabbitMqConfig::new(broker.host())
    });
    bus.declare(&workers::topology()).await?;
    for _ in 0..2 {
        bus.publish(&events)
            .await
            .context("the broker does not take them")?;
    }
    Ok(())
}
