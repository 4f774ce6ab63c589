//! The search for a cheap order: threshold accepting (Dueck and Scheuer 1990) from the greedy order, then descent.
//!
//! Threshold accepting is simulated annealing without a probability: a random move is made when it raises the cost by less
//! than a threshold that falls to zero. It needs no exponential, so it does the same on every machine. Work is bounded by
//! a number of looked-at places, never by a clock, for the same reason.

use domain::Arrangement;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::objective::Objective;
use super::tour::{Move, Tour};
use crate::numbers::below;

/// The search draws the same moves for every playlist: its order depends on the tracks alone.
const SEED: u64 = 0;
/// Places that moves of each half of the search may touch: a few milliseconds on one core.
const ACCEPTING_WORK: u64 = 600_000;
const DESCENT_WORK: u64 = 300_000;
/// Short playlists are done with less: so much for each pair of tracks.
const WORK_PER_PAIR: u64 = 4_000;
/// What a move costs before it touches a place: drawing it and looking at its ends.
const MOVE_WORK: u64 = 4;
/// What a move may cost at the start of the search, times the number of tracks: at 50 tracks a transition that is noticed a
/// little. Each track of a longer playlist gets fewer moves, so it starts nearer to a descent; a short one can be turned
/// over as a whole.
const THRESHOLD_TRACKS: f64 = 10.0;
/// The longest stretch that a move touches: a longer one is rarely better and costs more to look at.
const REACH: usize = 50;
/// The same while descending, where all stretches are tried.
const DESCENT_REACH: usize = 24;
/// The longest stretch that is moved elsewhere as a whole, as in Or-opt.
const BLOCK: usize = 3;
/// What a move must save to be made while descending: more than rounding, so that the descent ends.
const GAIN_MIN: f64 = 1e-9;

/// A cheap order of the tracks, and what it and the greedy order cost: never more than that.
pub(super) fn search(objective: &Objective) -> (Vec<usize>, Arrangement) {
    let order = objective.greedy();
    let greedy = objective.cost(&order);
    let unchanged = |order| {
        (
            order,
            Arrangement {
                objective: greedy,
                greedy,
            },
        )
    };
    if objective.count() < 2 {
        return unchanged(order);
    }
    let mut best = accept(Tour::new(objective, order.clone()));
    descend(&mut best);
    // Costs along the way are sums of differences, so only adding up tells orders of nearly the same cost apart.
    let cost = objective.cost(best.order());
    if cost >= greedy {
        return unchanged(order);
    }
    (
        best.into_order(),
        Arrangement {
            objective: cost,
            greedy,
        },
    )
}

