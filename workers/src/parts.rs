//! What every role works with, and how a role ends when it must not go on.

use eventing::{EventLog, Keys, bus::Bus, consumer::ConsumerError};
use projectors::{ViewError, ViewStore};

/// The shared parts of a process. Cheap to clone.
#[derive(Clone)]
pub struct Parts {
    /// The event log.
    pub log: EventLog,
    /// The subject keys.
    pub keys: Keys,
    /// The view store.
    pub views: ViewStore,
    /// The bus, with its topology declared.
    pub bus: Bus,
}

/// A role stopped though nobody asked it to. Everything it stored is whole; a new start goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The consumer must not go on.
    #[error("the consumer stopped")]
    Consumer(#[from] ConsumerError),
    /// The views cannot be kept.
    #[error("the view store cannot be used")]
    Views(#[from] ViewError),
    /// A part of the role panicked.
    #[error("the {0} panicked")]
    Panicked(&'static str),
}
