//! Checks records in their order.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use rayon::prelude::*;

use super::Fault;
use super::correlations::Correlations;
use crate::ids::{CorrelationId, EventId, Position, StreamId, Version};
use crate::log::StreamHead;
use crate::merkle::{Frontier, Hash, Tile};
use crate::record::{InvalidRecord, RecordedEvent, leaf_hash};

/// A record with what is kept beside it.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The record's bytes.
    pub record: Bytes,
    /// The leaf hash beside it. In a database there must be one; in an export, a line of hashes that cannot be read is told
    /// by itself.
    pub hash: Option<Hash>,
    /// The columns beside it, in a database.
    pub columns: Option<Columns>,
}

/// The columns that a database keeps beside a record to find it by. `None` stands for a value that cannot be one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    /// Its position.
    pub position: Option<Position>,
    /// Its stream.
    pub stream: Option<StreamId>,
    /// Its version.
    pub version: Option<Version>,
    /// Its type.
    pub event_type: Option<String>,
    /// Its id.
    pub id: Option<EventId>,
}

/// What a record says of its place, and the first column that says something else.
#[derive(Debug)]
struct Said {
    position: Position,
    stream: StreamId,
    version: Version,
    correlation: CorrelationId,
    recorded_at: DateTime<Utc>,
    wrong_column: Option<&'static str>,
}

/// A record after all that can be said of it alone.
#[derive(Debug)]
struct Looked {
    hash: Hash,
    /// Whether the hash beside it is another, or none where there must be one.
    is_another: bool,
    said: Result<Said, InvalidRecord>,
}

impl Looked {
    fn at(kept: &Kept) -> Self {
        let said = RecordedEvent::from_whole_record(kept.record.clone()).map(|event| Said {
            wrong_column: kept
                .columns
                .as_ref()
                .and_then(|columns| columns.first_wrong(&event)),
            position: event.position,
            stream: event.stream,
            version: event.version,
            correlation: event.correlation_id,
            recorded_at: event.recorded_at,
        });
        let hash = Hash(leaf_hash(&kept.record));
        Self {
            is_another: match kept.hash {
                Some(beside) => beside != hash,
                None => kept.columns.is_some(),
            },
            hash,
            said,
        }
    }
}

impl Columns {
    fn first_wrong(&self, event: &RecordedEvent) -> Option<&'static str> {
        let compared = [
            ("position", self.position == Some(event.position)),
            ("stream", self.stream.as_ref() == Some(&event.stream)),
            ("version", self.version == Some(event.version)),
            ("type", self.event_type.as_ref() == Some(&event.event_type)),
            ("id", self.id == Some(event.id)),
        ];
        compared.into_iter().find(|(_, same)| !same).map(|(name, _)| name)
    }
}

/// Where what is kept beside records first disagrees with them, and what that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disagreement {
    /// The hash beside one record.
    Hash(Position),
    /// A line of hashes that cannot be read.
    Line {
        /// Of the first record that it is about.
        first: Position,
        /// Of the last one, which it stands after.
        last: Position,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A stored tile of the tree, which starts to differ at this position.
    Tile {
        /// The level, from 0.
        level: u8,
        /// Its number within the level, from 0.
        n: u64,
        /// Of the first record below the first hash that differs.
        position: Position,
    },
}

impl Disagreement {
    /// Of the first record that it is about.
    #[must_use]
    pub const fn position(self) -> Position {
        match self {
            Self::Hash(position) | Self::Tile { position, .. } => position,
            Self::Line { first, .. } => first,
        }
    }

    /// Where it stands among the records: at one of them, or after one and before the next.
    const fn place(self) -> (Position, bool) {
        match self {
            Self::Hash(position) | Self::Tile { position, .. } => (position, false),
            Self::Line { last, .. } => (last, true),
        }
    }

    /// The fault it is if the record is the one that was signed.
    const fn beside(self) -> Fault {
        match self {
            Self::Hash(position) => Fault::HashChanged { position },
            Self::Line { first, what, .. } => Fault::HashLine {
                position: first,
                what,
            },
            Self::Tile { level, n, position } => Fault::Tile { level, n, position },
        }
    }

    /// The fault it is if the record is not the one that was signed, or nobody knows.
    const fn of_the_record(self) -> Fault {
        match self {
            Self::Hash(position)
            | Self::Tile {
                level: 0, position, ..
            } => Fault::RecordChanged { position },
            // About many records: it does not say which one.
            Self::Line { .. } | Self::Tile { .. } => self.beside(),
        }
    }
}

/// Checks records from the first one on, and builds their tree.
#[derive(Debug, Default)]
pub struct Checker {
    frontier: Frontier,
    wanted: BTreeSet<u64>,
    roots: BTreeMap<u64, Hash>,
    streams: HashMap<StreamId, StreamHead>,
    correlations: Correlations,
    last_time: Option<DateTime<Utc>>,
    disagreement: Option<Disagreement>,
}

impl Checker {
    /// Before the first record. The roots at the sizes in `wanted` are kept.
    #[must_use]
    pub fn new(wanted: impl IntoIterator<Item = u64>) -> Self {
        let mut checker = Self {
            wanted: wanted.into_iter().collect(),
            ..Self::default()
        };
        checker.keep_root();
        checker
    }

