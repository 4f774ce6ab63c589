//! What is compared on: ratings of listeners, and playlists over a catalogue.
//!
//! The data judge; nothing that is published is fitted to them.

mod file;
mod playlists;
mod ratings;

pub use file::DataError;
pub use playlists::{Collection, Playlist};
pub use ratings::{Listener, Ratings};
