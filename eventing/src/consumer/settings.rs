//! The bounds a consumer keeps.

use std::time::Duration;

/// A large batch puts off the next by so much for each of its events. While fewer than 5,000 a second come, what gathers in the
/// shortest interval is too little to make the next one longer; when more come it grows to the longest, since then transactions
/// of the view store take much of the machine.
const EVENT_INTERVAL: Duration = Duration::from_micros(200);

/// A consumer's bounds. The defaults suit both stacks; tests shorten the times.
#[derive(Debug, Clone)]
pub struct ConsumerSettings {
    /// Unacknowledged deliveries at a time: two batches, so that one can fill while the other is handled.
    pub prefetch: usize,
    /// Deliveries handled together, in one transaction of the view store.
    pub batch_max: usize,
    /// Deliveries in one batch from which on the queue counts as busy.
    pub busy_from: usize,
    /// While the queue is busy, batches begin at least this far apart: what gathers meanwhile shares one transaction
    /// and one reading and writing of each view. Readers that wait for a position wait this much longer.
    pub busy_interval: Duration,
    /// How far apart batches begin at most, when so much comes that sharing saves more than waiting costs. Readers that wait
    /// for a position wait this much longer then.
    pub busy_interval_max: Duration,
    /// Events read from the log at once when catching up: large enough to make a commit's cost disappear.
    pub catch_up_batch: usize,
    /// About how often the log is asked for what no message told.
    pub heal_every: Duration,
    /// The same while the checkpoint trails the log's head on a bus that knows no positions: readers that wait for a
    /// position wait this much longer. Each look reads what came since the last one of any replica.
    pub trail_every: Duration,
    /// How often at most the checkpoint is stored while live. Readers that wait for a position wait this much longer.
    pub checkpoint_every: Duration,
    /// How often retries and skips that people ask for are looked up.
    pub look_every: Duration,
    /// Failed attempts at one event after which its stream is parked.
    pub attempts_max: u32,
    /// The wait after a first failure; it doubles with each further one.
    pub backoff_min: Duration,
    /// The longest wait.
    pub backoff_max: Duration,
    /// Streams that may wait at a time; beyond, nothing new is taken until some are through.
    pub waiting_max: usize,
}

impl Default for ConsumerSettings {
    fn default() -> Self {
        Self {
            prefetch: 1_024,
            batch_max: 512,
            busy_from: 16,
            busy_interval: Duration::from_millis(20),
            busy_interval_max: Duration::from_millis(50),
            catch_up_batch: 4_096,
            heal_every: Duration::from_secs(5),
            trail_every: Duration::from_millis(250),
            checkpoint_every: Duration::from_millis(20),
            look_every: Duration::from_secs(1),
            attempts_max: 8,
            backoff_min: Duration::from_millis(200),
            backoff_max: Duration::from_secs(30),
            waiting_max: 1_000,
        }
    }
}

impl ConsumerSettings {
    /// How long after the beginning of a batch of so many events the next may begin. One that was full had more behind it.
    pub(super) fn interval_after(&self, events: usize) -> Duration {
        if !(self.busy_from..self.batch_max).contains(&events) {
            return Duration::ZERO;
        }
        let share = EVENT_INTERVAL.saturating_mul(u32::try_from(events).unwrap_or(u32::MAX));
        share.min(self.busy_interval_max).max(self.busy_interval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_draw_apart_as_events_come_faster_and_nothing_waits_behind_a_full_one() {
        let settings = ConsumerSettings::default();
        let after = |events| settings.interval_after(events).as_millis();
        assert_eq!([0, 1, 15].map(after), [0; 3]);
        assert_eq!([16, 50, 100].map(after), [20; 3]);
        assert_eq!([150, 200, 250, 511].map(after), [30, 40, 50, 50]);
        assert_eq!([512, 1_024].map(after), [0; 2]);
    }
}