/// The best order that threshold accepting meets.
fn accept(start: Tour<'_>) -> Tour<'_> {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let (mut best, mut tour) = (start.clone(), start);
    let mut work = 0;
    let count = tour.order().len();
    let total = ACCEPTING_WORK.min(WORK_PER_PAIR * (count * count) as u64);
    let threshold = THRESHOLD_TRACKS / count as f64;
    while work < total {
        let change = draw(&mut rng, count);
        work += MOVE_WORK + change.places().len() as u64;
        let left = 1.0 - work as f64 / total as f64;
        if tour.try_move(change, threshold * left * left) && tour.cost() < best.cost() {
            best.clone_from(&tour);
        }
    }
    best
}

/// A move of each kind with the same chance, of a stretch of any length in reach.
fn draw(rng: &mut ChaCha8Rng, count: usize) -> Move {
    let length = 2 + below(rng, REACH.min(count) as u64 - 1) as usize;
    let from = below(rng, (count - length + 1) as u64) as usize;
    let to = from + length;
    match below(rng, 4) {
        0 => Move::Reverse { from, to },
        1 => Move::Swap { from, to },
        kind => {
            let block = 1 + below(rng, BLOCK.min(length - 1) as u64) as usize;
            let middle = if kind == 2 { from + block } else { to - block };
            Move::Shift { from, middle, to }
        }
    }
}

/// Makes every move in reach that saves something, again and again until none does or the work is done.
fn descend(tour: &mut Tour<'_>) {
    let mut work = 0;
    loop {
        let before = tour.cost();
        for from in 0..tour.order().len() {
            for to in from + 2..=tour.order().len().min(from + DESCENT_REACH) {
                for change in moves(from, to) {
                    work += MOVE_WORK + change.places().len() as u64;
                    tour.try_move(change, -GAIN_MIN);
                }
            }
            if work >= DESCENT_WORK {
                return;
            }
        }
        if tour.cost() >= before {
            return;
        }
    }
}

/// Every move of a stretch.
fn moves(from: usize, to: usize) -> impl Iterator<Item = Move> {
    let blocks = 1..=BLOCK.min(to - from - 1);
    let shifts = blocks.flat_map(move |block| [from + block, to - block]);
    [Move::Reverse { from, to }, Move::Swap { from, to }]
        .into_iter()
        .chain(shifts.map(move |middle| Move::Shift { from, middle, to }))
}

#[cfg(test)]
mod tests {
    use domain::Arc;
    use proptest::prelude::*;

    use super::*;
    use crate::Catalogue;
    use crate::generator;

    const ARCS: [Option<Arc>; 5] = [
        None,
        Some(Arc::Flat),
        Some(Arc::Rise),
        Some(Arc::Peak),
        Some(Arc::Fall),
    ];

    /// The cost of the cheapest of all orders that start with `order[..fixed]`.
    fn cheapest(objective: &Objective, order: &mut Vec<usize>, fixed: usize) -> f64 {
        if fixed == order.len() {
            return objective.cost(order);
        }
        let mut best = f64::INFINITY;
        for place in fixed..order.len() {
            order.swap(fixed, place);
            best = best.min(cheapest(objective, order, fixed + 1));
            order.swap(fixed, place);
        }
        best
    }

    /// A playlist of so many tracks, few enough artists for repeats to matter.
    fn playlist(catalogue: &Catalogue, tracks: u32, seed: u32) -> Vec<u32> {
        let mut chosen: Vec<u32> = (0..tracks)
            .map(|at| (at * 37 + seed * 101) % catalogue.len() as u32)
            .collect();
        chosen.sort_unstable();
        chosen.dedup();
        chosen
    }

    #[test]
    fn a_short_playlist_is_solved_exactly() {
        let catalogue = generator::catalogue(120, 11);
        for arc in ARCS {
            for (tracks, seed) in (0..8)
                .map(|tracks| (tracks, 1))
                .chain((1..6).map(|seed| (6, seed)))
                .chain([(8, 1)])
            {
                let objective = Objective::new(&catalogue, arc, &playlist(&catalogue, tracks, seed));
                let mut order: Vec<usize> = (0..objective.count()).collect();
                let least = cheapest(&objective, &mut order, 0);
                let found = objective.cost(&search(&objective).0);
                assert!(
                    found <= least + 1e-9,
                    "{tracks} tracks, seed {seed}, {arc:?}: {found}, not {least}"
                );
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]

        #[test]
        fn an_order_has_every_track_once_and_is_never_worse_than_the_greedy_one(
            tracks in 0..70u32,
            seed in 0..100u32,
            arc in prop::sample::select(ARCS.to_vec()),
        ) {
            let catalogue = generator::catalogue(400, 12);
            let objective = Objective::new(&catalogue, arc, &playlist(&catalogue, tracks, seed));
            let (order, arrangement) = search(&objective);
            prop_assert_eq!(arrangement.objective, objective.cost(&order));
            prop_assert_eq!(arrangement.greedy, objective.cost(&objective.greedy()));
            prop_assert!(arrangement.objective <= arrangement.greedy);
            prop_assert_eq!(&order, &search(&objective).0);
            let mut sorted = order;
            sorted.sort_unstable();
            prop_assert_eq!(sorted, (0..objective.count()).collect::<Vec<_>>());
        }
    }
}
