//! What is wrong with a history.

use crate::ids::{Position, StreamId, Version};
use crate::notes::{InvalidCheckpoint, InvalidKey, Untrusted};
use crate::record::InvalidRecord;

/// Which of five kinds a fault is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// It is no export of ours, or one that this program does not know.
    Unreadable,
    /// A record, or the hash that is kept beside it, was changed, removed, added or moved.
    Corrupt,
    /// It ends before it should.
    Truncated,
    /// A checkpoint is not signed by the key it should be signed by.
    Unsigned,
    /// All is sound in itself, and contradicts a signed checkpoint or is another log's.
    Inconsistent,
}

impl FaultKind {
    /// Its name for programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Corrupt => "corrupt",
            Self::Truncated => "truncated",
            Self::Unsigned => "unsigned",
            Self::Inconsistent => "inconsistent",
        }
    }
}

/// The first fault that was found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The file is something else.
    #[error("this is not an export: its first line does not begin with `{{\"segue_export\":`")]
    NotAnExport,
    /// The file is of another version.
    #[error("an export of version {0}, and this program knows version 1")]
    UnknownVersion(String),
    /// The header is not in its one form.
    #[error("the first line is not a sound header: {0}")]
    Header(&'static str),
    /// The header's key is not one.
    #[error("the header's public key is not one: {0}")]
    HeaderKey(InvalidKey),
    /// The compressed stream is damaged.
    #[error("it cannot be decompressed: {0}")]
    Compression(String),
    /// The old checkpoint that was given is not one.
    #[error("the old checkpoint is not one: {0}")]
    OldCheckpointUnreadable(InvalidCheckpoint),

    /// What stands in a record's place is not a record.
    #[error("at position {position} stands what is not a record: {cause}")]
    NotARecord {
        /// The place.
        position: Position,
        /// What is wrong with it.
        cause: InvalidRecord,
    },
    /// A record stands in another one's place.
    #[error("at position {position} stands the record of position {found}")]
    OutOfPlace {
        /// The place.
        position: Position,
        /// What the record says.
        found: Position,
    },
    /// A record's version is not the next of its stream.
    #[error(
        "the record at position {position} says version {found} of {stream}, and version {expected} is the next"
    )]
    VersionGap {
        /// Where.
        position: Position,
        /// The stream.
        stream: StreamId,
        /// The version that would be the next.
        expected: Version,
        /// What the record says.
        found: Version,
    },
    /// A record says an earlier time than the one before it.
    #[error("the record at position {position} says an earlier time than the one before it")]
    TimeWentBack {
        /// Where.
        position: Position,
    },
    /// A record does not hash to what is kept beside it, and the signed root does not say that it should.
    #[error("the record at position {position} is not the one that was recorded: its hash is another")]
    RecordChanged {
        /// Where.
        position: Position,
    },
    /// A hash beside a record was changed; the record is the one that the signed root stands for.
    #[error("the hash beside the record at position {position} was changed; the record itself is sound")]
    HashChanged {
        /// Where.
        position: Position,
    },
    /// A line of hashes is not one.
    #[error("the line of hashes of the records from position {position} on is damaged: {what}")]
    HashLine {
        /// Of the first record that the line is about.
        position: Position,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A record stands where a line of hashes should.
    #[error("before position {position} a line of hashes is missing")]
    HashLineMissing {
        /// Of the record after it.
        position: Position,
    },
    /// There is more than the header says.
    #[error("after the last record, at position {position}, there is more")]
    Trailing {
        /// The position after the last one.
        position: Position,
    },
    /// A column beside a record says something else than the record.
    #[error("the column `{column}` at position {position} says something else than the record")]
    Column {
        /// Where.
        position: Position,
        /// Which.
        column: &'static str,
    },
    /// A table beside the records contradicts them.
    #[error("{what} contradicts the records")]
    Table {
        /// Which table, and of what.
        what: String,
    },
    /// What is remembered beside the keys of the last checkpoint that was given out is no checkpoint.
    #[error("the checkpoint that is remembered beside the keys is not one: it was changed")]
    Published,
    /// A stored tile of the tree is not what the records hash to.
    #[error(
        "tile {n} of level {level}, of the records from position {position} on, is not what they hash to"
    )]
    Tile {
        /// The level, from 0.
        level: u8,
        /// Its number within the level, from 0.
        n: u64,
        /// Of the first record below it.
        position: Position,
    },

    /// It ends before its last record and hash.
    #[error("it ends at position {position} of {size}: the rest is cut off")]
    Truncated {
        /// What would come next.
        position: Position,
        /// The last position that there should be.
        size: u64,
    },
    /// It ends within its first line.
    #[error("it ends within its first line")]
    TruncatedHeader,

    /// The checkpoint is not a signed note.
    #[error("the checkpoint is not a signed one: {0}")]
    NoCheckpoint(InvalidCheckpoint),
    /// The checkpoint is not the key's.
    #[error("the checkpoint of size {size}: {cause}")]
    Unsigned {
        /// The checkpoint's size.
        size: u64,
        /// Why it is not believed.
        cause: Untrusted,
    },
    /// The header names another key than the one that was given.
    #[error("the header names the key {0}, which is not the one that was given")]
    OtherKey(String),
    /// The old checkpoint is not the key's.
    #[error("the old checkpoint of size {size}: {cause}")]
    OldUnsigned {
        /// The checkpoint's size.
        size: u64,
        /// Why it is not believed.
        cause: Untrusted,
    },

    /// The records are sound, and their root is not the one that was signed.
    #[error(
        "the first {size} records have another root than the checkpoint of this size: the history was rewritten"
    )]
    Root {
        /// The checkpoint's size.
        size: u64,
    },
    /// The history does not begin with the one of the old checkpoint.
    #[error(
        "the first {size} records have another root than the old checkpoint says: the history was rewritten after it was signed"
    )]
    OldRoot {
        /// The old checkpoint's size.
        size: u64,
    },
    /// The history is shorter than one that was signed.
    #[error(
        "it has {size} records, and a checkpoint of {checkpoint} was signed: it is older than that checkpoint, or was cut"
    )]
    Shorter {
        /// How many records there are.
        size: u64,
        /// How many there were.
        checkpoint: u64,
    },
    /// A checkpoint is of another log.
    #[error("the checkpoint of size {size} is of the log {actual}, and not of {expected}")]
    OtherLog {
        /// The checkpoint's size.
        size: u64,
        /// This log.
        expected: String,
        /// Its log.
        actual: String,
    },
}

