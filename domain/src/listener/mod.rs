//! Listeners: what a person likes, dislikes and has played. All of taste follows from these events alone.

mod aggregate;
mod commands;
mod events;
mod rejections;

pub use aggregate::{Held, Listener, RATINGS_MAX};
pub use commands::{ListenerCommand, NewRating};
pub use events::{Described, ListenerEvent, Rating, RatingRetracted, TrackPlayed, TrackRated};
pub use rejections::ListenerRejection;
