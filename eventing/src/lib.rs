//! Keeps and moves events; knows nothing of what they are about.
//!
//! - [`EventLog`]: every record in one order, appended by one writer per process, many commands to a transaction.
//! - [`Keys`]: one key per person, outside the log. Destroying it forgets the person everywhere at once.
//! - [`Executor`]: loads an aggregate, lets it decide, appends what it decided, decides again on a conflict.
//! - [`merkle`], [`Tree`]: the log as a Merkle tree, with proofs of what is in it and that it only grew.
//! - [`sealer`]: grows the tree beside the appends, and signs checkpoints over it.
//! - [`notes`]: signed notes and checkpoints, keys of logs and witnesses, proofs as files.
//! - [`bus`], [`relay`], [`consumer`], [`dead_letters`]: hand records on, at least once, and trust the log only.
//! - [`traces`]: what happens to a request, told as one trace.
//! - [`verify`]: whether a history, in the log or exported, is the one that was signed.
//! - [`testing`]: the contract every adapter must keep.
//!
//! # Invariants
//! 1. A [`Position`] is gapless and in commit order; a record is visible only when all before it are.
//! 2. An append is acknowledged only after its commit is durable.
//! 3. The bytes of a record never change. A reader never sees a record whose hash does not match.
//! 4. No personal data stands in the open: payloads are sealed, names are keyed hashes.
//!
//! Start reading at [`log`] or [`execute`](mod@execute).

pub mod append;
pub mod backup;
pub mod bus;
pub mod consumer;
pub mod dead_letters;
pub mod execute;
pub mod failpoints;
pub mod ids;
mod jitter;
pub mod keys;
pub mod log;
pub mod merkle;
pub mod notes;
pub mod record;
pub mod relay;
pub mod sealer;
pub mod testing;
pub mod traces;
pub mod verify;

pub use append::{
    Append, AppendError, Appended, Claim, ClaimChange, NewReceipt, Receipt, ReceiptKey, StorageFault,
};
pub use execute::{Codec, ExecuteError, Executed, Executor, LoadError, Loaded, Order, ReceiptDraft};
pub use ids::{
    CausationId, CorrelationId, EventId, ExpectedVersion, InvalidStreamId, Position, SchemaVersion, StreamId,
    SubjectId, Version,
};
pub use keys::{DestroyedKey, KeyError, Keys, MasterKey, MasterKeyError, Payload, RotateError, Rotated};
pub use log::{
    AppendMeasures, Consistency, DeadLetterKey, DeadLetterRow, DeadLetterState, Deleted, Duty, DutyLock,
    EventFilter, EventLog, Forgotten, Found, Inclusion, LogConfig, LogError, Migrated, OpenError,
    PostgresConfig, StoreCheckpointError, StoredCheckpoint, StreamHead, Tree, TreeError, migrate,
};
pub use record::{Body, EncodedEvent, InvalidRecord, Metadata, NewEvent, RecordedEvent, SealedPayload};
