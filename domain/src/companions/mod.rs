//! Companions: what listeners like together, counted across all of them and published in versions.

mod aggregate;
mod commands;
mod events;
mod rejections;

pub use aggregate::Companions;
pub use commands::CompanionsCommand;
pub use events::{CompanionsEvent, Published};
pub use rejections::CompanionsRejection;
