//! Notices a log that was put back to an older state.

use crate::keys::{KeyError, Keys};
use crate::log::{EventLog, LogError, TreeError};

/// Why a log is not the one that checkpoints were given out of.
#[derive(Debug, thiserror::Error)]
pub enum LostHistory {
    /// It is shorter: it was put back to an older state, or its end is lost.
    #[error("the log holds {head} records, and a checkpoint of {published} records was given out")]
    Shorter {
        /// How many records there are.
        head: u64,
        /// How many there were.
        published: u64,
    },
    /// It is long enough, and its beginning is another one.
    #[error(
        "the log holds {head} records, and the first {published} are not those that a checkpoint was given out of"
    )]
    Other {
        /// How many records there are.
        head: u64,
        /// How many the checkpoint covers.
        published: u64,
    },
    /// The log could not be read.
    #[error("the log cannot be compared with the checkpoint that was given out")]
    Tree(#[from] TreeError),
    /// What was given out could not be read.
    #[error("the checkpoint that was given out cannot be read")]
    Keys(#[from] KeyError),
}

impl From<LogError> for LostHistory {
    fn from(error: LogError) -> Self {
        Self::Tree(error.into())
    }
}

/// Compares `log` with the largest checkpoint that was given out of it, which is remembered beside `keys`. Grows the tree as
/// far as that.
///
/// # Errors
/// [`LostHistory::Shorter`] and [`LostHistory::Other`] if records are missing; nothing should be appended then before a
/// person has decided. Otherwise the stores' faults.
pub async fn refuse_lost_history(log: &EventLog, keys: &Keys) -> Result<(), LostHistory> {
    let Some(checkpoint) = keys.published_checkpoint().await? else {
        return Ok(());
    };
    let said = checkpoint.checkpoint();
    let (head, published) = (log.head().await?.0, said.size());
    if head < published {
        return Err(LostHistory::Shorter { head, published });
    }
    log.tree().extend_to(published).await?;
    if log.tree().root(published).await?.0 != said.root() {
        return Err(LostHistory::Other { head, published });
    }
    Ok(())
}
