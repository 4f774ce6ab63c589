//! What can go wrong with views.

use std::{error::Error, io};

use heed::MdbError;

/// The view store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// The disk or the store's map is full. Nothing was written; the same write succeeds once there is space.
    #[error("the view store is full: free disk space; it goes on by itself")]
    Full(#[source] Box<dyn Error + Send + Sync>),
    /// The store did not answer. A commit may have happened; doing it again is safe, since versions are compared.
    #[error("the view store did not answer")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// Redis could not be used at the start. Nothing was changed.
    #[error("the views in Redis at {address} cannot be used: {remedy}")]
    Connect {
        /// Where it was looked for.
        address: String,
        /// What to do.
        remedy: &'static str,
        /// What was said.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The store is a replica, which takes no writes. Nothing was written.
    #[error("Redis at {0} is a replica and takes no writes: name its primary in REDIS_HOST")]
    ReadOnly(String),
    /// The views are those of another log. Nothing was changed.
    #[error(
        "{0} holds views of another log: give each log a folder or REDIS_PREFIX of its own, or delete those views to have them folded again"
    )]
    OtherLog(String),
    /// The store was emptied or put back to an older state, and has not caught up with what was read before. It does so
    /// by itself.
    #[error("the views of {0} are being folded again, for their store lost some")]
    BeingRebuilt(&'static str),
    /// A rebuild is switching to its views. Nothing was written; the same write succeeds a moment later.
    #[error("the views are being switched to those of a rebuild")]
    Switching,
    /// The store holds what this program cannot have written. Nothing was written. A rebuild makes it whole again.
    #[error("the view store is damaged ({what}): run `segue projections rebuild`")]
    Corrupt {
        /// What was found, without personal data.
        what: String,
        /// What the parser or the store said.
        #[source]
        source: Option<Box<dyn Error + Send + Sync>>,
    },
    /// A name or entry is too long to be a key. Nothing was written.
    #[error("a name is too long to be a key of the view store")]
    KeyTooLong,
    /// This projection has no views yet. A projector or a rebuild makes them.
    #[error("projection {0} has not been built")]
    NotBuilt(&'static str),
    /// There is no projection of this name.
    #[error("there is no projection named {0}")]
    UnknownProjection(String),
    /// Another rebuild runs on this store, in this or another process. Nothing was changed.
    #[error("another rebuild runs on this view store")]
    RebuildRunning,
    /// The event log did not answer, or holds what cannot be read. The live views are unchanged.
    #[error("the event log could not be folded: {what}")]
    Log {
        /// What was read.
        what: String,
        /// Why it failed.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// What was waited for did not happen in time. Nothing is wrong otherwise.
    #[error("the view did not get there in time")]
    Late,
}

impl ViewError {
    pub(crate) fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unavailable(source.into())
    }

    pub(crate) fn corrupt_because(what: &str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Corrupt {
            what: what.to_owned(),
            source: Some(source.into()),
        }
    }

    pub(crate) fn log(what: &str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Log {
            what: what.to_owned(),
            source: source.into(),
        }
    }
}

impl From<heed::Error> for ViewError {
    fn from(error: heed::Error) -> Self {
        match &error {
            heed::Error::Mdb(MdbError::MapFull | MdbError::TxnFull) => Self::Full(error.into()),
            heed::Error::Io(cause) if is_no_space(cause) => Self::Full(error.into()),
            heed::Error::Mdb(
                MdbError::Corrupted
                | MdbError::PageNotFound
                | MdbError::Invalid
                | MdbError::VersionMismatch
                | MdbError::Panic
                | MdbError::Problem,
            ) => Self::corrupt_because("its file", error),
            heed::Error::Mdb(MdbError::BadValSize) => Self::KeyTooLong,
            _ => Self::unavailable(error),
        }
    }
}

fn is_no_space(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_space_on_the_disk_or_in_the_map_is_told_as_full() {
        let disk = heed::Error::Io(io::Error::from(io::ErrorKind::StorageFull));
        assert!(matches!(ViewError::from(disk), ViewError::Full(_)));
        assert!(matches!(
            ViewError::from(heed::Error::Mdb(MdbError::MapFull)),
            ViewError::Full(_)
        ));
    }
}
