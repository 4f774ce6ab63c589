//! Reading by what no index leads to, and by time, in bounded steps.

use chrono::{DateTime, Utc};

use super::{EventFilter, EventLog, LogError};
use crate::ids::{CorrelationId, Position};
use crate::record::RecordedEvent;

/// Records looked into by one query: some milliseconds of reading, so that other readers get their turn.
const WINDOW: u64 = 20_000;
/// Records looked into by one search: a caller that wants more asks again, and can be stopped in between.
pub const SEARCHED_MAX: u64 = 200_000;

/// What a search found, and how far it looked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The records, in order.
    pub events: Vec<RecordedEvent>,
    /// Everything up to here was looked at: the place to go on after. With as many records as were asked for it is the
    /// last one's; with fewer it is the end of the log, or of what was asked for, unless the search stopped before at its bound.
    pub searched_to: Position,
    /// Whether all that was asked for and is in the log was looked at, up to its head as the search began.
    pub is_at_the_end: bool,
}

impl EventLog {
    /// The next records that `filter` lets through, in order, as of the head of the log now. Looks through at most
    /// [`SEARCHED_MAX`] records where no index leads to them.
    ///
    /// # Errors
    /// [`LogError`] if the log cannot be read or a record is damaged.
    pub async fn search(&self, filter: EventFilter) -> Result<Found, LogError> {
        let head = self.head().await?;
        let end = filter.until.map_or(head, |until| until.min(head));
        let mut found = Found {
            events: Vec::new(),
            searched_to: filter.after,
            is_at_the_end: false,
        };
        if let Some(correlation) = filter.correlation {
            self.search_index(&filter, correlation, end, &mut found).await?;
        }
        let (last, window) = match filter.looks_through_records() {
            true => (
                end.min(Position(found.searched_to.0.saturating_add(SEARCHED_MAX))),
                WINDOW,
            ),
            false => (end, u64::MAX),
        };
        while found.searched_to < last && found.events.len() < filter.limit {
            let until = last.min(Position(found.searched_to.0.saturating_add(window)));
            self.search_window(&filter, until, &mut found).await?;
        }
        found.is_at_the_end = found.searched_to >= end;
        Ok(found)
    }

    /// Adds what the index beside the tree knows of a chain of causes, up to `end`. It covers what the tree covers; what was
    /// appended since is left to the windows.
    async fn search_index(
        &self,
        filter: &EventFilter,
        correlation: CorrelationId,
        end: Position,
        found: &mut Found,
    ) -> Result<(), LogError> {
        let tree = self.tree();
        let covered = Position(tree.size().await?).min(end);
        while found.searched_to < covered && found.events.len() < filter.limit {
            let limit = filter.limit - found.events.len();
            let mut positions = tree.correlated(correlation, found.searched_to, limit).await?;
            positions.retain(|position| *position <= covered);
            for &position in &positions {
                let event = self.read_after(Position(position.0 - 1), 1).await?;
                found
                    .events
                    .extend(event.into_iter().filter(|event| filter.fits(event)));
                found.searched_to = position;
            }
            if positions.len() < limit {
                found.searched_to = covered;
            }
        }
        Ok(())
    }

    /// Adds what is found up to `until`, unless the limit is reached before.
    async fn search_window(
        &self,
        filter: &EventFilter,
        until: Position,
        found: &mut Found,
    ) -> Result<(), LogError> {
        let limit = filter.limit - found.events.len();
        let part = EventFilter {
            after: found.searched_to,
            until: Some(until),
            limit,
            ..filter.clone()
        };
        let read = self.read_likely(&part).await?;
        found.searched_to = match read.last() {
            Some(last) if read.len() >= limit => last.position,
            _ => until,
        };
        found
            .events
            .extend(read.into_iter().filter(|event| filter.fits(event)));
        Ok(())
    }

    /// The position of the last record before `time`; 0 if there is none. Times never go back in the log, so this halves
    /// it again and again.
    ///
    /// # Errors
    /// [`LogError`] if the log cannot be read or a record is damaged.
    pub async fn last_before(&self, time: DateTime<Utc>) -> Result<Position, LogError> {
        let (mut before, mut end) = (0, self.head().await?.0);
        while before < end {
            let middle = before + (end - before).div_ceil(2);
            let event = self.read_after(Position(middle - 1), 1).await?;
            match event.first() {
                Some(event) if event.recorded_at < time => before = middle,
                _ => end = middle - 1,
            }
        }
        Ok(Position(before))
    }
}
