//! The production stack: PostgreSQL, RabbitMQ, Redis and Firestore, with a process for each role.
//!
//! [`story`] holds that it means the same as one embedded process, [`scale`] that it is scaled and its processes are replaced without a failed
//! request, [`bad_days`] that what is missing or wrong is said, [`connections`] that servers are
//! reached as they want to be.

mod bad_days;
mod connections;
mod scale;
mod story;

use bench::cluster::Models;

/// Where base models lie: Firestore, when the binary can speak to it.
const MODELS: Models = if cfg!(feature = "production") {
    Models::Firestore
} else {
    Models::Files
};
