//! A subscription that comes back: while the bus is away, its consumer goes on by the log.

use std::{
    pin::Pin,
    time::{Duration, Instant},
};

use super::waiting::backoff;
use crate::{
    bus::{Bus, BusError, Deliveries, Delivery, Settled},
    jitter,
};

/// The wait before the bus is asked again; it doubles up to [`BACKOFF_MAX`].
const BACKOFF_MIN: Duration = Duration::from_millis(50);
/// The longest wait: a bus that is back is noticed this soon.
const BACKOFF_MAX: Duration = Duration::from_secs(2);

/// The consumer's side of its queue, whether it is there now or not.
pub(super) struct Subscription {
    bus: Bus,
    queue: String,
    prefetch: usize,
    state: State,
    failures: u32,
}

enum State {
    Open(Deliveries),
    Opening(Opening),
    Resting(Instant),
}

type Opening = Pin<Box<dyn Future<Output = Result<Deliveries, BusError>> + Send>>;

impl Subscription {
    pub(super) fn new(bus: Bus, queue: String, prefetch: usize) -> Self {
        Self {
            bus,
            queue,
            prefetch,
            state: State::Resting(Instant::now()),
            failures: 0,
        }
    }

    /// Waits until the queue has something to say, subscribing first if need be. Cancel-safe.
    ///
    /// # Errors
    /// As [`Bus::consume`] and [`Deliveries::next`]. The next call tries again, after a wait that it makes itself.
    pub(super) async fn next(&mut self, max: usize) -> Result<Vec<Delivery>, BusError> {
        loop {
            let answer = match &mut self.state {
                State::Open(deliveries) => deliveries.next(max).await.map(Some),
                State::Opening(opening) => opening.await.map(|deliveries| {
                    self.failures = 0;
                    self.state = State::Open(deliveries);
                    None
                }),
                State::Resting(until) => {
                    tokio::time::sleep_until((*until).into()).await;
                    self.state = State::Opening(self.opening());
                    continue;
                }
            };
            match answer {
                Ok(Some(batch)) => return Ok(batch),
                Ok(None) => {}
                Err(error) => {
                    self.rest();
                    return Err(error);
                }
            }
        }
    }

    /// What the queue can vouch for; nothing while there is none, or on a broker.
    pub(super) fn settled(&self) -> Option<Settled> {
        match &self.state {
            State::Open(deliveries) => deliveries.settled(),
            _ => None,
        }
    }

    fn opening(&self) -> Opening {
        let (bus, queue, prefetch) = (self.bus.clone(), self.queue.clone(), self.prefetch);
        Box::pin(async move { bus.consume(&queue, prefetch).await })
    }

    fn rest(&mut self) {
        self.failures += 1;
        let wait = backoff(self.failures, Duration::ZERO, BACKOFF_MIN, BACKOFF_MAX);
        self.state = State::Resting(Instant::now() + wait / 2 + jitter::up_to(wait / 2));
    }
}
