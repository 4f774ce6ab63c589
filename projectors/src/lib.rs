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

mod catalogues;
mod changes;
mod codec;
mod compare;
mod digest;
mod fold;
mod folding;
pub mod handler;
mod opened;
mod projection;
pub mod projections;
pub mod reader;
pub mod rebuild;
mod remembered;
pub mod replay;
mod scan;
pub mod store;
pub mod testing;
#[cfg(test)]
mod tests;
mod view;

pub use catalogues::{CatalogueError, Catalogues};
pub use changes::{Change, Changes, Until};
pub use codec::{DomainCodec, DomainExecutor};
pub use compare::{Difference, DifferenceKind};
pub use digest::{Digests, digest};
pub use handler::ProjectionHandler;
pub use projection::{ProjectionKind, UnknownProjection};
pub use projections::{
    accounts::{AccountView, SessionView},
    library::{CatalogueView, ModelView},
    playlists::{PlaylistStatus, PlaylistView},
    taste_models::{ListenerTaste, PLAYS_KEPT, Played, Rated, RatingView, TasteView},
};
pub use reader::{Page, ProjectionStatus, RatedTrack, ViewReader, Viewed, listener_taste_as_of};
pub use rebuild::{Rebuilt, rebuild, rebuild_together};
pub use replay::{Replayed, fold_until, replay};
pub use store::{Generation, RedisConfig, StoreStatus, ViewError, ViewStore};
