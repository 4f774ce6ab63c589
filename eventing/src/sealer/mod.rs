//! Grows the log's Merkle tree beside the appends, and signs checkpoints over it.
//!
//! Appends do not wait for the tree: it follows them within about a second. A checkpoint is signed on a schedule when the log
//! has moved, and whenever somebody asks for one ([`Sealer::seal`]).
//!
//! # Invariants
//! 1. A signed checkpoint is stored beside the log, then remembered beside the keys, and only then given out.
//! 2. No signed checkpoint contradicts one that the log has stored ([`Tree::store_checkpoint`]) or the largest one that is
//!    remembered beside the keys ([`refuse_lost_history`]).
//! 3. Nothing is signed with a key that was [retired](crate::Keys::retire_audit_key). What such a key signed last is signed
//!    again by its successor while the log stands still: the same size and root.
//!
//! Any number of processes may seal one log at the same time. That one of them keeps the schedule (the one that holds the
//! [lock of that duty](crate::Duty::SEAL)) saves the others the work and is not needed for anything to be right.

mod error;
mod published;
mod schedule;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use parking_lot::Mutex;

use crate::consumer::chain_of;
use crate::failpoint;
use crate::ids::Position;
use crate::keys::Keys;
use crate::log::{EventLog, LogError, StoreCheckpointError, Tree};
use crate::notes::{Checkpoint, SignedCheckpoint, SigningKey, VerifierKey};
use crate::record::now_micros;

pub use error::SealError;
pub use published::{LostHistory, refuse_lost_history};

/// How often it is tried to sign before other processes that do so as well.
const ATTEMPTS_MAX: usize = 8;

/// Signs with what, and how often.
#[derive(Debug, Default)]
pub struct SealerSettings {
    /// The log's key. Without one the tree grows and proofs can be had, and nothing is signed.
    pub key: Option<SigningKey>,
    /// How often a checkpoint is signed when the log has moved; `None`: only when one is asked for.
    pub checkpoint_interval: Option<Duration>,
}

/// Seals one log. Cloning is cheap and gives another handle.
#[derive(Debug, Clone)]
pub struct Sealer {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    log: EventLog,
    tree: Tree,
    keys: Keys,
    settings: SealerSettings,
    /// Held by the one who signs: the others find what they need signed by then.
    turn: tokio::sync::Mutex<()>,
    /// The largest size that this process has seen remembered beside the keys; 0 where it has to see to that again.
    published: AtomicU64,
    /// Why sealing failed the last time.
    problem: Mutex<Option<String>>,
}

/// How far a log is sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealerStatus {
    /// How many records the tree covers.
    pub tree_size: u64,
    /// How many records the latest signed checkpoint covers, and when it was signed.
    pub checkpoint: Option<(u64, DateTime<Utc>)>,
    /// Why this process could not seal the last time it tried; nothing when it went well.
    pub problem: Option<String>,
}

