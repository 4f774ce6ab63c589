//! Who takes part. A contestant is a file beside this one and an entry here.

use super::{Ranking, World};
use super::{
    artist_knn, bayes_linear, blend, co_occurrence, gaussian_nb, generator, hierarchical_nb, popularity,
    random, same_artist,
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
    /// Whose ablation it is: that contestant without one of its parts.
    pub ablates: Option<&'static str>,
    /// Makes it, with its parts made already.
    pub build: for<'a> fn(World<'a>, Setting, Vec<Ranking<'a>>) -> Ranking<'a>,
}

/// The one that playlists are made with.
pub const USED: &str = generator::V2.name;

/// Why it is used whatever the others reach, as whole sentences.
pub const USED_BECAUSE: &str = "Its score is a sum whose parts are told to the listener; what it takes from other listeners are counts \
that name nobody and lie in the log, so that the same log gives the same bytes on every machine; and it ranks a million tracks in \
milliseconds.";

/// Everyone, in the order in which equals are reported.
pub const CONTESTANTS: &[Contestant] = &[
    generator::V2,
    generator::V1,
    artist_knn::CONTESTANT,
    same_artist::CONTESTANT,
    co_occurrence::CONTESTANT,
    bayes_linear::CONTESTANT,
    hierarchical_nb::CONTESTANT,
    gaussian_nb::CONTESTANT,
    blend::FULL,
    blend::WITHOUT_ARTISTS,
    blend::WITHOUT_AUDIO,
    blend::WITHOUT_CO_OCCURRENCE,
    blend::WITHOUT_POPULARITY,
    popularity::CONTESTANT,
    random::CONTESTANT,
];
