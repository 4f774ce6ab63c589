//! The last checkpoint that was given out, remembered outside the log.
//!
//! A log that is put back to an older state takes its own checkpoints back with it. What lies here stays, and tells
//! that the log once was longer.

use std::sync::Arc;

use super::{KeyError, Keys, blocking};
use crate::notes::SignedCheckpoint;

/// A checkpoint as the stores keep it.
pub(super) struct PublishedRow {
    pub(super) size: u64,
    pub(super) note: String,
}

impl PublishedRow {
    /// The size as databases keep it; it stays far below 2^63.
    pub(super) fn size_sql(&self) -> i64 {
        i64::try_from(self.size).unwrap_or(i64::MAX)
    }

    /// What the row is of, if it is one.
    fn checkpoint(&self) -> Option<SignedCheckpoint> {
        SignedCheckpoint::parse(self.note.as_bytes())
            .ok()
            .filter(|checkpoint| checkpoint.checkpoint().size() == self.size)
    }
}

impl Keys {
    /// Remembers that `checkpoint` is about to be given out, unless a larger one is remembered. It is durable when this
    /// answers, and only then may it be given out.
    ///
    /// # Errors
    /// The store's faults; then it is unknown which one is remembered.
    pub async fn publish_checkpoint(&self, checkpoint: &SignedCheckpoint) -> Result<(), KeyError> {
        let row = PublishedRow {
            size: checkpoint.checkpoint().size(),
            note: checkpoint.to_string(),
        };
        let inner = Arc::clone(&self.inner);
        blocking(move || inner.store.publish(row)).await
    }

    /// The largest checkpoint that was given out; `None` before there was one.
    ///
    /// # Errors
    /// [`KeyError::Damaged`] if what is kept is no checkpoint; otherwise the store's faults.
    pub async fn published_checkpoint(&self) -> Result<Option<SignedCheckpoint>, KeyError> {
        let inner = Arc::clone(&self.inner);
        let row = blocking(move || inner.store.published()).await?;
        row.map(|row| {
            row.checkpoint()
                .ok_or(KeyError::Damaged("the published checkpoint"))
        })
        .transpose()
    }

    /// Forgets which checkpoint was given out: for a log that a person put back to an older state, and takes as it is.
    ///
    /// # Errors
    /// The store's faults; then it is unknown whether it is forgotten: do it again.
    pub async fn forget_published_checkpoint(&self) -> Result<(), KeyError> {
        let inner = Arc::clone(&self.inner);
        blocking(move || inner.store.unpublish()).await
    }
}
