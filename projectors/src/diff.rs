//! What changed between two positions of the log, told from its records without opening one.

use std::collections::{BTreeMap, HashMap, HashSet};

use eventing::{EventFilter, EventLog, LogError, Position, RecordedEvent, StreamId, SubjectId, Version};
use serde::Serialize;

use domain::{AccountId, PlaylistId};

use crate::{ProjectionKind, as_of::ERASED, filtered::each_filtered, scan::Count};

/// Records read from the log at a time.
const PAGE: usize = 1_000;
/// Streams that are listed of each projection; the rest is counted.
const LISTED_MAX: usize = 1_000;
/// The name under which streams stand that no projection folds.
const NOT_PROJECTED: &str = "none";

/// What changed behind one position, up to and including another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogDiff {
    /// Not included.
    pub from: Position,
    /// Included.
    pub to: Position,
    /// How many events were recorded.
    pub events: u64,
    /// How many of each type.
    pub by_type: BTreeMap<String, u64>,
    /// What became of the views, by projection; of one without a change nothing is told.
    pub projections: Vec<ProjectionDiff>,
}

/// What became of one projection's views.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProjectionDiff {
    /// Its name; `none` for streams that no projection folds.
    pub projection: &'static str,
    /// Views that came up.
    pub added: u64,
    /// Views that were there and changed.
    pub changed: u64,
    /// Views that went, since their person was erased.
    pub removed: u64,
    /// The views, in the order of their streams; the first [thousand](Self::unlisted).
    pub streams: Vec<StreamDiff>,
    /// How many more there are.
    pub unlisted: u64,
}

/// What became of one stream's view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StreamDiff {
    /// The stream.
    pub stream: StreamId,
    /// What became of it.
    pub change: ViewChange,
    /// The stream's version before; 0 when it was not there.
    pub from_version: Version,
    /// The stream's version after.
    pub to_version: Version,
}

/// What became of a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ViewChange {
    /// It came up.
    Added,
    /// It was there and changed.
    Changed,
    /// It went, since its person was erased.
    Removed,
    /// It came up, and its person was erased.
    AddedAndRemoved,
}

/// Reads what was recorded behind `from` up to and including `to`, and tells what that did to the views. Memory grows with the
/// streams that changed. `read` grows by every event that is read.
///
/// # Errors
/// [`LogError`] if the log cannot be read.
pub async fn log_diff(
    log: &EventLog,
    from: Position,
    to: Position,
    read: &Count,
) -> Result<LogDiff, LogError> {
    let mut changes = Changes::default();
    let mut after = from;
    while after < to {
        let limit = PAGE.min(usize::try_from(to.0 - after.0).unwrap_or(PAGE));
        let events = log.read_after(after, limit).await?;
        let Some(last) = events.last() else { break };
        after = last.position;
        read.fetch_add(events.len() as u64, std::sync::atomic::Ordering::Relaxed);
        events.iter().for_each(|event| changes.note(event));
    }
    if !changes.erased.is_empty() {
        changes.remove(log, from, to).await?;
    }
    Ok(changes.told(from, to))
}

/// The versions of a stream before and after.
#[derive(Clone, Copy)]
struct Versions {
    from: Version,
    to: Version,
    is_removed: bool,
}

#[derive(Default)]
struct Changes {
    events: u64,
    by_type: BTreeMap<String, u64>,
    streams: HashMap<StreamId, Versions>,
    erased: HashSet<SubjectId>,
}

impl Changes {
    fn note(&mut self, event: &RecordedEvent) {
        self.events += 1;
        match self.by_type.get_mut(&event.event_type) {
            Some(count) => *count += 1,
            None => _ = self.by_type.insert(event.event_type.clone(), 1),
        }
        if event.event_type == ERASED {
            self.erased.extend(event.subject);
        }
        match self.streams.get_mut(&event.stream) {
            Some(versions) => versions.to = event.version,
            None => {
                let versions = Versions {
                    from: Version(event.version.0 - 1),
                    to: event.version,
                    is_removed: false,
                };
                self.streams.insert(event.stream.clone(), versions);
            }
        }
    }

    /// Marks every view about somebody who was erased.
    async fn remove(&mut self, log: &EventLog, from: Position, to: Position) -> Result<(), LogError> {
        for subject in self.erased.clone() {
            for category in [AccountId::CATEGORY, AccountId::LISTENER_CATEGORY] {
                self.remove_stream(log, StreamId::new(category, subject.as_uuid()), from, to)
                    .await?;
            }
        }
        let filter = EventFilter {
            category: Some(PlaylistId::CATEGORY.to_owned()),
            ..EventFilter::after(Position::START, PAGE)
        };
        let mut playlists = Vec::new();
        each_filtered::<LogError>(log, filter, to, |event| {
            let is_erased = event
                .subject
                .is_some_and(|subject| self.erased.contains(&subject));
            if is_erased && event.version == Version(1) {
                playlists.push(event.stream.clone());
            }
            Ok(())
        })
        .await?;
        for playlist in playlists {
            self.remove_stream(log, playlist, from, to).await?;
        }
        Ok(())
    }

    async fn remove_stream(
        &mut self,
        log: &EventLog,
        stream: StreamId,
        from: Position,
        to: Position,
    ) -> Result<(), LogError> {
        if let Some(versions) = self.streams.get_mut(&stream) {
            versions.is_removed = true;
            return Ok(());
        }
        let versions = Versions {
            from: log.stream_version_before(&stream, from.next()).await?,
            to: log.stream_version_before(&stream, to.next()).await?,
            is_removed: true,
        };
        if versions.from > Version::NONE {
            self.streams.insert(stream, versions);
        }
        Ok(())
    }

    fn told(self, from: Position, to: Position) -> LogDiff {
        let mut streams: Vec<_> = self.streams.into_iter().collect();
        streams.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        let mut projections = BTreeMap::<&'static str, ProjectionDiff>::new();
        for (stream, versions) in streams {
            let mut kinds = ProjectionKind::ALL.into_iter();
            let kind = kinds.find(|kind| kind.wants(stream.category()));
            let name = kind.map_or(NOT_PROJECTED, ProjectionKind::name);
            let diff = projections
                .entry(name)
                .or_insert_with(|| ProjectionDiff::none(name));
            diff.count(stream, versions);
        }
        LogDiff {
            from,
            to,
            events: self.events,
            by_type: self.by_type,
            projections: projections.into_values().collect(),
        }
    }
}

impl ProjectionDiff {
    fn none(projection: &'static str) -> Self {
        Self {
            projection,
            added: 0,
            changed: 0,
            removed: 0,
            streams: Vec::new(),
            unlisted: 0,
        }
    }

    fn count(&mut self, stream: StreamId, versions: Versions) {
        let change = match (versions.from == Version::NONE, versions.is_removed) {
            (true, false) => ViewChange::Added,
            (false, false) => ViewChange::Changed,
            (false, true) => ViewChange::Removed,
            (true, true) => ViewChange::AddedAndRemoved,
        };
        match change {
            ViewChange::Added => self.added += 1,
            ViewChange::Changed => self.changed += 1,
            ViewChange::Removed => self.removed += 1,
            ViewChange::AddedAndRemoved => {}
        }
        if self.streams.len() >= LISTED_MAX {
            self.unlisted += 1;
            return;
        }
        self.streams.push(StreamDiff {
            stream,
            change,
            from_version: versions.from,
            to_version: versions.to,
        });
    }
}
