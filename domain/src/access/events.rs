//! What is recorded of a read. Every field is described in `docs/events.md`.

use serde::{Deserialize, Serialize};

use super::Asked;
use crate::{AccessId, AccountId};

stored_events! {
    /// A fact about who read the history.
    AccessEvent in Access {
        /// Somebody who may read the history read a part of it.
        "access.history_read" 1 HistoryRead(HistoryRead),
    }
}

/// Payload of `access.history_read`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryRead {
    /// By which way they came.
    pub by: Reader,
    /// The account that read; absent for the command line, which knows no accounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// What was called.
    pub call: AccessCall,
    /// What it was asked for.
    #[serde(default)]
    pub asked: Asked,
}

/// By which way somebody reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reader {
    /// Over HTTP, in the session of an account.
    Account,
    /// With a tool, on the machine itself.
    CommandLine,
}

/// What is called to read the history, whether over HTTP or with a tool. Stored by name; the list only grows and stays
/// sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum AccessCall {
    /// The signed checkpoints.
    #[serde(rename = "checkpoint.list")]
    CheckpointList,
    /// The newest signed checkpoint.
    #[serde(rename = "checkpoint.read")]
    CheckpointRead,
    /// A proof that one tree is the beginning of another.
    #[serde(rename = "consistency.prove")]
    ConsistencyProve,
    /// One request and all that it caused.
    #[serde(rename = "correlation.read")]
    CorrelationRead,
    /// The events as they are recorded, from now on until the reader leaves.
    #[serde(rename = "events.follow")]
    EventsFollow,
    /// A part of the events.
    #[serde(rename = "events.list")]
    EventsList,
    /// What changed between two positions.
    #[serde(rename = "history.diff")]
    HistoryDiff,
    /// The records of the log, in a file.
    #[serde(rename = "history.export")]
    HistoryExport,
    /// Views and playlists computed again and compared.
    #[serde(rename = "history.replay")]
    HistoryReplay,
    /// The records checked against the tree.
    #[serde(rename = "history.verify")]
    HistoryVerify,
    /// A proof that a record is in the tree.
    #[serde(rename = "inclusion.prove")]
    InclusionProve,
    /// The key that checkpoints are verified with.
    #[serde(rename = "key.read")]
    KeyRead,
    /// Why a playlist is what it is.
    #[serde(rename = "playlist.explain")]
    PlaylistExplain,
    /// What a stream's events came to at a position or a time.
    #[serde(rename = "stream.as_of")]
    StreamAsOf,
    /// The records of one stream.
    #[serde(rename = "stream.read")]
    StreamRead,
    /// A part of the tree.
    #[serde(rename = "tile.read")]
    TileRead,
}

impl HistoryRead {
    /// A read over HTTP, by an account.
    pub fn by_account(account: AccountId, call: AccessCall, asked: Asked) -> Self {
        Self {
            by: Reader::Account,
            account: Some(account),
            call,
            asked,
        }
    }

    /// A read with a tool.
    pub fn by_command_line(call: AccessCall, asked: Asked) -> Self {
        Self {
            by: Reader::CommandLine,
            account: None,
            call,
            asked,
        }
    }

    /// The stream that it is recorded in: the account's own, or that of the command line.
    pub fn stream(&self) -> AccessId {
        self.account.map_or(AccessId::COMMAND_LINE, AccessId::of)
    }
}
