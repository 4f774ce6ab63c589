//! Holding a contest: every contestant's setting is chosen on the tuning half, then all are judged.
//!
//! Cells are computed on all cores, each by a pure function, and read back in a fixed order: how many cores there are
//! changes nothing.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;

use crate::discipline::{Chosen, Discipline, Outcome, Phase};
use crate::state::{Cell, State, StateError};

/// What a contest came to.
pub(crate) struct Held {
    /// By contestant's index, the setting that it was judged with.
    pub(crate) settings: Vec<usize>,
    /// By contestant's index, its outcome on each judged unit.
    pub(crate) outcomes: Vec<Vec<Outcome>>,
}

/// How far the computation is.
pub(crate) struct Progress<'a> {
    done: AtomicU64,
    total: u64,
    tell: &'a (dyn Fn(u64, u64) + Sync),
}

impl<'a> Progress<'a> {
    pub(crate) fn new(total: u64, tell: &'a (dyn Fn(u64, u64) + Sync)) -> Self {
        Self {
            done: AtomicU64::new(0),
            total,
            tell,
        }
    }

    fn one_more(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        (self.tell)(done, self.total);
    }
}

/// How many cells a contest has.
pub(crate) fn cells<D: Discipline>(contest: &D) -> u64 {
    let (tuned, judged) = (
        contest.units(Phase::Tune).len(),
        contest.units(Phase::Judge).len(),
    );
    let of = |grid: usize| judged + if grid > 1 { grid * tuned } else { 0 };
    contest
        .entrants()
        .iter()
        .map(|entrant| of(entrant.grid.len()) as u64)
        .sum()
}

/// Chooses every setting and judges everyone. Cells that `state` has are not computed again.
///
/// # Errors
/// [`StateError`]; what was kept until then is sound.
pub(crate) fn hold<D: Discipline>(
    contest: &D,
    state: &Mutex<State>,
    progress: &Progress<'_>,
) -> Result<Held, StateError> {
    let entrants = contest.entrants();
    let run = Run {
        contest,
        state,
        progress,
    };
    let mut chosen = Chosen::new();
    // Whoever joins others needs their choices first.
    for joins in [false, true] {
        let which: Vec<usize> = (0..entrants.len())
            .filter(|&e| entrants[e].parts.is_empty() != joins)
            .collect();
        let choices = run.choose(&which, &chosen)?;
        chosen.extend(which.iter().map(|&entrant| entrants[entrant].name).zip(choices));
    }
    let settings: Vec<usize> = entrants.iter().map(|entrant| chosen[entrant.name]).collect();
    let all: Vec<(usize, usize)> = settings.iter().copied().enumerate().collect();
    let outcomes = run.outcomes(Phase::Judge, &all, &chosen)?;
    Ok(Held { settings, outcomes })
}

struct Run<'a, D> {
    contest: &'a D,
    state: &'a Mutex<State>,
    progress: &'a Progress<'a>,
}

impl<D: Discipline> Run<'_, D> {
    /// The best setting of each of `which`; the first of equals.
    fn choose(&self, which: &[usize], chosen: &Chosen) -> Result<Vec<usize>, StateError> {
        let entrants = self.contest.entrants();
        let grid =
            |&entrant: &usize| (0..entrants[entrant].grid.len()).map(move |setting| (entrant, setting));
        let tuned: Vec<usize> = which
            .iter()
            .copied()
            .filter(|&entrant| entrants[entrant].grid.len() > 1)
            .collect();
        let points: Vec<(usize, usize)> = tuned.iter().flat_map(grid).collect();
        let outcomes = self.outcomes(Phase::Tune, &points, chosen)?;
        let values: Vec<(f64, f64)> = outcomes
            .iter()
            .map(|outcomes| self.contest.value(outcomes))
            .collect();
        let best = |entrant: usize| {
            let own = points.iter().zip(&values).filter(|((of, _), _)| *of == entrant);
            let better = |a: &(f64, f64), b: &(f64, f64)| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1));
            own.rev()
                .max_by(|(_, a), (_, b)| better(a, b))
                .map_or(0, |((_, setting), _)| *setting)
        };
        Ok(which.iter().map(|&entrant| best(entrant)).collect())
    }

    /// The outcomes of each (contestant, setting) on every unit of a phase.
    fn outcomes(
        &self,
        phase: Phase,
        points: &[(usize, usize)],
        chosen: &Chosen,
    ) -> Result<Vec<Vec<Outcome>>, StateError> {
        let units = self.contest.units(phase);
        let jobs: Vec<(usize, usize, usize)> = (0..units.len())
            .flat_map(|unit| {
                points
                    .iter()
                    .map(move |&(entrant, setting)| (entrant, setting, unit))
            })
            .collect();
        jobs.par_iter().try_for_each(|&(entrant, setting, unit)| {
            let cell = self.cell(phase, entrant, setting, &units[unit]);
            if self.state.lock().expect(UNPOISONED).get(&cell).is_none() {
                let outcome = self.contest.judge(phase, entrant, setting, chosen, unit);
                self.state.lock().expect(UNPOISONED).keep(cell, outcome)?;
            }
            self.progress.one_more();
            Ok(())
        })?;
        let state = self.state.lock().expect(UNPOISONED);
        let found = |entrant, setting, unit| {
            let cell = self.cell(phase, entrant, setting, unit);
            state.get(&cell).expect("every cell was just computed").clone()
        };
        let of = |&(entrant, setting): &(usize, usize)| {
            units.iter().map(|unit| found(entrant, setting, unit)).collect()
        };
        Ok(points.iter().map(of).collect())
    }

    fn cell(&self, phase: Phase, entrant: usize, setting: usize, unit: &str) -> Cell {
        Cell {
            contest: D::NAME.to_owned(),
            phase,
            contestant: self.contest.entrants()[entrant].name.to_owned(),
            setting,
            unit: unit.to_owned(),
        }
    }
}

const UNPOISONED: &str = "nothing panics while it holds the results";
