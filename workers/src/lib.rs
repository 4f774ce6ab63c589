//! The roles behind the queues, and what playlists are made of.
//!
//! | module | its one job |
//! |---|---|
//! | [`usermanagement`] | keeps the view of accounts and sessions |
//! | [`mod@classifier`] | keeps the views of taste, playlists and library, and answers requests for playlists |
//! | [`generator`] | takes requests in, makes several at a time, and finds those that were missed |
//! | [`generation`] | one request to its one answer: a pure function of the log before it |
//! | [`inputs`] | what stood in the log before a request |
//! | [`library`] | decoded catalogues, base models and companions, by digest |
//! | [`measures`] | what the classifier says of its work at `/metrics` |
//! | [`companions`] | what listeners like together, folded from the log and published in it |
//! | [`registry`] | where base models lie, and which is current |
//! | [`explain`] | how a playlist came about, for auditors |
//! | [`recompute`](mod@recompute) | an answer computed again, for auditors |
//!
//! # What holds here
//! - A playlist depends on nothing but the log before its request: not on a clock, on which worker makes it, on how far
//!   its views have got, or on what else is being made.
//! - A request is answered once. The log decides: whoever is second is told so, and that is fine.
//! - A worker may be killed anywhere. What it had not stored is done again by it or by another.
//! - No log line here names a person, a track or a playlist's name.
//!
//! # What is deliberately not here
//! The rules are `domain`'s, the arithmetic `classifier`'s, the folds `projectors`', delivery `eventing`'s.

pub mod classifier;
pub mod companions;
pub mod explain;
pub mod generation;
pub mod generator;
pub mod inputs;
mod intake;
pub mod library;
pub mod measures;
mod parts;
pub mod recompute;
pub mod registry;
pub mod usermanagement;

pub use self::{
    classifier::{ClassifierSettings, ClassifierWorker},
    companions::{
        CheckedPublications, CompanionsSettings, CompanionsStatus, CompanionsTask, Following,
        PublicationCheck, PublicationDifference,
    },
    explain::{ExplainError, Explained, Explainer},
    generation::{Answer, Refusal},
    generator::{Generator, GeneratorSettings, GeneratorTask, Outcome},
    library::Library,
    measures::{GenerationMeasures, ModelInfo},
    parts::{CLASSIFICATION, Parts, USERMANAGEMENT, WorkerError, topology},
    recompute::{Cause, CheckAll, Checked, PlaylistDifference, Recomputed, Recomputer, recompute},
    registry::{Registry, RegistryError, watched::RegistryHealth},
    usermanagement::UsermanagementWorker,
};