impl Sealer {
    /// A sealer of `log`, which remembers what it gives out beside `keys`.
    #[must_use]
    pub fn new(log: EventLog, keys: Keys, settings: SealerSettings) -> Self {
        let shared = Shared {
            tree: log.tree(),
            log,
            keys,
            settings,
            turn: tokio::sync::Mutex::new(()),
            published: AtomicU64::new(0),
            problem: Mutex::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// The log's tree.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        &self.shared.tree
    }

    /// The key that checkpoints can be verified with; `None` where nothing is signed.
    #[must_use]
    pub fn verifier(&self) -> Option<VerifierKey> {
        self.shared.settings.key.as_ref().map(SigningKey::verifier)
    }

    /// Whether this sealer may sign at all.
    ///
    /// # Errors
    /// [`SealError::Retired`] if its key may not; otherwise the faults of what remembers that.
    pub async fn refuse_retired_key(&self) -> Result<(), SealError> {
        match self.verifier() {
            Some(key) if self.shared.keys.retired_audit_keys().await?.contains(&key) => {
                Err(SealError::Retired(key.to_string()))
            }
            _ => Ok(()),
        }
    }

    /// How far the log is sealed, by whichever process.
    ///
    /// # Errors
    /// [`LogError`] if the log cannot be read.
    pub async fn status(&self) -> Result<SealerStatus, LogError> {
        let latest = self.tree().latest_checkpoint().await?;
        Ok(SealerStatus {
            tree_size: self.tree().size().await?,
            checkpoint: latest.map(|latest| (latest.size, latest.signed_at)),
            problem: self.shared.problem.lock().clone(),
        })
    }

    /// A signed checkpoint that covers every record up to `at_least`, and may be given out: the latest one if it does, else a
    /// new one of the whole log.
    ///
    /// # Errors
    /// [`SealError`]; then there may be a new signed checkpoint, which the next call finds.
    pub async fn seal(&self, at_least: Position) -> Result<SignedCheckpoint, SealError> {
        let sealed = self.seal_in_turn(at_least).await;
        match &sealed {
            Ok(_) => *self.shared.problem.lock() = None,
            Err(error) if error.is_of_the_log() => *self.shared.problem.lock() = Some(chain_of(error)),
            Err(_) => {}
        }
        sealed
    }

    async fn seal_in_turn(&self, at_least: Position) -> Result<SignedCheckpoint, SealError> {
        let key = self.shared.settings.key.as_ref().ok_or(SealError::NoKey)?;
        let _turn = self.shared.turn.lock().await;
        for _ in 0..ATTEMPTS_MAX {
            let found = match self.latest_of(key, at_least).await? {
                Some(latest) => latest,
                None => match self.sign(key, at_least).await {
                    // Another process was faster, and its checkpoint covers more.
                    Err(SealError::Store(StoreCheckpointError::Older { .. })) => continue,
                    signed => signed?,
                },
            };
            self.publish(&found).await?;
            return Ok(found);
        }
        Err(SealError::Contended)
    }

    /// The latest stored checkpoint, if it covers `at_least` and is signed with `key`.
    async fn latest_of(
        &self,
        key: &SigningKey,
        at_least: Position,
    ) -> Result<Option<SignedCheckpoint>, SealError> {
        let latest = self.tree().latest_checkpoint().await?;
        let Some(latest) = latest.filter(|latest| latest.size >= at_least.0) else {
            return Ok(None);
        };
        let checkpoint = latest.signed()?;
        Ok(checkpoint.verify(&key.verifier()).is_ok().then_some(checkpoint))
    }

    /// Signs the whole log, and stores that, also in the place of the same one that another key signed; unless the log was put
    /// back, also under this running process.
    async fn sign(&self, key: &SigningKey, at_least: Position) -> Result<SignedCheckpoint, SealError> {
        self.refuse_retired_key().await?;
        refuse_lost_history(&self.shared.log, &self.shared.keys).await?;
        let head = self.shared.log.head().await?;
        let size = self.tree().extend_to(head.max(at_least).0).await?;
        let root = self.tree().root(size).await?;
        let checkpoint = Checkpoint::new(key.name(), size, root.0)?.sign(key)?;
        let now = DateTime::from_timestamp_micros(now_micros()).unwrap_or_default();
        // The same size may be remembered with the signature of another key.
        self.shared.published.store(0, Ordering::Release);
        failpoint!("seal.before_store");
        self.tree().store_checkpoint(&checkpoint, now).await?;
        failpoint!("seal.after_store");
        tracing::debug!(checkpoint.size = size, "a checkpoint was signed");
        Ok(checkpoint)
    }

    /// Remembers a stored checkpoint beside the keys, unless this process has seen to it already.
    async fn publish(&self, checkpoint: &SignedCheckpoint) -> Result<(), SealError> {
        let size = checkpoint.checkpoint().size();
        let known = &self.shared.published;
        // Size 0 cannot be told from nothing known; remembering it again does no harm.
        if size == 0 || known.load(Ordering::Acquire) < size {
            self.shared.keys.publish_checkpoint(checkpoint).await?;
            known.fetch_max(size, Ordering::AcqRel);
            failpoint!("seal.after_publish");
        }
        Ok(())
    }
}
