//! The standing of the contest of likes and dislikes.

use std::collections::BTreeSet;

use serde::Serialize;

use super::beside::{Beside, beside};
use super::effects::{Effect, effects};
use super::ranked::{Against, against};
use crate::contest::Held;
use crate::data::{Listener, Ratings};
use crate::discipline::{Discipline as _, Phase};
use crate::like_dislike::{COMPARED, Learned, LikeDislike, Point, SIZES};
use crate::metrics::{Bin, calibration_error, chance_error, pooled};
use crate::models::like::{CONTESTANTS, registry};
use crate::stats::{Estimate, bootstrap, mean};

/// Probabilities are judged after so many ratings.
pub const CALIBRATED_AT: usize = 50;

/// The table, and what it stands on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LikeStanding {
    /// The digest of the ratings' file.
    pub digest: String,
    /// How many listeners judged.
    pub listeners: usize,
    /// Whether intervals are over listeners; else over draws, which tell nothing of other listeners.
    pub over_listeners: bool,
    /// How many independent units an interval is over.
    pub units: usize,
    /// Likes and dislikes in the judging half.
    pub ratings: (usize, usize),
    /// Songs in the judging half: so many labels stand behind all probabilities.
    pub songs: usize,
    /// Beside the best single baseline after each number of ratings.
    pub beside: Vec<Beside>,
    /// The contestants, the best mean area under the curve first.
    pub rows: Vec<LikeRow>,
    /// What each feature does.
    pub effects: Vec<Effect>,
}

/// One contestant.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LikeRow {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub what: &'static str,
    /// The setting chosen on the tuning half.
    pub setting: String,
    /// Playlists are made with it.
    pub used: bool,
    /// The area under the curve after so many ratings.
    pub curve: Vec<CurvePoint>,
    /// Its mean from 5 ratings on.
    pub auc: Estimate,
    /// Against the used one, in [`LikeRow::auc`].
    pub against: Option<Against>,
    /// After [`CALIBRATED_AT`] ratings, in nats.
    pub log_loss: Option<Estimate>,
    /// After as many.
    pub brier: Option<Estimate>,
    /// After as many, over all units.
    pub calibration_error: Option<f64>,
    /// What chance alone would make of it: an error below that is none ([`chance_error`]).
    pub chance_error: Option<f64>,
    /// Predicting each of up to 200 ratings before it is learned, in nats.
    pub prequential: Option<Estimate>,
    /// Ten bins of probability after [`CALIBRATED_AT`] ratings; all 0 from those who only rank.
    pub reliability: Vec<Bin>,
}

/// One point of a learning curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CurvePoint {
    /// After so many ratings.
    pub ratings: usize,
    /// The area under the curve.
    pub auc: Estimate,
}

/// Outcomes of one contestant, one slice for each independent unit.
type Units<'a> = Vec<Vec<&'a Learned>>;

impl LikeStanding {
    pub(crate) fn of(contest: &LikeDislike<'_>, ratings: &Ratings, held: &Held, seed: u64) -> Self {
        let listeners = contest.halves.judging.len();
        let over_listeners = contest.halves.by_listener;
        let draws = contest.units(Phase::Judge).len() / listeners.max(1);
        let size = if over_listeners { draws } else { 1 };
        let units: Vec<Units<'_>> = held
            .outcomes
            .iter()
            .map(|outcomes| {
                outcomes
                    .chunks(size)
                    .map(|unit| unit.iter().map(|o| o.learned()).collect())
                    .collect()
            })
            .collect();
        let values: Vec<Vec<f64>> = units.iter().map(|units| each(units, compared)).collect();
        let used = CONTESTANTS
            .iter()
            .position(|c| c.name == registry::USED)
            .expect("the used one takes part");
        let against = against(&values, used, seed);
        let songs = songs(ratings, &contest.halves.judging);
        let mut rows: Vec<LikeRow> = (0..CONTESTANTS.len())
            .map(|index| {
                row(
                    index,
                    held.settings[index],
                    &units[index],
                    against[index],
                    songs,
                    seed,
                )
            })
            .collect();
        rows.sort_by(|a, b| b.auc.mean.total_cmp(&a.auc.mean));
        let judged = || contest.halves.judging.iter().flat_map(|listener| &listener.rated);
        let likes = judged().filter(|(_, liked)| *liked).count();
        Self {
            digest: ratings.digest.to_string(),
            listeners,
            over_listeners,
            units: units.first().map_or(0, Vec::len),
            ratings: (likes, judged().count() - likes),
            songs,
            beside: COMPARED
                .iter()
                .filter_map(|&size| beside(size, &aucs_at(&units, size), &held.settings, seed))
                .collect(),
            rows,
            effects: effects(ratings, &contest.halves.judging),
        }
    }

