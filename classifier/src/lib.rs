//! Taste models and playlists, as pure functions.
//!
//! Nothing here reads a clock, a file name, the environment or the network, and nothing here is random that is not
//! seeded by its caller: the same inputs give the same bytes on every machine. That is what lets an auditor compute a
//! playlist again and compare.
//!
//! | module | its one job |
//! |---|---|
//! | [`catalogue`] | every track of one version in memory: columns, canonical bytes, import, text search |
//! | [`schema`] | which audio features there are and how they are standardised |
//! | [`taste`] | what a listener rated, as exact integer sums |
//! | [`base`] | the prior every listener starts from: a canonical, digest-named artifact |
//! | [`model`] | prior and sums to quadratic coefficients (hierarchical Gaussian naive Bayes) |
//! | [`score`], [`topk`] | one pass over the columns, then the exact best of them |
//! | [`generate`] | the one entry point: [`generate::generate_playlist`] |
//! | [`sequence`] | the order in which the chosen tracks are heard |
//! | [`evaluate`] | ranking metrics |
//! | [`generator`] | a made-up catalogue for demonstrations and tests |
//!
//! **Portable arithmetic.** Everything that can reach a playlist's bytes uses `+ - * /` and `sqrt`, which IEEE 754
//! rounds alike everywhere, and the logarithm of [`numbers::ln`], which is built from them. The platform's own `ln`,
//! `exp` and `cos` are not used on that way.
//!
//! Deliberately not here: fetching, storing and publishing (see `workers`), and the stored shapes (see `domain`).

pub mod base;
pub mod catalogue;
pub mod evaluate;
mod explain;
pub mod generate;
pub mod generator;
pub mod model;
pub mod numbers;
pub mod schema;
pub mod score;
mod select;
pub mod sequence;
mod strings;
pub mod taste;
pub mod topk;

pub use base::BaseModel;
pub use catalogue::Catalogue;
pub use generate::{Failure, GENERATOR_VERSION, TasteInput, generate_playlist};
pub use taste::TasteState;
