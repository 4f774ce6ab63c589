//! Companions: what listeners like together, as integer counts.
//!
//! [`Likes`] folds what each listener likes; [`Companions`] is what they come to: for each artist (by name) the artists
//! that listeners who like it also like, and the same for tracks (by id). Nothing in [`Companions`] names a listener.
//!
//! # Rules
//! - A listener counts once for a thing or a pair of things, however many likes lead to it. An artist is liked by whoever
//!   likes a track of theirs, as the track was described when it was rated.
//! - Of a listener with more than [`LIKES_COUNTED_MAX`] likes those tracks count that the most listeners like, equals by
//!   id, so that one listener cannot dominate.
//! - How strongly two things belong together is the cosine `both / sqrt(a * b)` of the sets of their listeners (Salton and
//!   McGill 1983). Per artist the [`ARTIST_COMPANIONS_MAX`] strongest are kept, per track [`TRACK_COMPANIONS_MAX`]; equals
//!   by name. Strengths are compared as exact integers.
//! - From [`MANY_LISTENERS`] listeners on, pairs that only one listener has in common are left out: they would tell
//!   something about a person and little about music.
//! - What has no companion and is no companion is left out.
//!
//! The same likes give the same bytes, in whatever order they came.

mod bytes;
mod count;
mod likes;
mod table;

use domain::Digest;

pub use bytes::CompanionsError;
pub use likes::Likes;
pub use table::{Companion, Table};

/// Likes of one listener that are counted at most. Pairs grow with the square of this.
pub const LIKES_COUNTED_MAX: usize = 1_000;
/// Companions kept per artist.
pub const ARTIST_COMPANIONS_MAX: usize = 100;
/// Companions kept per track. There are many more tracks than artists.
pub const TRACK_COMPANIONS_MAX: usize = 50;
/// From so many listeners on, a pair needs more than one of them.
pub const MANY_LISTENERS: u32 = 1_000;

/// What listeners like together: counts, in a canonical form that its digest names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Companions {
    digest: Digest,
    listeners: u32,
    likes: u64,
    artists: Table,
    tracks: Table,
}

impl Companions {
    /// No listener and no pair: what is current while there are too few listeners.
    #[must_use]
    pub fn none() -> Self {
        Self::assemble(0, 0, Table::default(), Table::default())
    }

    /// Counts `likes`. Takes time in proportion to the sum over the listeners of their likes squared, and memory in
    /// proportion to the likes.
    #[must_use]
    pub fn count(likes: &Likes) -> Self {
        Self::count_while(likes, || true).expect("nothing says no")
    }

    /// Counts `likes` as [`Companions::count`] does, and gives up with `None` soon after `goes_on` says no.
    #[must_use]
    pub fn count_while(likes: &Likes, goes_on: impl Fn() -> bool) -> Option<Self> {
        let counted = count::count(likes, &goes_on)?;
        Some(Self::assemble(
            counted.listeners,
            counted.likes,
            counted.artists,
            counted.tracks,
        ))
    }

    /// The digest of the canonical bytes.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// How many listeners like something.
    #[must_use]
    pub fn listeners(&self) -> u32 {
        self.listeners
    }

    /// How many of their likes are counted.
    #[must_use]
    pub fn likes(&self) -> u64 {
        self.likes
    }

    /// The artists, by name.
    #[must_use]
    pub fn artists(&self) -> &Table {
        &self.artists
    }

    /// The tracks, by id.
    #[must_use]
    pub fn tracks(&self) -> &Table {
        &self.tracks
    }

    /// The pairs that may be kept need so many common listeners.
    const fn both_min(listeners: u32) -> u32 {
        if listeners >= MANY_LISTENERS { 2 } else { 1 }
    }

    fn assemble(listeners: u32, likes: u64, artists: Table, tracks: Table) -> Self {
        let mut companions = Self {
            digest: Digest::from_bytes([0; 32]),
            listeners,
            likes,
            artists,
            tracks,
        };
        companions.digest = Digest::of(companions.to_bytes());
        companions
    }
}