    /// The one that playlists are made with.
    ///
    /// # Panics
    /// Never: it takes part.
    #[must_use]
    pub fn used(&self) -> &LikeRow {
        self.rows
            .iter()
            .find(|row| row.used)
            .expect("the used one takes part")
    }
}

/// How many songs the listeners rated, each listener's by themselves.
fn songs(ratings: &Ratings, listeners: &[Listener]) -> usize {
    let of_listener = |listener: &Listener| {
        let songs = listener
            .rated
            .iter()
            .map(|(track, _)| ratings.catalogue.song(*track));
        songs.collect::<BTreeSet<u32>>().len()
    };
    listeners.iter().map(of_listener).sum()
}

/// The areas under the curve after so many ratings, by contestant and unit.
fn aucs_at(units: &[Units<'_>], size: usize) -> Vec<Vec<f64>> {
    units
        .iter()
        .map(|units| each(units, |learned| at(learned, size)?.auc))
        .collect()
}

/// The mean of what `of` finds in each unit; units in which it finds nothing are left out.
fn each(units: &Units<'_>, of: impl Fn(&Learned) -> Option<f64>) -> Vec<f64> {
    let of_unit = |unit: &Vec<&Learned>| {
        let found: Vec<f64> = unit.iter().filter_map(|learned| of(learned)).collect();
        (!found.is_empty()).then(|| mean(&found))
    };
    units.iter().filter_map(of_unit).collect()
}

fn at(learned: &Learned, ratings: usize) -> Option<&Point> {
    learned.curve.iter().find(|point| point.ratings == ratings)
}

/// The mean area under the curve from 5 ratings on: what contestants are ranked by.
fn compared(learned: &Learned) -> Option<f64> {
    let aucs: Vec<f64> = COMPARED
        .iter()
        .filter_map(|&size| at(learned, size)?.auc)
        .collect();
    (!aucs.is_empty()).then(|| mean(&aucs))
}

fn row(
    index: usize,
    setting: usize,
    units: &Units<'_>,
    against: Option<Against>,
    songs: usize,
    seed: u64,
) -> LikeRow {
    let contestant = &CONTESTANTS[index];
    let estimate = |of: &dyn Fn(&Learned) -> Option<f64>| {
        let values = each(units, of);
        (!values.is_empty()).then(|| bootstrap(&values, seed))
    };
    let calibration = |learned: &Learned| at(learned, CALIBRATED_AT)?.calibration.clone();
    let tables: Vec<Vec<Bin>> = units
        .iter()
        .flatten()
        .filter_map(|l| Some(calibration(l)?.reliability))
        .collect();
    let reliability = pooled(tables.iter().map(Vec::as_slice));
    let point = |&ratings: &usize| {
        let auc = estimate(&|learned| at(learned, ratings)?.auc)?;
        Some(CurvePoint { ratings, auc })
    };
    LikeRow {
        name: contestant.name,
        what: contestant.what,
        setting: contestant.grid[setting].text(),
        used: contestant.name == registry::USED,
        curve: SIZES.iter().filter_map(point).collect(),
        auc: bootstrap(&each(units, compared), seed),
        against,
        log_loss: estimate(&|learned| Some(calibration(learned)?.log_loss)),
        brier: estimate(&|learned| Some(calibration(learned)?.brier)),
        calibration_error: (!tables.is_empty()).then(|| calibration_error(&reliability)),
        chance_error: (!tables.is_empty()).then(|| chance_error(&reliability, songs)),
        prequential: estimate(&|learned| learned.prequential),
        reliability,
    }
}
