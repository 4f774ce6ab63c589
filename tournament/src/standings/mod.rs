//! What the contests came to, in numbers with their intervals.

mod beside;
mod continuation;
mod effects;
mod like_dislike;
mod ranked;

use serde::Serialize;

pub use beside::{Beside, Best};
pub use continuation::{ContinuationRow, ContinuationStanding, ProtocolStanding};
pub use effects::Effect;
pub use like_dislike::{CALIBRATED_AT, CurvePoint, LikeRow, LikeStanding};
pub use ranked::Against;

use crate::extent::Extent;

/// Both contests.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The program's version.
    pub version: &'static str,
    /// The seed of everything that was drawn.
    pub seed: u64,
    /// How much was computed.
    pub extent: Extent,
    /// Telling likes from dislikes.
    pub likes: Option<LikeStanding>,
    /// Continuing playlists.
    pub continuation: Option<ContinuationStanding>,
}
