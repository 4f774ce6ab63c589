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
mod in_process;
mod topology;

use std::sync::Arc;

pub use self::{
    delivery::{Deliveries, Delivery, Malformed, Settled},
    topology::{Overflow, QueueSettings, TagOf, Topology},
};
use crate::{Position, RecordedEvent};
use in_process::InProcessBus;

/// The topic exchange that all events go through.
pub const EXCHANGE: &str = "segue.events";
/// The queue of messages that were delivered too often, or handed back for good.
pub const DEAD_QUEUE: &str = "segue.dead";

/// A connection to the bus. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Bus {
    /// Queues in this process's memory.
    InProcess(InProcessBus),
}

impl Bus {
    /// A bus inside this process. Its queues are gone with the process, which costs nothing: consumers catch up from
    /// the log.
    #[must_use]
    pub fn in_process() -> Self {
        Self::InProcess(InProcessBus::default())
    }

    /// Makes the exchange, queues and bindings of `topology` exist. Idempotent.
    ///
    /// # Errors
    /// - `Conflict`: a queue exists with other settings. Nothing was declared.
    /// - `Unavailable`: some of it may have been declared. Declare again.
    pub async fn declare(&self, topology: &Topology) -> Result<(), BusError> {
        match self {
            Self::InProcess(bus) => bus.declare(topology),
        }
    }

    /// Tells the queues that publishing starts after `position`: what lies at or below it will not come by the bus.
    ///
    /// # Errors
    /// - `Unavailable`: nothing is changed.
    pub async fn begin_after(&self, position: Position) -> Result<(), BusError> {
        match self {
            Self::InProcess(bus) => bus.begin_after(position),
        }
        Ok(())
    }

    /// Publishes `events`, which are in position order, and answers what became of each, in their order.
    ///
    /// Not cancel-safe in the sense that some may have been published; publishing them again only makes duplicates.
    ///
    /// # Errors
    /// - `NotDeclared`: no topology was declared. Nothing was published.
    /// - `Unavailable`: any of them may have been published.
    pub async fn publish(&self, events: &[Arc<RecordedEvent>]) -> Result<Vec<Confirmation>, BusError> {
        match self {
            Self::InProcess(bus) => bus.publish(events),
        }
    }

    /// Becomes a consumer of `queue` with at most `prefetch` unacknowledged deliveries at a time.
    ///
    /// # Errors
    /// - `NotDeclared`: there is no such queue.
    /// - `Unavailable`: try again.
    pub async fn consume(&self, queue: &str, prefetch: usize) -> Result<Deliveries, BusError> {
        match self {
            Self::InProcess(bus) => bus.consume(queue, prefetch).map(Deliveries::in_process),
        }
    }

    /// How many messages `queue` holds.
    ///
    /// # Errors
    /// - `NotDeclared`: there is no such queue.
    /// - `Unavailable`: try again.
    pub async fn depth(&self, queue: &str) -> Result<Depth, BusError> {
        match self {
            Self::InProcess(bus) => bus.depth(queue),
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
}

/// How many messages a queue holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Depth {
    /// Waiting for a consumer.
    pub ready: usize,
    /// With a consumer, not acknowledged.
    pub unacknowledged: usize,
}

/// The bus could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// There is no such queue, or no topology at all. Declare it first.
    #[error("the bus has no queue `{0}`")]
    NotDeclared(String),
    /// The queue exists with other settings. A person must decide.
    #[error("the queue `{0}` exists with other settings")]
    Conflict(String),
    /// The broker did not answer. Connect again, then try again.
    #[error("the bus did not answer")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}
