//! Contestants that continue a playlist: they rank a whole catalogue after some of its songs were shown. None reads the
//! catalogue's genres, which were derived from playlists.

mod artist_knn;
mod bayes_linear;
mod blend;
mod co_occurrence;
mod gaussian_nb;
mod generator;
mod hierarchical_nb;
mod neighbours;
mod popularity;
mod random;
pub mod registry;
mod same_artist;
mod world;

pub use registry::{CONTESTANTS, Contestant};
pub use world::{Known, Shown, World};

/// Continues a playlist.
pub trait Continuation {
    /// A score for each track of the catalogue, in its order: higher is better, minus infinity is out of the choice,
    /// never NaN. Shown songs and second recordings of a song are taken out by the caller.
    fn rank(&self, shown: Shown<'_>) -> Vec<f32>;
}

/// A ranking and the world that it looks at.
pub type Ranking<'a> = Box<dyn Continuation + 'a>;
