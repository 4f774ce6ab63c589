//! The contestants: one file each, and a line in a registry.

pub mod continuation;
pub mod like;
mod setting;

pub use setting::{GRID_MAX, Setting};
