//! One window of messages: published together, then confirmed together.

use std::sync::Arc;

use lapin::{
    BasicProperties, Channel, PublisherConfirm,
    options::BasicPublishOptions,
    types::{AMQPValue, FieldTable, ShortString},
};

use super::super::{Confirmation, EXCHANGE, Topology, envelope};
use crate::RecordedEvent;

/// AMQP's number for "write it to disk".
const PERSISTENT: u8 = 2;

/// Publishes `events` on a channel that confirms, and waits until the broker has answered for each.
pub(super) async fn publish(
    channel: &Channel,
    topology: &Topology,
    events: &[Arc<RecordedEvent>],
) -> Result<Vec<Confirmation>, lapin::Error> {
    let mut sent = Vec::with_capacity(events.len());
    for event in events {
        sent.push(send(channel, topology, event).await?);
    }
    let mut confirmations = Vec::with_capacity(sent.len());
    for sent in sent {
        confirmations.push(match sent {
            Sent::Not(confirmation) => confirmation,
            Sent::To(confirm) => told(&confirm.await?),
        });
    }
    Ok(confirmations)
}

enum Sent {
    Not(Confirmation),
    To(PublisherConfirm),
}

async fn send(
    channel: &Channel,
    topology: &Topology,
    event: &Arc<RecordedEvent>,
) -> Result<Sent, lapin::Error> {
    let Some(key) = topology.routing_key(event) else {
        return Ok(Sent::Not(Confirmation::Untagged));
    };
    let body = envelope::write(event);
    let Ok(key) = ShortString::try_new(key) else {
        return Ok(Sent::Not(Confirmation::LeftToTheLog));
    };
    if body.len() > envelope::MESSAGE_BYTES_MAX {
        return Ok(Sent::Not(Confirmation::LeftToTheLog));
    }
    // Without `mandatory` a message that no queue takes is confirmed like any other.
    let options = BasicPublishOptions {
        mandatory: true,
        ..BasicPublishOptions::default()
    };
    let publishing = channel.basic_publish(EXCHANGE.into(), key, options, &body, properties(event));
    publishing.await.map(Sent::To)
}

fn told(confirmation: &lapin::Confirmation) -> Confirmation {
    match confirmation {
        lapin::Confirmation::Ack(None) => Confirmation::Ok,
        // Confirmed, and returned: it is in no queue.
        lapin::Confirmation::Ack(Some(_)) => Confirmation::Unroutable,
        lapin::Confirmation::Nack(_) | lapin::Confirmation::NotRequested => Confirmation::Refused,
    }
}

fn properties(event: &RecordedEvent) -> BasicProperties {
    BasicProperties::default()
        .with_content_type(envelope::CONTENT_TYPE.into())
        .with_delivery_mode(PERSISTENT)
        .with_message_id(event.id.to_string().into())
        .with_headers(headers(event))
}

/// What people look at in the broker's own tools; consumers read the body.
fn headers(event: &RecordedEvent) -> FieldTable {
    let text = |value: String| AMQPValue::LongString(value.into());
    let number = |value: u64| AMQPValue::LongLongInt(i64::try_from(value).unwrap_or(i64::MAX));
    let mut headers = FieldTable::default();
    headers.insert("position".into(), number(event.position.0));
    headers.insert("stream".into(), text(event.stream.to_string()));
    headers.insert("version".into(), number(event.version.0));
    headers.insert("correlation".into(), text(event.correlation_id.to_string()));
    if let Some(cause) = event.causation_id {
        headers.insert("causation".into(), text(cause.to_string()));
    }
    if let Some(trace) = &event.traceparent {
        headers.insert("traceparent".into(), text(trace.clone()));
    }
    headers
}
