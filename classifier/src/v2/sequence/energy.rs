//! The energy that an arc wishes for at each place.

use domain::Arc;

/// Where the peak stands: past the middle, as in a film or a set, so that the way up is longer than the way down.
const PEAK_AT: f64 = 2.0 / 3.0;
/// A flat arc is made of waves of so many tracks (about half an hour): tracks differ, so what can be level is every
/// stretch of that length, and within it neighbours are as near as a rise and a fall allow.
const WAVE_TRACKS: usize = 10;

/// The wished energy of each place: `energies` themselves, in the order of the arc, so that any playlist can have it
/// exactly and the wish asks for an order, not for other tracks.
pub(super) fn wished(arc: Arc, energies: &[f64]) -> Vec<f64> {
    let mut sorted = energies.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let count = sorted.len();
    let mut places: Vec<usize> = (0..count).collect();
    places.sort_by(|&a, &b| {
        let (low, high) = (height(arc, a, count), height(arc, b, count));
        // Equally high places stand in playing order and back in turns, or the first wave would be calmer than the last.
        let is_back = (low * WAVE_TRACKS as f64 / 2.0).round() % 2.0 == 1.0;
        let tie = if is_back { b.cmp(&a) } else { a.cmp(&b) };
        low.total_cmp(&high).then(tie)
    });
    let mut wished = vec![0.0; count];
    for (place, energy) in places.into_iter().zip(sorted) {
        wished[place] = energy;
    }
    wished
}

/// How high the arc stands at a place, 0 to 1.
fn height(arc: Arc, place: usize, count: usize) -> f64 {
    let way = place as f64 / (count - 1).max(1) as f64;
    match arc {
        Arc::Rise => way,
        Arc::Fall => 1.0 - way,
        Arc::Peak if way <= PEAK_AT => way / PEAK_AT,
        Arc::Peak => (1.0 - way) / (1.0 - PEAK_AT),
        Arc::Flat => wave(place),
    }
}

/// Up for half of the wave, down for the other.
fn wave(place: usize) -> f64 {
    let half = WAVE_TRACKS as f64 / 2.0;
    let at = (place % WAVE_TRACKS) as f64;
    1.0 - (at - half).abs() / half
}

#[cfg(test)]
mod tests {
    use super::*;

    fn energies() -> Vec<f64> {
        (0..40u32).map(|track| f64::from(track * 7 % 40) / 40.0).collect()
    }

    #[test]
    fn an_arc_asks_for_the_energies_that_there_are() {
        for arc in [Arc::Flat, Arc::Rise, Arc::Peak, Arc::Fall] {
            let mut wished = wished(arc, &energies());
            wished.sort_unstable_by(f64::total_cmp);
            let mut there = energies();
            there.sort_unstable_by(f64::total_cmp);
            assert_eq!(wished, there, "{arc:?}");
            assert!(super::wished(arc, &[]).is_empty());
            assert_eq!(super::wished(arc, &[0.3]), [0.3]);
        }
    }

    #[test]
    fn arcs_go_where_their_names_say() {
        let rise = wished(Arc::Rise, &energies());
        assert!(rise.is_sorted());
        let fall = wished(Arc::Fall, &energies());
        assert!(fall.iter().rev().is_sorted());
        let peak = wished(Arc::Peak, &energies());
        let top = (0..40).max_by(|&a, &b| peak[a].total_cmp(&peak[b])).unwrap();
        assert!((25..28).contains(&top));
        assert!(peak[..top].is_sorted() && peak[top..].iter().rev().is_sorted());
    }

    #[test]
    fn no_stretch_of_a_flat_arc_is_calmer_than_the_whole() {
        let flat = wished(Arc::Flat, &energies());
        let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
        for part in flat.chunks(WAVE_TRACKS) {
            assert!((mean(part) - mean(&flat)).abs() < 0.06);
        }
    }
}
