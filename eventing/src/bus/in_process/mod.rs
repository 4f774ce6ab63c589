//! The bus of the embedded stack: queues in memory, with the broker's contract.

mod queue;

use std::{fmt, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::Notify;

use self::queue::{Placed, Queue, Returned};
use super::{
    BusError, Confirmation, DEAD_QUEUE, Delivery, Depth, Overflow, QueueSettings, Settled, TagOf, Topology,
    topology::matches,
};
use crate::{Position, RecordedEvent};

/// Dead messages kept in memory; the oldest give way, since the log still has them.
const DEAD_LENGTH_MAX: usize = 1_000;

/// Queues in this process's memory. Cheap to clone.
#[derive(Clone, Default)]
pub struct InProcessBus(Arc<Mutex<Broker>>);

impl fmt::Debug for InProcessBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InProcessBus").finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Broker {
    tag_of: Option<TagOf>,
    queues: Vec<Queue>,
    dead: Option<Queue>,
    next_consumer: u64,
}

impl InProcessBus {
    pub(super) fn declare(&self, topology: &Topology) -> Result<(), BusError> {
        self.0.lock().declare(topology)
    }

    pub(super) fn begin_after(&self, position: Position) {
        for queue in &mut self.0.lock().queues {
            queue.begin_after(position);
        }
    }

    pub(super) fn publish(&self, events: &[Arc<RecordedEvent>]) -> Result<Vec<Confirmation>, BusError> {
        self.0.lock().publish(events)
    }

    pub(super) fn depth(&self, queue: &str) -> Result<Depth, BusError> {
        Ok(self.0.lock().queue(queue)?.depth())
    }

    pub(super) fn consume(&self, queue: &str, prefetch: usize) -> Result<InProcessConsumer, BusError> {
        let mut broker = self.0.lock();
        let changed = broker.queue(queue)?.changed();
        broker.next_consumer += 1;
        let place = Place {
            bus: self.clone(),
            queue: queue.into(),
            consumer: broker.next_consumer,
        };
        Ok(InProcessConsumer {
            place,
            changed,
            prefetch: prefetch.max(1),
            told: None,
        })
    }
}

impl Broker {
    fn declare(&mut self, topology: &Topology) -> Result<(), BusError> {
        for wanted in &topology.queues {
            match self
                .queues
                .iter()
                .find(|queue| queue.settings.name == wanted.name)
            {
                Some(queue) if queue.settings != *wanted => {
                    return Err(BusError::Conflict {
                        name: wanted.name.clone(),
                        said: "the bus of this process has it already".to_owned(),
                    });
                }
                _ => {}
            }
        }
        for wanted in &topology.queues {
            if !self.queues.iter().any(|queue| queue.settings.name == wanted.name) {
                self.queues.push(Queue::new(wanted.clone()));
            }
        }
        self.dead.get_or_insert_with(|| Queue::new(dead_settings()));
        self.tag_of = Some(topology.tag_of);
        Ok(())
    }

    fn queue(&mut self, name: &str) -> Result<&mut Queue, BusError> {
        self.queues
            .iter_mut()
            .chain(&mut self.dead)
            .find(|queue| queue.settings.name == name)
            .ok_or_else(|| BusError::NotDeclared(name.to_owned()))
    }

    fn publish(&mut self, events: &[Arc<RecordedEvent>]) -> Result<Vec<Confirmation>, BusError> {
        let tag_of = self
            .tag_of
            .ok_or_else(|| BusError::NotDeclared(super::EXCHANGE.to_owned()))?;
        let mut contiguous = true;
        let mut confirmations = Vec::with_capacity(events.len());
        for event in events {
            let confirmation = self.route(tag_of(&event.stream), event);
            contiguous &= matches!(confirmation, Confirmation::Ok | Confirmation::Untagged);
            if contiguous {
                self.queues
                    .iter_mut()
                    .for_each(|queue| queue.knows(event.position));
            }
            confirmations.push(confirmation);
        }
        self.queues.iter().for_each(Queue::notify);
        Ok(confirmations)
    }