impl Fault {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> FaultKind {
        match self {
            Self::NotAnExport
            | Self::UnknownVersion(_)
            | Self::Header(_)
            | Self::HeaderKey(_)
            | Self::Compression(_)
            | Self::OldCheckpointUnreadable(_) => FaultKind::Unreadable,
            Self::NotARecord { .. }
            | Self::OutOfPlace { .. }
            | Self::VersionGap { .. }
            | Self::TimeWentBack { .. }
            | Self::RecordChanged { .. }
            | Self::HashChanged { .. }
            | Self::HashLine { .. }
            | Self::HashLineMissing { .. }
            | Self::Trailing { .. }
            | Self::Column { .. }
            | Self::Table { .. }
            | Self::Published
            | Self::Tile { .. } => FaultKind::Corrupt,
            Self::Truncated { .. } | Self::TruncatedHeader => FaultKind::Truncated,
            Self::NoCheckpoint(_) | Self::Unsigned { .. } | Self::OtherKey(_) | Self::OldUnsigned { .. } => {
                FaultKind::Unsigned
            }
            Self::Root { .. } | Self::OldRoot { .. } | Self::Shorter { .. } | Self::OtherLog { .. } => {
                FaultKind::Inconsistent
            }
        }
    }

    /// The position it is at, where it is at one.
    #[must_use]
    pub const fn position(&self) -> Option<Position> {
        match self {
            Self::NotARecord { position, .. }
            | Self::OutOfPlace { position, .. }
            | Self::VersionGap { position, .. }
            | Self::TimeWentBack { position }
            | Self::RecordChanged { position }
            | Self::HashChanged { position }
            | Self::HashLine { position, .. }
            | Self::HashLineMissing { position }
            | Self::Trailing { position }
            | Self::Column { position, .. }
            | Self::Tile { position, .. }
            | Self::Truncated { position, .. } => Some(*position),
            _ => None,
        }
    }

    /// What to say of a checkpoint that `cause` keeps from being believed.
    pub(super) fn untrusted(size: u64, cause: Untrusted, is_old: bool) -> Self {
        match cause {
            Untrusted::OtherLog { expected, actual } => Self::OtherLog {
                size,
                expected,
                actual,
            },
            cause if is_old => Self::OldUnsigned { size, cause },
            cause => Self::Unsigned { size, cause },
        }
    }
}
