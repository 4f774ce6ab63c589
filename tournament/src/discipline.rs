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

/// Someone who takes part in a contest, made for a world with a setting.
pub(crate) trait TakesPart {
    /// What it may look at.
    type World<'a>: Copy;
    /// What it then is.
    type Model<'a>;

    /// As the run of the contest sees it.
    fn entrant(&self) -> Entrant;

    /// Makes it, with its parts made already.
    fn made<'a>(
        &self,
        world: Self::World<'a>,
        setting: Setting,
        parts: Vec<Self::Model<'a>>,
    ) -> Self::Model<'a>;
}

/// All of them, as the run of the contest sees them.
pub(crate) fn entrants(all: &[impl TakesPart]) -> Vec<Entrant> {
    all.iter().map(TakesPart::entrant).collect()
}

/// The contestant of index `entrant` with its parts, each with the setting chosen for it.
pub(crate) fn build<'a, C: TakesPart>(
    all: &[C],
    world: C::World<'a>,
    entrant: usize,
    setting: usize,
    chosen: &Chosen,
) -> C::Model<'a> {
    let Entrant { grid, parts, .. } = all[entrant].entrant();
    let part = |name: &&'static str| {
        let index = all.iter().position(|part| part.entrant().name == *name);
        let setting = chosen.get(name).copied().unwrap_or(0);
        build(all, world, index.expect("parts take part"), setting, chosen)
    };
    let parts = parts.iter().map(part).collect();
    all[entrant].made(world, grid[setting], parts)
}

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
