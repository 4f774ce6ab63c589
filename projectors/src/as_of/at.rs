//! A point in the history, as a caller names it: by position or by time.

use std::{fmt, str::FromStr};

use chrono::{DateTime, SecondsFormat, Utc};
use eventing::{EventLog, LogError, Position};
use serde::Serialize;

/// A position (`1200`) or an RFC 3339 time (`2026-11-03T12:00:00Z`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// After the record of this position.
    Position(Position),
    /// After the last record that was recorded no later than this.
    Time(DateTime<Utc>),
}

/// The text is neither a position nor an RFC 3339 time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is a position, such as 1200, or an RFC 3339 time, such as 2026-11-03T12:00:00Z")]
pub struct InvalidAt;

/// A point in the history that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Moment {
    /// The last record that counts; 0 when there was none yet.
    pub position: Position,
    /// The time that was asked for, or else when that record was recorded.
    pub time: DateTime<Utc>,
}

/// There is no such point in the history.
#[derive(Debug, thiserror::Error)]
pub enum AtError {
    /// The log does not reach so far.
    #[error("position {position} is beyond the end of the log, which is {head}")]
    BeyondHead {
        /// What was asked for.
        position: Position,
        /// The last position.
        head: Position,
    },
    /// What holds then is not known yet.
    #[error("{} lies in the future", .0.to_rfc3339_opts(SecondsFormat::AutoSi, true))]
    InFuture(DateTime<Utc>),
    /// The log could not be read.
    #[error("the log could not be read")]
    Log(#[from] LogError),
}

impl FromStr for At {
    type Err = InvalidAt;

    fn from_str(text: &str) -> Result<Self, InvalidAt> {
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return text.parse().map(Self::Position).map_err(|_| InvalidAt);
        }
        let time = DateTime::parse_from_rfc3339(text).map_err(|_| InvalidAt)?;
        Ok(Self::Time(time.to_utc()))
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Position(position) => position.fmt(f),
            Self::Time(time) => f.write_str(&time.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
        }
    }
}

impl At {
    /// Finds the point in `log`. Times never go back along the log, so a time takes a binary search: some twenty reads
    /// of one record for a million.
    ///
    /// # Errors
    /// [`AtError`]: the log has no such point, or could not be read.
    pub async fn find(self, log: &EventLog, now: DateTime<Utc>) -> Result<Moment, AtError> {
        let head = log.head().await?;
        match self {
            Self::Position(position) if position > head => Err(AtError::BeyondHead { position, head }),
            Self::Position(position) => {
                let time = recorded_at(log, position).await?;
                Ok(Moment { position, time })
            }
            Self::Time(time) if time > now => Err(AtError::InFuture(time)),
            Self::Time(time) => {
                let position = last_at(log, head, time).await?;
                Ok(Moment { position, time })
            }
        }
    }
}

/// The last position up to `head` that was recorded no later than `time`.
async fn last_at(log: &EventLog, head: Position, time: DateTime<Utc>) -> Result<Position, LogError> {
    let (mut from, mut to) = (Position::START.0, head.0);
    while from < to {
        let middle = from + (to - from).div_ceil(2);
        if recorded_at(log, Position(middle)).await? <= time {
            from = middle;
        } else {
            to = middle - 1;
        }
    }
    Ok(Position(from))
}

/// When the record at `position` was recorded; before all times when there is none.
async fn recorded_at(log: &EventLog, position: Position) -> Result<DateTime<Utc>, LogError> {
    let Some(before) = position.0.checked_sub(1) else {
        return Ok(DateTime::<Utc>::MIN_UTC);
    };
    let record = log.read_after(Position(before), 1).await?.pop();
    Ok(record.map_or(DateTime::<Utc>::MAX_UTC, |record| record.recorded_at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_named_by_a_position_or_a_time() {
        assert_eq!("12".parse(), Ok(At::Position(Position(12))));
        let time: At = "2026-11-03T14:00:00.5+02:00".parse().unwrap();
        assert_eq!(time.to_string(), "2026-11-03T12:00:00.500Z");
        for wrong in ["", "-1", "1.5", "yesterday", "2026-11-03", "99999999999999999999"] {
            assert_eq!(wrong.parse::<At>(), Err(InvalidAt), "{wrong}");
        }
    }
}
