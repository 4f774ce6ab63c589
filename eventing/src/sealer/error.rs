//! Why nothing was signed.

use super::published::LostHistory;
use crate::keys::KeyError;
use crate::log::{LogError, StoreCheckpointError, TreeError};
use crate::notes::InvalidCheckpoint;

/// Why there is no signed checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// No key was given, so nothing is signed.
    #[error("there is no key to sign checkpoints with")]
    NoKey,
    /// The key signed a longer history than the log holds, or another one, and must not sign two.
    #[error(
        "the key {0} signed another history of this log, and a key signs one: give a new one, as `segue audit keygen` makes it"
    )]
    Retired(String),
    /// The key's name cannot be a log's origin.
    #[error("the key's name cannot be the log's origin")]
    Origin(#[from] InvalidCheckpoint),
    /// The tree could not be read or grown.
    #[error("the log's tree cannot be read: {0}")]
    Tree(#[from] TreeError),
    /// The checkpoint was not stored.
    #[error("the checkpoint was not stored: {0}")]
    Store(#[from] StoreCheckpointError),
    /// What is remembered beside the keys could not be read or written. A checkpoint may be stored then; it is not given out.
    #[error("what is remembered beside the keys could not be read or written")]
    Keys(#[from] KeyError),
    /// The log is not the one that an earlier checkpoint was given out of: nothing was signed.
    #[error("nothing is signed: {0}")]
    Lost(#[from] LostHistory),
    /// Other processes signed faster, again and again: try again.
    #[error("other processes sign checkpoints of this log at the same time")]
    Contended,
}

impl From<LogError> for SealError {
    fn from(error: LogError) -> Self {
        Self::Tree(error.into())
    }
}

impl SealError {
    /// Whether it says something of the log, its tree and its stores, rather than of what was asked or configured.
    pub(super) fn is_of_the_log(&self) -> bool {
        !matches!(
            self,
            Self::NoKey | Self::Contended | Self::Tree(TreeError::Beyond { .. })
        )
    }

    /// Whether the history is not the one that was signed, or is damaged: a person must look.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::Tree(TreeError::Log(LogError::Corrupt(_)))
                | Self::Store(
                    StoreCheckpointError::Inconsistent { .. }
                        | StoreCheckpointError::OtherRoot { .. }
                        | StoreCheckpointError::Exists { .. }
                        | StoreCheckpointError::Log(LogError::Corrupt(_))
                )
                | Self::Lost(LostHistory::Shorter { .. } | LostHistory::Other { .. })
        )
    }
}
