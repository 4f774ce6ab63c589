//! Playlists: asked for by a listener, answered once by a classifier, for good.

mod aggregate;
mod commands;
mod events;
mod rejections;
mod request;

pub use aggregate::{Answer, Playlist};
pub use commands::PlaylistCommand;
pub use events::{
    Arrangement, Failed, FailureReason, Generated, GeneratedTrack, LearnedFrom, PlaylistEvent, Pool,
    Requested,
};
pub use rejections::PlaylistRejection;
pub use request::{Arc, FieldError, Order, PlaylistRequest};
