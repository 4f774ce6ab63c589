//! The exchange, the queues and what they do with what nobody takes.

use lapin::{
    Channel, ExchangeKind,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable, ShortString},
};

use super::{
    super::{DEAD_QUEUE, EXCHANGE, Overflow, QueueSettings, Topology},
    fault::Fault,
};

/// Messages in a queue above which it refuses more, for queues that leave the bound to the bus. A broker writes them to
/// disk: this is some 200 MB, minutes of the highest rate. What is beyond waits in the log, and a consumer that is
/// further behind reads it from there faster anyway. Stored state: a queue keeps the bound that it was declared with.
const LENGTH_MAX: usize = 100_000;
/// Dead letters that are kept for people to look at; the oldest give way. Those that are events are in the log still.
const DEAD_LENGTH_MAX: usize = 100_000;
/// Looking at a dead letter and giving it back counts as a delivery, and RabbitMQ 4 drops after 20 unless told otherwise.
const DEAD_DELIVERY_LIMIT: usize = 1_000_000;

/// Makes everything exist. Idempotent. After a refusal the channel is closed, and some may exist.
pub(super) async fn declare(channel: &Channel, topology: &Topology) -> Result<(), Fault> {
    let options = ExchangeDeclareOptions {
        durable: true,
        ..ExchangeDeclareOptions::default()
    };
    channel
        .exchange_declare(
            EXCHANGE.into(),
            ExchangeKind::Topic,
            options,
            FieldTable::default(),
        )
        .await
        .map_err(|error| Fault::of_asking(EXCHANGE, &error))?;
    declare_queue(channel, DEAD_QUEUE, dead_arguments()).await?;
    for queue in &topology.queues {
        declare_queue(channel, &queue.name, arguments(queue)).await?;
        bind(channel, queue).await?;
    }
    Ok(())
}

async fn declare_queue(channel: &Channel, name: &str, arguments: FieldTable) -> Result<(), Fault> {
    let options = QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    };
    let declared = channel.queue_declare(short(name)?, options, arguments).await;
    declared
        .map(|_| ())
        .map_err(|error| Fault::of_asking(name, &error))
}

async fn bind(channel: &Channel, queue: &QueueSettings) -> Result<(), Fault> {
    let (name, pattern) = (short(&queue.name)?, short(&queue.pattern)?);
    let options = QueueBindOptions::default();
    channel
        .queue_bind(name, EXCHANGE.into(), pattern, options, FieldTable::default())
        .await
        .map_err(|error| Fault::of_asking(&queue.name, &error))
}

/// AMQP's names have at most 255 bytes.
pub(super) fn short(name: &str) -> Result<ShortString, Fault> {
    ShortString::try_new(name)
        .map_err(|_| Fault::Misconfigured(format!("{name:?} is too long for a name in RabbitMQ")))
}

fn arguments(queue: &QueueSettings) -> FieldTable {
    let length_max = match queue.overflow {
        Overflow::Refuse => queue.length_max,
        Overflow::ReadTheLog => LENGTH_MAX,
    };
    let mut arguments = quorum();
    // The broker counts what comes again, we count deliveries.
    let again_max = queue.delivery_limit.saturating_sub(1);
    arguments.insert(
        "x-delivery-limit".into(),
        number(usize::try_from(again_max).unwrap_or(usize::MAX)),
    );
    arguments.insert("x-max-length".into(), number(length_max));
    arguments.insert("x-overflow".into(), text("reject-publish"));
    // The exchange without a name leads to the queue of the routing key.
    arguments.insert("x-dead-letter-exchange".into(), text(""));
    arguments.insert("x-dead-letter-routing-key".into(), text(DEAD_QUEUE));
    arguments.insert("x-dead-letter-strategy".into(), text("at-least-once"));
    arguments
}

fn dead_arguments() -> FieldTable {
    let mut arguments = quorum();
    arguments.insert("x-max-length".into(), number(DEAD_LENGTH_MAX));
    arguments.insert("x-overflow".into(), text("drop-head"));
    arguments.insert("x-delivery-limit".into(), number(DEAD_DELIVERY_LIMIT));
    arguments
}

fn quorum() -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), text("quorum"));
    arguments
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

fn number(value: usize) -> AMQPValue {
    AMQPValue::LongLongInt(i64::try_from(value).unwrap_or(i64::MAX))
}
