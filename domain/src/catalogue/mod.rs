//! The catalogue: which tracks there are, in versions named by the digest of their content.

mod aggregate;
mod commands;
mod events;
mod rejections;
mod schema;

pub use aggregate::Catalogue;
pub use commands::CatalogueCommand;
pub use events::{CatalogueEvent, Imported};
pub use rejections::CatalogueRejection;
pub use schema::{Feature, FeatureSchema, Transform};
