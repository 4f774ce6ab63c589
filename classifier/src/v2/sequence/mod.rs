//! The order in which the chosen tracks are heard.
//!
//! | module | its one job |
//! |---|---|
//! | `sound` | what a transition between two tracks costs |
//! | `energy` | what an arc wishes for at each place |
//! | `objective` | what a whole order costs, and the greedy order |
//! | `tour` | what a change of an order saves |
//! | `search` | a cheap order with bounded work |

mod energy;
mod objective;
mod search;
mod sound;
mod tour;

use domain::{Arc, Arrangement, Order};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::catalogue::Catalogue;
use crate::numbers;
use objective::Objective;
use search::search;

/// Shuffling draws from its own stream of the request's seed.
const SHUFFLE_STREAM: u64 = 2;

/// Brings tracks (index and score, best first) into the wished order; the arc counts when that is smooth. Says what a smooth
/// order costs.
///
/// The same tracks, order, arc and seed give the same order on every machine; the seed counts for a shuffled order only.
pub fn arrange(
    catalogue: &Catalogue,
    order: Order,
    arc: Option<Arc>,
    seed: u64,
    tracks: &mut [(u32, f64)],
) -> Option<Arrangement> {
    match order {
        Order::Score => None,
        Order::Shuffle => {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(SHUFFLE_STREAM);
            numbers::shuffle(&mut rng, tracks);
            None
        }
        Order::Smooth => smooth(catalogue, arc, tracks),
    }
}

fn smooth(catalogue: &Catalogue, arc: Option<Arc>, tracks: &mut [(u32, f64)]) -> Option<Arrangement> {
    if tracks.is_empty() {
        return None;
    }
    let ranked: Vec<u32> = tracks.iter().map(|&(track, _)| track).collect();
    let objective = Objective::new(catalogue, arc, &ranked);
    let (order, arrangement) = search(&objective);
    let arranged: Vec<(u32, f64)> = order.into_iter().map(|rank| tracks[rank]).collect();
    tracks.copy_from_slice(&arranged);
    Some(arrangement)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator;

    fn tracks() -> Vec<(u32, f64)> {
        (0..30u32).map(|track| (track * 9, -f64::from(track))).collect()
    }

    #[test]
    fn only_a_smooth_order_has_an_objective_and_every_order_keeps_the_tracks_with_their_scores() {
        let catalogue = generator::catalogue(300, 1);
        for order in [Order::Score, Order::Shuffle, Order::Smooth] {
            let mut arranged = tracks();
            let arrangement = arrange(&catalogue, order, None, 3, &mut arranged);
            assert_eq!(arrangement.is_some(), order == Order::Smooth);
            assert_eq!(arranged == tracks(), order == Order::Score);
            arranged.sort_by_key(|(track, _)| *track);
            assert_eq!(arranged, tracks());
        }
        assert_eq!(arrange(&catalogue, Order::Smooth, None, 3, &mut []), None);
    }

    #[test]
    fn the_median_playlist_of_fifty_costs_a_fifth_less_than_in_the_greedy_order() {
        let catalogue = generator::catalogue(4_000, 1);
        let ratio = |playlist: u32| {
            let mut tracks: Vec<(u32, f64)> = (0..50).map(|at| (playlist + at * 79, 0.0)).collect();
            let arrangement = arrange(&catalogue, Order::Smooth, None, 0, &mut tracks).unwrap();
            arrangement.objective / arrangement.greedy
        };
        let mut ratios: Vec<f64> = (0..15).map(ratio).collect();
        ratios.sort_by(f64::total_cmp);
        assert!(ratios[7] <= 0.8, "{ratios:?}");
    }

    #[test]
    fn the_seed_counts_for_a_shuffled_order_only() {
        let catalogue = generator::catalogue(300, 1);
        let arranged = |order, seed| {
            let mut tracks = tracks();
            arrange(&catalogue, order, Some(Arc::Rise), seed, &mut tracks);
            tracks
        };
        assert_eq!(arranged(Order::Smooth, 1), arranged(Order::Smooth, 2));
        assert_eq!(arranged(Order::Shuffle, 1), arranged(Order::Shuffle, 1));
        assert_ne!(arranged(Order::Shuffle, 1), arranged(Order::Shuffle, 2));
    }

    #[test]
    fn an_arc_is_heard_and_its_objective_is_well_below_the_greedy_one() {
        let catalogue = generator::catalogue(300, 1);
        let mut arranged = tracks();
        let arrangement = arrange(&catalogue, Order::Smooth, Some(Arc::Rise), 0, &mut arranged).unwrap();
        assert!(
            arrangement.objective < 0.8 * arrangement.greedy,
            "{arrangement:?}"
        );
        let energy = |part: &[(u32, f64)]| -> f32 {
            part.iter()
                .map(|&(track, _)| catalogue.raw_named("energy", track).unwrap())
                .sum()
        };
        assert!(energy(&arranged[..10]) + 1.0 < energy(&arranged[20..]));
    }
}
