//! What a broker can do without us: the peer that benchmarks run beside the relay, and a look at its queues.

use std::collections::VecDeque;
use std::time::Instant;

use lapin::options::{
    BasicGetOptions, BasicNackOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions,
    QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, PublisherConfirm};

/// The queue that the peer publishes to; in a virtual host of its own it disturbs nobody.
const QUEUE: &str = "plain";
/// AMQP's number for "write it to disk".
const PERSISTENT: u8 = 2;

/// The broker did not do as it was asked. Nothing of ours depends on what it did: try another broker, or again.
#[derive(Debug, thiserror::Error)]
pub enum PlainBrokerError {
    /// It is away, or refused; what was sent to it may have arrived.
    #[error("the broker does not do as it is asked")]
    Broker(#[from] lapin::Error),
    /// It refused a message, or returned it because no queue takes it.
    #[error("the broker did not take a message")]
    NotTaken,
    /// There is no message to look at.
    #[error("the queue {0} is empty")]
    Empty(String),
}

/// Messages a second that the broker at `url` takes and confirms, each persistent and mandatory, of `message_bytes` bytes, to
/// one durable quorum queue, with up to `window` of them unconfirmed. `messages` are sent; the queue is deleted at the end.
///
/// # Errors
/// [`PlainBrokerError`]: some may lie in the queue still.
pub async fn plain_broker_rate(
    url: &str,
    message_bytes: usize,
    messages: usize,
    window: usize,
) -> Result<f64, PlainBrokerError> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    channel
        .queue_declare(QUEUE.into(), QueueDeclareOptions::durable(), arguments)
        .await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let began = Instant::now();
    publish(&channel, &vec![b'x'; message_bytes], messages, window.max(1)).await?;
    let rate = messages as f64 / began.elapsed().as_secs_f64();
    channel
        .queue_delete(QUEUE.into(), QueueDeleteOptions::default())
        .await?;
    connection.close(200, "done".into()).await?;
    Ok(rate)
}

async fn publish(
    channel: &Channel,
    body: &[u8],
    messages: usize,
    window: usize,
) -> Result<(), PlainBrokerError> {
    let options = BasicPublishOptions {
        mandatory: true,
        ..BasicPublishOptions::default()
    };
    let properties = BasicProperties::default().with_delivery_mode(PERSISTENT);
    let mut unconfirmed = VecDeque::with_capacity(window);
    for _ in 0..messages {
        if unconfirmed.len() == window {
            taken(unconfirmed.pop_front()).await?;
        }
        let publishing = channel.basic_publish("".into(), QUEUE.into(), options, body, properties.clone());
        unconfirmed.push_back(publishing.await?);
    }
    while !unconfirmed.is_empty() {
        taken(unconfirmed.pop_front()).await?;
    }
    Ok(())
}

async fn taken(oldest: Option<PublisherConfirm>) -> Result<(), PlainBrokerError> {
    let Some(oldest) = oldest else { return Ok(()) };
    match oldest.await? {
        Confirmation::Ack(None) => Ok(()),
        Confirmation::Ack(Some(_)) | Confirmation::Nack(_) | Confirmation::NotRequested => {
            Err(PlainBrokerError::NotTaken)
        }
    }
}

/// A look at the queues of a broker.
#[derive(Debug)]
pub struct QueueWatch {
    /// The channel ends with it.
    _connection: Connection,
    channel: Channel,
}

impl QueueWatch {
    /// Connects to the broker at `url`.
    ///
    /// # Errors
    /// [`PlainBrokerError::Broker`]: it is away, or refused.
    pub async fn connect(url: &str) -> Result<Self, PlainBrokerError> {
        let connection = Connection::connect(url, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        Ok(Self {
            _connection: connection,
            channel,
        })
    }

    /// How many messages of `queue` wait for somebody to take them.
    ///
    /// # Errors
    /// [`PlainBrokerError::Broker`]: it is away, or has no such queue; connect again then.
    pub async fn waiting(&self, queue: &str) -> Result<u32, PlainBrokerError> {
        let options = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        let declared = self
            .channel
            .queue_declare(queue.into(), options, FieldTable::default());
        Ok(declared.await?.message_count())
    }

    /// How long the body of the next message of `queue` is. The message is taken and given back: it counts as
    /// delivered once, and is missing for a moment.
    ///
    /// # Errors
    /// - `Broker`: it is away, or has no such queue; connect again then. The message is in the queue again.
    /// - `Empty`: nothing waits there.
    pub async fn message_bytes(&self, queue: &str) -> Result<usize, PlainBrokerError> {
        let getting = self.channel.basic_get(queue.into(), BasicGetOptions::default());
        let Some(message) = getting.await? else {
            return Err(PlainBrokerError::Empty(queue.to_owned()));
        };
        let again = BasicNackOptions {
            requeue: true,
            ..BasicNackOptions::default()
        };
        message.delivery.acker.nack(again).await?;
        Ok(message.delivery.data.len())
    }
}

#[cfg(test)]
mod tests {
    use servers::RabbitMq;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn the_peer_publishes_all_and_leaves_no_queue_and_a_look_takes_nothing_away() {
        let broker = RabbitMq::start().await.expect("a broker");
        let url = broker.url(&broker.new_vhost().expect("a virtual host"));
        let rate = plain_broker_rate(&url, 700, 50, 10).await.expect("a rate");
        assert!(rate > 0.0);
        let gone = QueueWatch::connect(&url).await.expect("a connection");
        assert!(gone.waiting(QUEUE).await.is_err(), "the queue is left behind");

        let connection = Connection::connect(&url, ConnectionProperties::default())
            .await
            .expect("a connection");
        let channel = connection.create_channel().await.expect("a channel");
        let options = ConfirmSelectOptions::default();
        channel.confirm_select(options).await.expect("confirms");
        let lost = publish(&channel, b"nobody takes it", 1, 1).await;
        assert!(matches!(lost, Err(PlainBrokerError::NotTaken)), "{lost:?}");
        let durable = QueueDeclareOptions::durable();
        let declared = channel.queue_declare(QUEUE.into(), durable, FieldTable::default());
        declared.await.expect("a queue");
        publish(&channel, b"nineteen bytes long", 3, 2)
            .await
            .expect("published");

        let watch = QueueWatch::connect(&url).await.expect("a connection");
        assert_eq!(watch.message_bytes(QUEUE).await.ok(), Some(19));
        let began = Instant::now();
        while watch.waiting(QUEUE).await.expect("an answer") < 3 {
            assert!(began.elapsed().as_secs() < 10, "the message did not come back");
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }
}
