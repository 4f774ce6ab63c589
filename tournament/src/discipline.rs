//! One kind of contest: who takes part, on what, and what they reach.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::continuation::Ranked;
use crate::like_dislike::Learned;
use crate::models::Setting;

/// Whether a cell chooses a setting or judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    /// On the tuning half.
    Tune,
    /// On the judging half.
    Judge,
}

/// What a contestant reached on one unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// In telling likes from dislikes.
    Learned(Learned),
    /// In continuing a playlist.
    Ranked(Ranked),
}

/// A contestant, as the run of a contest sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entrant {
    pub(crate) name: &'static str,
    pub(crate) grid: &'static [Setting],
    pub(crate) parts: &'static [&'static str],
}

/// The chosen setting of each contestant, by name.
pub(crate) type Chosen = BTreeMap<&'static str, usize>;

/// A contest.
pub(crate) trait Discipline: Sync {
    /// Its name in a state file.
    const NAME: &'static str;

    /// Everyone who takes part; parts before those who join them or after, all the same.
    fn entrants(&self) -> Vec<Entrant>;

    /// The names of the units of a phase.
    fn units(&self, phase: Phase) -> Vec<String>;

    /// What the contestant of index `entrant` reaches with a setting of its grid on the unit of that index. A pure
    /// function.
    fn judge(&self, phase: Phase, entrant: usize, setting: usize, chosen: &Chosen, unit: usize) -> Outcome;

    /// How good a setting is, from its outcomes on all tuning units: the first number decides, the second between
    /// equals.
    fn value(&self, outcomes: &[Outcome]) -> (f64, f64);
}
