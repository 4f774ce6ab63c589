//! What reads answer with.

use chrono::{DateTime, Utc};
use domain::{Rating, TrackId};
use eventing::{Position, Version};
use serde::Serialize;

use crate::store::Generation;

/// A view, with how far it reflects the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Viewed<T> {
    /// The view.
    pub view: T,
    /// The version of its stream that it reflects.
    pub version: Version,
    /// The position of that version.
    pub position: Position,
    /// The view holds everything of its stream at or below this position: the greater of `position` and the
    /// projection's checkpoint.
    pub reflects: Position,
}

impl<T> Viewed<T> {
    /// The same moment, another view.
    #[must_use]
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Viewed<U> {
        let Self {
            view,
            version,
            position,
            reflects,
        } = self;
        Viewed {
            view: change(view),
            version,
            position,
            reflects,
        }
    }

    pub(super) fn flat_map<U>(self, change: impl FnOnce(T) -> Option<U>) -> Option<Viewed<U>> {
        let Self {
            view,
            version,
            position,
            reflects,
        } = self;
        change(view).map(|view| Viewed {
            view,
            version,
            position,
            reflects,
        })
    }
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<String>,
    /// The list holds everything at or below this position.
    pub reflects: Position,
}

/// A track that a listener rated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RatedTrack {
    /// The track.
    pub track: TrackId,
    /// The rating that holds.
    pub rating: Rating,
    /// When it was rated.
    pub rated_at: DateTime<Utc>,
}

/// Where a projection stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProjectionStatus {
    /// The projection's name.
    pub projection: &'static str,
    /// The generation that is read.
    pub generation: Option<Generation>,
    /// The revision of the fold that made it.
    pub revision: Option<u32>,
    /// Whether that is this program's revision.
    pub is_current: bool,
    /// Everything wanted at or below this is stored.
    pub checkpoint: Position,
    /// How many views there are, removed ones included.
    pub views: u64,
    /// The generation that a rebuild is making, or has left unfinished.
    pub building: Option<Generation>,
}
