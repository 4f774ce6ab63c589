//! What a projection is, and which ones there are.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Utc};
use domain::Event;
use eventing::{Position, StreamId, SubjectId};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    fold::{Fold, Projector},
    projections::{Accounts, Library, Playlists, TasteModels},
    store::{Generation, Snapshot, ViewError},
    view::{View, ViewAt},
};

/// A pure fold of streams to views: the same events in the same order give the same bytes.
pub(crate) trait Projection: Send + 'static {
    /// Part of what is stored; renaming it is a migration.
    const NAME: &'static str;
    /// Raise it when the fold changes, and the views are folded again from the start.
    const REVISION: u32;
    /// What is known of a stream in few bytes, read and written as a whole.
    type Head: Default + Serialize + DeserializeOwned + Send;

    /// Whether streams of `category` are folded.
    fn wants(category: &str) -> bool;

    /// Folds one event into a view that is not removed. Only a damaged entry is an error.
    fn apply(view: &mut ViewAt<'_, Self::Head>, fact: &Fact<'_>) -> Result<(), ViewError>;

    /// The entries that folding `event` reads, as far as the event tells. They are read beforehand, many at once, where
    /// that saves time; one that is left out is read when it is needed.
    fn reads(_event: &Event) -> Vec<String> {
        Vec::new()
    }

    /// Removes the lookups that lead to the view; its head is still there.
    fn forget(_view: &mut View<Self::Head>) {}

    /// True when `event` says that its person must be forgotten in every view.
    fn forgets(_event: &Event) -> bool {
        false
    }

    /// The stored streams about a person.
    fn streams_about(
        snapshot: &Snapshot,
        generation: Generation,
        subject: SubjectId,
    ) -> Result<Vec<StreamId>, ViewError>;
}

/// An event, with what its record says about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fact<'a> {
    pub(crate) event: &'a Event,
    pub(crate) position: Position,
    pub(crate) recorded_at: DateTime<Utc>,
}

/// The projections, sorted by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProjectionKind {
    /// Accounts and their sessions.
    Accounts,
    /// The current catalogue and the current base model.
    Library,
    /// Playlists, who owns them, and which of them wait to be made.
    Playlists,
    /// What each listener's ratings and plays add up to.
    TasteModels,
}

/// No projection has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no projection named {0}: known are accounts, library, playlists and taste-models")]
pub struct UnknownProjection(pub String);

/// Does the same for whichever projection a kind stands for.
macro_rules! with_projection {
    ($kind:expr, $P:ident => $body:expr) => {
        match $kind {
            ProjectionKind::Accounts => {
                type $P = Accounts;
                $body
            }
            ProjectionKind::Library => {
                type $P = Library;
                $body
            }
            ProjectionKind::Playlists => {
                type $P = Playlists;
                $body
            }
            ProjectionKind::TasteModels => {
                type $P = TasteModels;
                $body
            }
        }
    };
}

impl ProjectionKind {
    /// Every projection, in the order in which they are compared.
    pub const ALL: [Self; 4] = [Self::Accounts, Self::Library, Self::Playlists, Self::TasteModels];

    /// The name it is stored under.
    #[must_use]
    pub const fn name(self) -> &'static str {
        with_projection!(self, P => P::NAME)
    }

    /// The revision of the fold in this program. Views of another revision are folded again.
    #[must_use]
    pub const fn revision(self) -> u32 {
        with_projection!(self, P => P::REVISION)
    }

    /// Whether streams of `category` are folded by this projection.
    #[must_use]
    pub fn wants(self, category: &str) -> bool {
        with_projection!(self, P => P::wants(category))
    }

    pub(crate) fn start(self, generation: Generation) -> Box<dyn Fold> {
        with_projection!(self, P => Box::new(Projector::<P>::new(generation)))
    }
}

impl fmt::Display for ProjectionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ProjectionKind {
    type Err = UnknownProjection;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == text);
        found.ok_or_else(|| UnknownProjection(text.to_owned()))
    }
}
