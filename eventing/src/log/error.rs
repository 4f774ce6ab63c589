//! What can go wrong with the log apart from appends.

use std::path::PathBuf;

use crate::append::{AppendError, StorageFault};

/// Why the log could not be read, or a write beside the records failed.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The log did not answer: try later.
    #[error("the event log is not available")]
    Unavailable(#[source] StorageFault),
    /// The disk is full: try later. Nothing is written.
    #[error("the event log's storage is full")]
    StorageFull,
    /// The log contradicts itself. Stop, and call a person.
    #[error("the event log is damaged: {0}")]
    Corrupt(String),
    /// The log is closed.
    #[error("the event log is closed")]
    Stopped,
}

/// Why the log could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another, newer program made or changed the file.
    #[error(
        "{path} was written by a newer program (shape {found}; this program knows up to {known}): update the program"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The shape of its tables.
        found: i64,
        /// The newest shape this program knows.
        known: i64,
    },
    /// The file belongs to something else.
    #[error("{path} is not one of our files")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The database of `DATABASE_URL` cannot be used. Nothing is changed.
    #[error("DATABASE_URL {problem}")]
    Database {
        /// What is wrong, and what helps. Without a password.
        problem: String,
        /// What the database said.
        #[source]
        cause: Option<StorageFault>,
    },
    /// The file cannot be opened.
    #[error("cannot open {path}")]
    Unavailable {
        /// The file or its folder.
        path: PathBuf,
        /// Why.
        #[source]
        cause: StorageFault,
    },
}

/// What an error means that left nothing written.
pub(super) fn not_written(error: &LogError) -> AppendError {
    match error {
        LogError::StorageFull => AppendError::StorageFull,
        LogError::Corrupt(what) => AppendError::Corrupt(what.clone()),
        LogError::Stopped => AppendError::Stopped,
        LogError::Unavailable(cause) => AppendError::Unavailable(StorageFault::new(cause)),
    }
}