    /// The same, which also sums up the chains of causes that records up to `to` belong to.
    pub(super) fn with_correlations_to(self, to: Position) -> Self {
        Self {
            correlations: Correlations::to(to),
            ..self
        }
    }

    /// Takes the next records, and hands each tile of the tree that they complete to `completed`. Both cores read and hash.
    ///
    /// A hash beside a record that differs is remembered and not told yet: [`judge`](Self::judge) knows which of the two
    /// was changed.
    ///
    /// # Errors
    /// The first [`Fault`] by position. Nothing can be said of what comes after it.
    pub fn take(&mut self, records: &[Kept], mut completed: impl FnMut(Tile)) -> Result<(), Fault> {
        let looked: Vec<Looked> = records.par_iter().with_min_len(64).map(Looked::at).collect();
        for record in looked {
            self.take_one(record, &mut completed)?;
        }
        Ok(())
    }

    fn take_one(&mut self, record: Looked, completed: &mut impl FnMut(Tile)) -> Result<(), Fault> {
        let position = Position(self.size() + 1);
        if record.is_another {
            self.disagree(Disagreement::Hash(position));
        }
        if let Err(fault) = self.place(position, record.said) {
            return Err(self.first(position, fault));
        }
        self.frontier.push_with(record.hash, completed);
        self.keep_root();
        Ok(())
    }

    /// Checks that the record says to be the one that belongs here.
    fn place(&mut self, position: Position, said: Result<Said, InvalidRecord>) -> Result<(), Fault> {
        let said = said.map_err(|cause| Fault::NotARecord { position, cause })?;
        if said.position != position {
            let found = said.position;
            return Err(Fault::OutOfPlace { position, found });
        }
        let version = self
            .streams
            .get(&said.stream)
            .map_or(Version::NONE, |head| head.version);
        if said.version != version.next() {
            return Err(Fault::VersionGap {
                position,
                expected: version.next(),
                found: said.version,
                stream: said.stream,
            });
        }
        if self.last_time.is_some_and(|last| said.recorded_at < last) {
            return Err(Fault::TimeWentBack { position });
        }
        if let Some(column) = said.wrong_column {
            return Err(Fault::Column { position, column });
        }
        self.last_time = Some(said.recorded_at);
        self.correlations.add(said.correlation, position);
        let version = said.version;
        self.streams.insert(said.stream, StreamHead { version, position });
        Ok(())
    }

    /// Which of two faults comes first: a disagreement, or `fault` of the record at `position`. At the same place, what
    /// stands there says more than that it was changed, unless only its order is wrong.
    fn first(&self, position: Position, fault: Fault) -> Fault {
        match self.disagreement {
            Some(here) if here.place() == (position, false) => match fault {
                Fault::NotARecord { .. } | Fault::OutOfPlace { .. } => fault,
                _ => here.of_the_record(),
            },
            _ => self.fail_at(position, fault),
        }
    }

    /// Remembers that something beside the records disagrees with them, if it is the first such thing.
    pub fn disagree(&mut self, found: Disagreement) {
        if self
            .disagreement
            .is_none_or(|known| found.place() < known.place())
        {
            self.disagreement = Some(found);
        }
    }

    /// What to say where the history cannot be followed any further because of `fault` at `position`: that, or what
    /// disagreed before.
    #[must_use]
    pub fn fail_at(&self, position: Position, fault: Fault) -> Fault {
        match self.disagreement {
            Some(earlier) if earlier.place() < (position, false) => earlier.of_the_record(),
            _ => fault,
        }
    }

    /// Decides, by a root that was signed, whether a record or what is kept beside it was changed. `signed` is the smallest
    /// signed checkpoint, as size and root, that the disagreement lies within.
    ///
    /// # Errors
    /// The [`Fault`], if there is a disagreement.
    pub fn judge(&self, signed: impl Fn(Position) -> Option<(u64, Hash)>) -> Result<(), Fault> {
        let Some(found) = self.disagreement else {
            return Ok(());
        };
        let vouched = signed(found.position()).is_some_and(|(size, root)| self.root_at(size) == Some(root));
        Err(if vouched {
            found.beside()
        } else {
            found.of_the_record()
        })
    }

    fn keep_root(&mut self) {
        if self.wanted.contains(&self.size()) {
            self.roots.insert(self.size(), self.frontier.root());
        }
    }

    /// How many records were taken.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// The root at one of the wanted sizes; `None` if the records do not reach so far.
    #[must_use]
    pub fn root_at(&self, size: u64) -> Option<Hash> {
        self.roots.get(&size).copied()
    }

    /// When the last record was recorded; `None` before the first.
    #[must_use]
    pub fn last_time(&self) -> Option<DateTime<Utc>> {
        self.last_time
    }

    /// Which chains of causes the records belong to.
    pub(super) fn correlations(&self) -> &Correlations {
        &self.correlations
    }

    /// Where each stream stands.
    #[must_use]
    pub fn streams(&self) -> &HashMap<StreamId, StreamHead> {
        &self.streams
    }
}
