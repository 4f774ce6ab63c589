//! Why an order was not carried out.

use std::borrow::Cow;

use crate::append::{AppendError, Receipt};
use crate::ids::Version;
use crate::keys::KeyError;
use crate::log::LogError;

/// Why an aggregate could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The log could not be read.
    #[error("the stream could not be read")]
    Log(#[from] LogError),
    /// The subject's key could not be used.
    #[error("the stream could not be opened")]
    Keys(#[source] KeyError),
    /// The person the stream is about has been forgotten.
    #[error("the person has been erased")]
    Erased,
    /// A record cannot be understood: the program is older than the record, or the record is wrong.
    #[error("a record cannot be understood: {0}")]
    Undecodable(String),
}

impl From<KeyError> for LoadError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Destroyed(_) => Self::Erased,
            error => Self::Keys(error),
        }
    }
}

/// Why an order was not carried out, and what holds then. `R` is the aggregate's rejection.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError<R> {
    /// The aggregate said no. Nothing is written.
    #[error("rejected: {0}")]
    Rejected(R),
    /// The stream is not at the version the caller has seen. Nothing is written.
    #[error("the stream is at version {actual}; the caller has seen {expected}")]
    WrongVersion {
        /// What the caller has seen.
        expected: Version,
        /// Where the stream stands.
        actual: Version,
    },
    /// Another stream holds this name. Nothing is written.
    #[error("the {kind} is taken")]
    ClaimTaken {
        /// What kind of name.
        kind: Cow<'static, str>,
    },
    /// The same wish was answered before; the answer is opened. Nothing new is written.
    #[error("this request was answered before")]
    ReceiptExists(Box<Receipt>),
    /// The person the stream is about has been forgotten. Nothing is written.
    #[error("the person has been erased")]
    Erased,
    /// Others were faster each time. Nothing is written: try again.
    #[error("the stream is changed by others all the time")]
    Contended,
    /// The append failed; the source tells what holds.
    #[error("what was decided could not be appended")]
    Append(#[source] AppendError),
    /// The aggregate could not be loaded, or its events not sealed. Nothing is written.
    #[error("the aggregate could not be loaded or sealed")]
    Load(#[source] LoadError),
}

impl<R> From<LoadError> for ExecuteError<R> {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Erased => Self::Erased,
            error => Self::Load(error),
        }
    }
}

impl<R> From<LogError> for ExecuteError<R> {
    fn from(error: LogError) -> Self {
        Self::Load(error.into())
    }
}

impl<R> From<AppendError> for ExecuteError<R> {
    fn from(error: AppendError) -> Self {
        Self::Append(error)
    }
}
