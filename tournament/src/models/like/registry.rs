//! Who takes part. A contestant is a file beside this one and an entry here.

use super::{Model, World};
use super::{
    bayes_linear, bayes_logistic, blend, forest, gaussian_nb, gaussian_process, hierarchical_nb, like_rate,
    linfa_logistic, listener, log_odds, mean_rank, nearest, popularity, random,
};
use crate::models::Setting;

/// Someone who takes part.
#[derive(Debug, Clone, Copy)]
pub struct Contestant {
    /// Its name in the report.
    pub name: &'static str,
    /// What it does, as the rest of a sentence.
    pub what: &'static str,
    /// At most [`crate::models::GRID_MAX`] settings.
    pub grid: &'static [Setting],
    /// The contestants that it joins, each with its own chosen setting.
    pub parts: &'static [&'static str],
    /// Makes it, with its parts made already.
    pub build: for<'a> fn(World<'a>, Setting, Vec<Model<'a>>) -> Model<'a>,
}

/// The one that playlists are made with.
pub const USED: &str = "Segue's learner";

/// The same one where no base model was published: it knows nothing of other people.
pub const NEUTRAL: &str = "Segue's learner, neutral base";

/// Why it is used whatever the others reach, as whole sentences.
pub const USED_BECAUSE: &str = "It is a function of the set of ratings, so that any order of the same ratings gives the same \
bytes and a rating that was taken back leaves no trace; it says something sensible from the first rating on; the linear \
part ranks a million tracks in milliseconds and tells each feature's share.";

/// Everyone, in the order in which equals are reported.
pub const CONTESTANTS: &[Contestant] = &[
    listener::CONTESTANT,
    listener::NEUTRAL,
    hierarchical_nb::CONTESTANT,
    bayes_linear::CONTESTANT,
    bayes_logistic::CONTESTANT,
    gaussian_process::CONTESTANT,
    forest::CONTESTANT,
    nearest::CONTESTANT,
    linfa_logistic::CONTESTANT,
    gaussian_nb::SCALED,
    gaussian_nb::RAW,
    log_odds::CONTESTANT,
    blend::CONTESTANT,
    mean_rank::CONTESTANT,
    popularity::CONTESTANT,
    like_rate::CONTESTANT,
    random::CONTESTANT,
];
