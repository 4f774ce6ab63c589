//! Contestants that tell what a listener likes from what they dislike.

mod bayes_linear;
mod bayes_logistic;
mod blend;
mod forest;
mod gaussian_nb;
mod gaussian_process;
mod hierarchical_nb;
mod like_rate;
mod linfa_logistic;
mod listener;
mod log_odds;
mod mean_rank;
mod nearest;
mod popularity;
mod random;
pub mod registry;
mod world;

pub use registry::{CONTESTANTS, Contestant};
pub(crate) use world::quadratic;
pub use world::{Person, World};

/// Learns one listener's likes and dislikes.
pub trait LikeModel {
    /// Forgets all and learns `rated`: tracks and whether they were liked. Any number of them, of either kind.
    fn fit(&mut self, rated: &[(u32, bool)]);

    /// How well a track is liked: higher is better, always finite, comparable within one fit.
    fn score(&self, track: u32) -> f64;

    /// How probably a track is liked; `None` from models that only rank.
    fn probability(&self, track: u32) -> Option<f64> {
        let _ = track;
        None
    }
}

/// A model and the world that it looks at.
pub type Model<'a> = Box<dyn LikeModel + 'a>;
