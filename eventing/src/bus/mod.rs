//! The bus: carries recorded events from the relay to the consumers' queues.
//!
//! Routing is by topic: an event's routing key is `<tag>.<event type>`, and a queue takes the keys its pattern
//! matches. Consumers of one queue compete. A delivery is outstanding until it is acknowledged; it comes again when
//! its consumer disappears or hands it back, and after the queue's delivery limit it goes to [`DEAD_QUEUE`].
//!
//! The bus is a way to be told early, never the truth: a consumer trusts the log. It may lose, double and reorder
//! messages, and that costs time only. What it must not do is stay silent about a message it knows it did not place:
//! [`Confirmation`] tells.
//!
//! [`Bus`] is an enum over adapters. Each passes [`bus_contract!`](crate::bus_contract). Not here: deciding what is
//! published ([`crate::relay`]), and what a message does ([`crate::consumer`]).

mod delivery;
pub mod envelope;
mod in_process;
mod rabbitmq;
mod topology;

use std::{sync::Arc, time::SystemTime};

pub use self::{
    delivery::{Deliveries, Delivery, Malformed, Settled},
    rabbitmq::RabbitMqConfig,
    topology::{Overflow, QueueSettings, TagOf, Topology},
};
use crate::{Position, RecordedEvent};
use in_process::InProcessBus;
use rabbitmq::RabbitMqBus;

/// The topic exchange that all events go through.
pub const EXCHANGE: &str = "segue.events";
/// The queue of messages that were delivered too often, or handed back for good.
pub const DEAD_QUEUE: &str = "segue.dead";

/// A connection to the bus. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Bus {
    /// Queues in this process's memory.
    InProcess(InProcessBus),
    /// Quorum queues of a RabbitMQ broker.
    RabbitMq(RabbitMqBus),
}

impl Bus {
    /// A bus inside this process. Its queues are gone with the process, which costs nothing: consumers catch up from
    /// the log.
    #[must_use]
    pub fn in_process() -> Self {
        Self::InProcess(InProcessBus::default())
    }

    /// A bus by a RabbitMQ broker, 3.10 or newer. Nothing is connected before the first call, which must be made in a
    /// Tokio runtime; from then on a connection that is lost is made again. The queues outlive the process.
    #[must_use]
    pub fn rabbitmq(config: RabbitMqConfig) -> Self {
        Self::RabbitMq(RabbitMqBus::new(config))
    }

    /// Whether the bus can be reached now, for readiness. Asks nobody and waits for nothing.
    #[must_use]
    pub fn status(&self) -> BusStatus {
        match self {
            Self::InProcess(_) => BusStatus::Connected,
            Self::RabbitMq(bus) => bus.status(),
        }
    }

    /// Makes the exchange, queues and bindings of `topology` exist. Idempotent.
    ///
    /// # Errors
    /// - `Conflict`: a queue exists with other settings, and stays as it is. Others may have been declared on a broker.
    /// - `Misconfigured`: the broker does not let us in, or is none. Nothing was declared; it is remembered as after
    ///   `Unavailable`.
    /// - `Unavailable`: some of it may have been declared. It is remembered, and declared before anything is next
    ///   published or consumed: a process may go on to start without its broker.
    pub async fn declare(&self, topology: &Topology) -> Result<(), BusError> {
        match self {
            Self::InProcess(bus) => bus.declare(topology),
            Self::RabbitMq(bus) => bus.declare(topology).await,
        }
    }

    /// Tells the queues that publishing starts after `position`: what lies at or below it will not come by the bus.
    /// A broker does not ask.
    ///
    /// # Errors
    /// - `Unavailable`: nothing is changed.
    pub async fn begin_after(&self, position: Position) -> Result<(), BusError> {
        match self {
            Self::InProcess(bus) => bus.begin_after(position),
            Self::RabbitMq(_) => {}
        }
        Ok(())
    }

    /// Publishes `events`, which are in position order, and answers what became of each, in their order.
    ///
    /// Not cancel-safe in the sense that some may have been published; publishing them again only makes duplicates.
    ///
    /// # Errors
    /// - `NotDeclared`: no topology was declared. Nothing was published.
    /// - `Conflict`, `Misconfigured`: as for [`Bus::declare`]. Nothing was published.
    /// - `Unavailable`: any of them may have been published.
    pub async fn publish(&self, events: &[Arc<RecordedEvent>]) -> Result<Vec<Confirmation>, BusError> {
        match self {
            Self::InProcess(bus) => bus.publish(events),
            Self::RabbitMq(bus) => bus.publish(events).await,
        }
    }

    /// Becomes a consumer of `queue` with at most `prefetch` unacknowledged deliveries at a time.
    ///
    /// # Errors
    /// - `NotDeclared`: there is no such queue.
    /// - `Conflict`, `Misconfigured`: as for [`Bus::declare`].
    /// - `Unavailable`: try again.
    pub async fn consume(&self, queue: &str, prefetch: usize) -> Result<Deliveries, BusError> {
        match self {
            Self::InProcess(bus) => bus.consume(queue, prefetch).map(Deliveries::in_process),
            Self::RabbitMq(bus) => bus.consume(queue, prefetch).await.map(Deliveries::rabbitmq),
        }
    }

    /// How many messages `queue` holds.
    ///
    /// # Errors
    /// - `NotDeclared`: there is no such queue.
    /// - `Misconfigured`: as for [`Bus::declare`].
    /// - `Unavailable`: try again.
    pub async fn depth(&self, queue: &str) -> Result<Depth, BusError> {
        match self {
            Self::InProcess(bus) => bus.depth(queue),
            Self::RabbitMq(bus) => bus.depth(queue).await,
        }
    }
}

/// What became of one published event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmation {
    /// Every queue whose pattern matches will let a consumer know of it.
    Ok,
    /// The topology has no tag for this event: it is meant for no queue.
    Untagged,
    /// It is in no queue, for none matched. It is **not** published.
    Unroutable,
    /// A queue did not take it, for it is full. It is **not** published; others may have taken it.
    Refused,
    /// It is too large for a broker and is never published: consumers find it in the log when they next look there.
    LeftToTheLog,
}

/// Whether the bus can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BusStatus {
    /// As far as is known.
    Connected,
    /// Not now; it is tried again all the time.
    Disconnected {
        /// Since when.
        since: SystemTime,
        /// Why, in a sentence for people, without the password.
        why: String,
    },
}

impl BusStatus {
    fn disconnected(since: SystemTime, why: &str) -> Self {
        Self::Disconnected {
            since,
            why: why.to_owned(),
        }
    }
}

/// How many messages a queue holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Depth {
    /// Waiting for a consumer.
    pub ready: usize,
    /// With a consumer, not acknowledged; nothing when the bus does not tell, as RabbitMQ by AMQP.
    pub unacknowledged: Option<usize>,
}

/// The bus could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// There is no such queue, or no topology at all. Declare it first.
    #[error("the bus has no queue `{0}`")]
    NotDeclared(String),
    /// A queue or exchange exists with other settings, as another version of this program made it. A person must decide.
    #[error(
        "`{name}` exists on the bus with other settings ({said}): stop publishing, let it run empty, delete it, and start \
         again; consumers read from the log whatever it still held"
    )]
    Conflict {
        /// Its name.
        name: String,
        /// What differs, in the bus's words.
        said: String,
    },
    /// The broker refuses us, or is no broker. A person must change what the text names.
    #[error("{0}")]
    Misconfigured(String),
    /// The broker did not answer. Try again.
    #[error("the bus did not answer")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}
