//! What a contestant may see, and what it is judged on: the same for all contestants, and a function of data and seed.

mod playlists;
mod ratings;

pub use playlists::{Challenge, Halves as PlaylistHalves, Protocol};
pub use ratings::{Course, Halves as RatingHalves, Unit};
