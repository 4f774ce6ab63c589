//! Base models: the prior that every listener's taste starts from, published in versions.

mod aggregate;
mod commands;
mod events;
mod rejections;

pub use aggregate::BaseModel;
pub use commands::BaseModelCommand;
pub use events::{BaseModelEvent, Published};
pub use rejections::BaseModelRejection;
