//! How a consumer ends.

use super::HaltReason;
use crate::{StreamId, Version, bus::BusError};

/// A consumer stopped though nobody asked it to. What it had not acknowledged comes again.
#[derive(Debug, thiserror::Error)]
pub enum ConsumerError {
    /// The handler's verdict. A person must act.
    #[error("the consumer `{consumer}` halted at version {version} of {stream}")]
    Halted {
        /// The consumer.
        consumer: &'static str,
        /// The stream it was at.
        stream: StreamId,
        /// The first event of the run it was at.
        version: Version,
        /// What the handler said.
        #[source]
        reason: HaltReason,
    },
    /// The log cannot be read. A person must act.
    #[error("the consumer `{consumer}` cannot read the log")]
    Log {
        /// The consumer.
        consumer: &'static str,
        /// What the log said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The handler broke its contract: a defect in the program.
    #[error("the handler of `{consumer}` broke its contract: {what}")]
    HandlerBroke {
        /// The consumer.
        consumer: &'static str,
        /// In what way.
        what: String,
    },
    /// The queue is not there, or is another one. The topology must be declared first.
    #[error("the consumer `{consumer}` has no queue")]
    Bus {
        /// The consumer.
        consumer: &'static str,
        /// What the bus said.
        #[source]
        source: BusError,
    },
}

/// Why work stops.
#[derive(Debug)]
pub(super) enum Ended {
    /// It was asked to.
    Asked,
    /// It must not go on.
    Broken(ConsumerError),
}

impl From<ConsumerError> for Ended {
    fn from(error: ConsumerError) -> Self {
        Self::Broken(error)
    }
}
