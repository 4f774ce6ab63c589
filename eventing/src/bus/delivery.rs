//! A consumer's side of a queue.

use std::sync::Arc;

use super::{
    BusError,
    in_process::{InProcessConsumer, Receipt},
    rabbitmq::{self, RabbitMqConsumer},
};
use crate::{Position, RecordedEvent};

/// One consumer's deliveries from one queue. Dropping it gives back everything unacknowledged.
#[derive(Debug)]
pub struct Deliveries(Source);

#[derive(Debug)]
enum Source {
    InProcess(InProcessConsumer),
    RabbitMq(Box<RabbitMqConsumer>),
}

impl Deliveries {
    pub(super) fn rabbitmq(consumer: RabbitMqConsumer) -> Self {
        Self(Source::RabbitMq(Box::new(consumer)))
    }

    pub(super) fn in_process(consumer: InProcessConsumer) -> Self {
        Self(Source::InProcess(consumer))
    }

    /// Waits until the queue has something to say, then takes at most `max` deliveries, the oldest first.
    ///
    /// The answer is empty when only [`Deliveries::settled`] has changed. Cancel-safe: nothing is taken by a call that
    /// did not return.
    ///
    /// # Errors
    /// - `Unavailable`: the connection is gone, and every unacknowledged delivery of it comes again, here or elsewhere.
    pub async fn next(&mut self, max: usize) -> Result<Vec<Delivery>, BusError> {
        match &mut self.0 {
            Source::InProcess(consumer) => Ok(consumer.next(max).await),
            Source::RabbitMq(consumer) => consumer.next(max).await,
        }
    }

    /// What the queue can vouch for; nothing on a broker, which does not know positions.
    #[must_use]
    pub fn settled(&self) -> Option<Settled> {
        match &self.0 {
            Source::InProcess(consumer) => consumer.settled(),
            Source::RabbitMq(_) => None,
        }
    }
}

/// A queue's word that every event above `after`, up to and including `to`, that it was to take was acknowledged by
/// some consumer. So a consumer whose checkpoint is at or above `after` may raise it to `to`; one whose checkpoint is
/// below `after` has to read the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    /// What lies at or below did not all come by this queue.
    pub after: Position,
    /// The highest position of which the queue knows; at least `after`.
    pub to: Position,
}

/// One attempt to have a message handled. Dropping it leaves it unacknowledged.
#[derive(Debug)]
pub struct Delivery {
    /// What is delivered.
    pub content: Result<Arc<RecordedEvent>, Malformed>,
    /// 1 for the first attempt, as far as the bus knows.
    pub attempt: u32,
    acker: Acker,
}

/// A message that is not a recorded event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the message is not a recorded event: {0}")]
pub struct Malformed(pub String);

#[derive(Debug)]
enum Acker {
    InProcess(Receipt),
    RabbitMq(rabbitmq::Receipt),
}

impl Delivery {
    pub(super) fn in_process(event: Arc<RecordedEvent>, attempt: u32, receipt: Receipt) -> Self {
        Self {
            content: Ok(event),
            attempt,
            acker: Acker::InProcess(receipt),
        }
    }

    pub(super) fn rabbitmq(
        content: Result<Arc<RecordedEvent>, Malformed>,
        attempt: u32,
        receipt: rabbitmq::Receipt,
    ) -> Self {
        Self {
            content,
            attempt,
            acker: Acker::RabbitMq(receipt),
        }
    }

    /// Whether it never left this process, so that its event is surely one that this process's relay read from the log.
    pub(crate) fn is_of_this_process(&self) -> bool {
        matches!(self.acker, Acker::InProcess(_))
    }

    /// Acknowledges: the message never comes again by this queue. Call it when the effect is stored.
    ///
    /// # Errors
    /// - `Unavailable`: the message may come again.
    pub async fn ack(self) -> Result<(), BusError> {
        match self.acker {
            Acker::InProcess(receipt) => receipt.ack(),
            Acker::RabbitMq(receipt) => return receipt.ack(),
        }
        Ok(())
    }

    /// Gives the message back: to the queue when `requeue`, unless it has reached the delivery limit; otherwise to the
    /// dead letters. It comes again soon, at its old place if nothing else was given back.
    ///
    /// # Errors
    /// - `Unavailable`: the message may come again.
    pub async fn nack(self, requeue: bool) -> Result<(), BusError> {
        match self.acker {
            Acker::InProcess(receipt) => receipt.nack(requeue),
            Acker::RabbitMq(receipt) => return receipt.nack(requeue),
        }
        Ok(())
    }
}
