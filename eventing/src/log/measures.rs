//! What the appender says of its work, for whoever watches the process.

use std::time::Duration;

use prometheus_client::metrics::{counter::Counter, histogram::Histogram};
use prometheus_client::registry::{Registry, Unit};

/// Appends in one transaction; the last bound is the most that one takes.
const BATCH_BOUNDS: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];
/// From a disk with a cache that survives power cuts to one that nearly hangs.
const DURATION_BOUNDS_S: [f64; 12] = [
    0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0,
];

/// Counts of this process's appends. Cheap to clone; every clone counts the same.
#[derive(Debug, Clone)]
pub struct AppendMeasures {
    batch: Histogram,
    duration: Histogram,
    failures: Counter,
}

impl AppendMeasures {
    pub(super) fn new() -> Self {
        Self {
            batch: Histogram::new(BATCH_BOUNDS),
            duration: Histogram::new(DURATION_BOUNDS_S),
            failures: Counter::default(),
        }
    }

    /// A transaction of `appends` is durable, `took` after it began.
    pub(super) fn committed(&self, appends: usize, took: Duration) {
        self.batch.observe(appends as f64);
        self.duration.observe(took.as_secs_f64());
    }

    /// A transaction failed as a whole, or was not answered.
    pub(super) fn failed(&self) {
        self.failures.inc();
    }

    /// Makes `registry` tell these: `append_batch_size`, `append_duration_seconds` and `append_failures_total`.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "append_batch_size",
            "Appends that shared one transaction of the log",
            self.batch.clone(),
        );
        registry.register_with_unit(
            "append_duration",
            "From the beginning of a transaction of the log until it was durable, with the wait for the one it was sent behind",
            Unit::Seconds,
            self.duration.clone(),
        );
        registry.register(
            "append_failures",
            "Transactions of the log that failed as a whole or were not answered",
            self.failures.clone(),
        );
    }
}