    fn route(&mut self, tag: Option<&str>, event: &Arc<RecordedEvent>) -> Confirmation {
        let Some(tag) = tag else {
            return Confirmation::Untagged;
        };
        let key = format!("{tag}.{}", event.event_type);
        let mut confirmation = Confirmation::Unroutable;
        for queue in self
            .queues
            .iter_mut()
            .filter(|queue| matches(&queue.settings.pattern, &key))
        {
            match queue.place(Arc::clone(event)) {
                Placed::Refused => confirmation = Confirmation::Refused,
                Placed::Kept | Placed::LeftToTheLog if confirmation != Confirmation::Refused => {
                    confirmation = Confirmation::Ok;
                }
                Placed::Kept | Placed::LeftToTheLog => {}
            }
        }
        confirmation
    }

    fn bury(&mut self, event: Arc<RecordedEvent>) {
        if let Some(dead) = &mut self.dead {
            dead.make_room();
            dead.place(event);
            dead.notify();
        }
    }
}

fn dead_settings() -> QueueSettings {
    QueueSettings {
        name: DEAD_QUEUE.to_owned(),
        pattern: String::new(),
        delivery_limit: u32::MAX,
        length_max: DEAD_LENGTH_MAX,
        overflow: Overflow::Refuse,
    }
}

/// Which queue, and which consumer of it.
#[derive(Debug, Clone)]
struct Place {
    bus: InProcessBus,
    queue: Arc<str>,
    consumer: u64,
}

impl Place {
    /// Runs `change` on the queue, buries what that returns, and wakes those who wait.
    fn change(&self, change: impl FnOnce(&mut Queue) -> Vec<Returned>) {
        let mut broker = self.bus.0.lock();
        let Ok(queue) = broker.queue(&self.queue) else {
            return;
        };
        let returned = change(queue);
        queue.notify();
        if &*self.queue != DEAD_QUEUE {
            returned
                .into_iter()
                .for_each(|Returned(event)| broker.bury(event));
        }
    }
}

/// One consumer of one queue.
#[derive(Debug)]
pub(super) struct InProcessConsumer {
    place: Place,
    changed: Arc<Notify>,
    prefetch: usize,
    told: Option<Settled>,
}

impl InProcessConsumer {
    pub(super) async fn next(&mut self, max: usize) -> Vec<Delivery> {
        let changed = Arc::clone(&self.changed);
        loop {
            let waiting = changed.notified();
            tokio::pin!(waiting);
            waiting.as_mut().enable();
            if let Some(deliveries) = self.take(max) {
                return deliveries;
            }
            waiting.await;
        }
    }

    pub(super) fn settled(&self) -> Option<Settled> {
        let mut broker = self.place.bus.0.lock();
        broker.queue(&self.place.queue).ok()?.settled()
    }

    /// What there is to say now, if anything.
    fn take(&mut self, max: usize) -> Option<Vec<Delivery>> {
        let mut broker = self.place.bus.0.lock();
        let queue = broker.queue(&self.place.queue).ok()?;
        let taken = queue.take(self.place.consumer, max, self.prefetch);
        let settled = queue.settled();
        drop(broker);
        if taken.is_empty() && settled == self.told {
            return None;
        }
        self.told = settled;
        Some(taken.into_iter().map(|taken| self.delivery(taken)).collect())
    }

    fn delivery(&self, taken: queue::Taken) -> Delivery {
        let receipt = Receipt {
            place: self.place.clone(),
            sequence: taken.sequence,
        };
        Delivery::in_process(taken.event, taken.attempt, receipt)
    }
}

impl Drop for InProcessConsumer {
    fn drop(&mut self) {
        self.place
            .change(|queue| queue.consumer_left(self.place.consumer));
    }
}

/// The right to acknowledge one delivery, as long as its consumer lives.
#[derive(Debug)]
pub(super) struct Receipt {
    place: Place,
    sequence: u64,
}

impl Receipt {
    pub(super) fn ack(self) {
        self.place.change(|queue| {
            queue.acknowledge(self.place.consumer, self.sequence);
            Vec::new()
        });
    }

    pub(super) fn nack(self, requeue: bool) {
        self.place.change(|queue| {
            queue
                .give_back(self.place.consumer, self.sequence, requeue)
                .into_iter()
                .collect()
        });
    }
}
