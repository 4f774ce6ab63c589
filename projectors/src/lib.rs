//! Folds the log into views, and keeps them where they can be read in microseconds.
//!
//! # What holds here
//! - Every view is a pure fold of the log: throw the store away and it comes back identical ([`rebuild()`], [`replay()`]).
//! - The views and lookups of a batch are stored in one transaction, the checkpoint after it, and a view moves only from the version
//!   it was folded from ([`store`]). So events may come twice, late, or to several processes at once.
//! - Once a person is forgotten, no view holds anything about them, whatever comes later.
//! - No view holds a user name or a password hash.
//!
//! # What is deliberately not here
//! Effects: nothing is sent, appended or generated. Deciding is `domain`'s, delivering is `eventing`'s.
//!
//! Read next: the [`projections`], then [`handler`], then [`rebuild`](mod@rebuild).

pub mod as_of;
mod catalogues;
mod changes;
mod codec;
mod compare;
mod diff;
mod digest;
mod filtered;
mod fold;
mod folding;
pub mod handler;
mod kept;
mod opened;
mod projection;
pub mod projections;
pub mod reader;
pub mod rebuild;
mod remembered;
pub mod replay;
mod scan;
mod scratch;
pub mod store;
mod taste_told;
mod taste_walk;
pub mod testing;
#[cfg(test)]
mod tests;
mod view;

pub use as_of::{AsOfError, At, AtError, History, InvalidAt, Moment, State, StateAt};
pub use catalogues::{CatalogueError, Catalogues};
pub use changes::{Change, Changes, Until};
pub use codec::{DomainCodec, DomainExecutor};
pub use compare::{Difference, DifferenceKind};
pub use diff::{LogDiff, ProjectionDiff, StreamDiff, ViewChange, log_diff};
pub use digest::{Digests, digest};
pub use filtered::each_filtered;
pub use handler::ProjectionHandler;
pub use opened::{Content, Fault, Opened, open_all};
pub use projection::{ProjectionKind, UnknownProjection};
pub use projections::{
    accounts::{AccountView, SessionView},
    library::{CatalogueView, ModelView},
    playlists::{PlaylistStatus, PlaylistView},
    taste_models::{ListenerTaste, PLAYS_KEPT, Played, Rated, RatingView, TasteView},
};
pub use reader::{Page, ProjectionStatus, RatedTrack, ViewReader, Viewed, listener_taste_as_of};
pub use rebuild::{Rebuilt, rebuild, rebuild_together};
pub use replay::{FoldedProjection, FoldedViews, Replayed, fold_until, fold_watched, replay, replay_watched};
pub use scan::{Count, Watcher};
pub use store::{Generation, RedisConfig, StoreStatus, ViewError, ViewStore};
pub use taste_told::TasteTold;
pub use taste_walk::TasteWalk;
