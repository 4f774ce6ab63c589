//! An order that can tell what a change of it would save, without adding up the whole.

use super::objective::Objective;

/// A change of an order; places from `from` up to, not including, `to` are touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Move {
    /// Plays a stretch backwards (2-opt).
    Reverse { from: usize, to: usize },
    /// Exchanges two neighbouring stretches, `from..middle` and `middle..to` (Or-opt when one is short).
    Shift { from: usize, middle: usize, to: usize },
    /// Exchanges two tracks, `from` and the one before `to`.
    Swap { from: usize, to: usize },
}

impl Move {
    pub(super) fn places(self) -> std::ops::Range<usize> {
        match self {
            Self::Reverse { from, to } | Self::Shift { from, to, .. } | Self::Swap { from, to } => from..to,
        }
    }

    /// The place from which the track comes that is heard at `place` after the move.
    fn source(self, place: usize) -> usize {
        if !self.places().contains(&place) {
            return place;
        }
        match self {
            Self::Reverse { from, to } => from + to - 1 - place,
            Self::Shift { from, middle, to } if place < from + to - middle => place - from + middle,
            Self::Shift { middle, to, .. } => place - (to - middle),
            Self::Swap { from, to } if place == from => to - 1,
            Self::Swap { from, to } if place == to - 1 => from,
            Self::Swap { .. } => place,
        }
    }

    /// The places before which another transition stands after the move than there stood before, twice: as places of the
    /// old order, and of the new.
    fn cuts(self) -> ([usize; 4], [usize; 4]) {
        /// Before the first place there is no transition.
        const NO: usize = 0;
        match self {
            Self::Reverse { from, to } => ([from, to, NO, NO], [from, to, NO, NO]),
            Self::Shift { from, middle, to } => ([from, middle, to, NO], [from, from + to - middle, to, NO]),
            Self::Swap { from, to } if to - from <= 3 => {
                // All transitions of so short a stretch.
                let cuts = [from, from + 1, to, if to - from == 3 { from + 2 } else { NO }];
                (cuts, cuts)
            }
            Self::Swap { from, to } => ([from, from + 1, to - 1, to], [from, from + 1, to - 1, to]),
        }
    }
}

/// An order and its cost.
#[derive(Clone)]
pub(super) struct Tour<'a> {
    objective: &'a Objective,
    order: Vec<usize>,
    cost: f64,
    /// The part of the cost that repeats have.
    repeats: f64,
}

impl<'a> Tour<'a> {
    pub(super) fn new(objective: &'a Objective, order: Vec<usize>) -> Self {
        Self {
            cost: objective.cost(&order),
            repeats: objective.repeats_around(0, order.len(), |place| order[place]),
            objective,
            order,
        }
    }

    pub(super) fn into_order(self) -> Vec<usize> {
        self.order
    }

    pub(super) fn order(&self) -> &[usize] {
        &self.order
    }

    pub(super) fn cost(&self) -> f64 {
        self.cost
    }

    /// Makes the move when it changes the cost by less than `bound`; says whether it did.
    pub(super) fn try_move(&mut self, change: Move, bound: f64) -> bool {
        let fixed = self.step_change(change) + self.place_change(change);
        // Repeats can save no more than they cost now, so most moves need no look at them.
        if fixed - self.repeats >= bound {
            return false;
        }
        let repeats = self.repeat_change(change);
        if fixed + repeats >= bound {
            return false;
        }
        self.apply(change);
        self.cost += fixed + repeats;
        self.repeats = (self.repeats + repeats).max(0.0);
        true
    }

    fn step_change(&self, change: Move) -> f64 {
        let count = self.order.len();
        let (old, new) = change.cuts();
        let is_inside = |cut: &&usize| (1..count).contains(*cut);
        let step = |a: usize, b: usize| self.objective.step(self.order[a], self.order[b]);
        let before: f64 = old.iter().filter(is_inside).map(|&cut| step(cut - 1, cut)).sum();
        let after = new.iter().filter(is_inside);
        let after: f64 = after
            .map(|&cut| step(change.source(cut - 1), change.source(cut)))
            .sum();
        after - before
    }

    fn place_change(&self, change: Move) -> f64 {
        if let Move::Swap { from, to } = change {
            return self.moved(from, to - 1) + self.moved(to - 1, from);
        }
        change
            .places()
            .map(|place| self.moved(change.source(place), place))
            .sum()
    }

    /// What it costs to hear at `place` what is heard at `source`.
    fn moved(&self, source: usize, place: usize) -> f64 {
        let track = self.order[source];
        self.objective.place(track, place) - self.objective.place(track, source)
    }

    fn repeat_change(&self, change: Move) -> f64 {
        let places = change.places();
        let around = |track_at: &dyn Fn(usize) -> usize| {
            self.objective.repeats_around(places.start, places.end, track_at)
        };
        around(&|place| self.order[change.source(place)]) - around(&|place| self.order[place])
    }

    fn apply(&mut self, change: Move) {
        match change {
            Move::Reverse { from, to } => self.order[from..to].reverse(),
            Move::Shift { from, middle, to } => self.order[from..to].rotate_left(middle - from),
            Move::Swap { from, to } => self.order.swap(from, to - 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::Arc;

    use super::*;
    use crate::generator;

    /// Every move of a short order must change the cost by what adding up the whole again says.
    #[test]
    fn what_a_move_changes_is_the_difference_of_the_costs() {
        let catalogue = generator::catalogue(120, 5);
        let tracks: Vec<u32> = (0..12).map(|track| track * 10).collect();
        for arc in [None, Some(Arc::Rise)] {
            let objective = Objective::new(&catalogue, arc, &tracks);
            let start = Tour::new(&objective, objective.greedy());
            for from in 0..12 {
                for to in from + 2..=12 {
                    let mut moves = vec![Move::Reverse { from, to }, Move::Swap { from, to }];
                    moves.extend((from + 1..to).map(|middle| Move::Shift { from, middle, to }));
                    for change in moves {
                        let mut tour = start.clone();
                        assert!(tour.try_move(change, f64::INFINITY));
                        let whole = Tour::new(&objective, tour.order.clone());
                        assert!((tour.cost - whole.cost).abs() < 1e-9, "{change:?}");
                        assert!((tour.repeats - whole.repeats).abs() < 1e-9, "{change:?}");
                        let expected: Vec<usize> =
                            (0..12).map(|place| start.order[change.source(place)]).collect();
                        assert_eq!(tour.order, expected, "{change:?}");
                    }
                }
            }
        }
    }
}
