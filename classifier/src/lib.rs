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
//! | [`companions`] | what listeners like together: integer counts across all of them, a canonical, digest-named artifact |
//! | [`learner`] | what one listener likes the sound of: linear and kernel models, calibration |
//! | [`model`] | prior and sums to quadratic coefficients (hierarchical Gaussian naive Bayes) |
//! | [`score`], [`topk`] | one pass over the columns, then the exact best of them |
//! | [`generate`] | the one entry point: [`generate::generate_playlist`] |
//! | [`inspect`] | what each term adds for given tracks, and what the hard rules left out |
//! | `ranking` | the exact best of a fast scan |
//! | `rules`, `seeds` | hard rules, and what a request wants a playlist to sound like |
//! | `v1`, [`v2`] | the versions of the generator |
//! | [`words`] | why a track was chosen, as a sentence |
//! | [`evaluate`] | how good rankings and predictions are |
//! | [`testing`] | what must hold for any bytes that a decoder is given |
//! | [`generator`] | a made-up catalogue for demonstrations and tests |
//!
//! **Portable arithmetic.** Everything that can reach a playlist's bytes uses `+ - * /` and `sqrt`, which IEEE 754
//! rounds alike everywhere, and the logarithm of [`numbers::ln`], which is built from them. The platform's own `ln`,
//! `exp` and `cos` are not used on that way.
//!
//! Deliberately not here: fetching, storing and publishing (see `workers`), and the stored shapes (see `domain`).

pub mod algebra;
pub mod base;
mod beliefs;
pub mod catalogue;
pub mod companions;
pub mod evaluate;
pub mod generate;
pub mod generator;
pub mod inspect;
pub mod learner;
pub mod model;
pub mod numbers;
mod ranking;
mod rules;
pub mod schema;
pub mod score;
mod seeds;
mod strings;
pub mod taste;
pub mod testing;
pub mod topk;
mod v1;
pub mod v2;
pub mod words;

pub use base::BaseModel;
pub use beliefs::{ArtistBelief, Beliefs, FeatureBelief, beliefs};
pub use catalogue::Catalogue;
pub use companions::Companions;
pub use generate::{Evidence, Failure, GeneratorVersion, Played, Rated, TasteInput, generate_playlist};
pub use rules::{Filtered, MAX_PER_ARTIST_DEFAULT};
pub use taste::TasteState;
