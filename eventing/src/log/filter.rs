//! Which records to read.

use crate::ids::{Position, StreamId};

/// The records to read: after a position, at most a number, and only those that every given field fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventFilter {
    /// Only later ones.
    pub after: Position,
    /// At most so many.
    pub limit: usize,
    /// Only this stream's.
    pub stream: Option<StreamId>,
    /// Only this type; with a `.` at the end, every type that starts so (`account.`).
    pub event_type: Option<String>,
    /// Only streams of this category.
    pub category: Option<String>,
}

impl EventFilter {
    /// Every record after `after`, at most `limit`.
    #[must_use]
    pub fn after(after: Position, limit: usize) -> Self {
        Self {
            after,
            limit,
            stream: None,
            event_type: None,
            category: None,
        }
    }
}
