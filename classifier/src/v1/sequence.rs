//! The order in which the chosen tracks are heard.

use domain::{Order, PlaylistRequest};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::catalogue::Catalogue;
use crate::numbers;

/// Shuffling draws from its own stream of the request's seed.
const SHUFFLE_STREAM: u64 = 2;
/// What one step between neighbours costs: a doubling of the tempo, an energy from 0 to 1, a key that does not fit, and
/// an artist who was heard within the last [`ARTIST_SPACING`] tracks.
const TEMPO_COST: f64 = 4.0;
const ENERGY_COST: f64 = 2.0;
const KEY_COST: f64 = 0.15;
const ARTIST_COST: f64 = 3.0;
const ARTIST_SPACING: usize = 3;
/// What it costs to prefer a track to a better one: from the best to the last of the choice.
const RANK_COST: f64 = 0.5;

/// Brings tracks (index and score, best first) into the wished order.
pub(crate) fn arrange(catalogue: &Catalogue, request: &PlaylistRequest, tracks: &mut [(u32, f64)]) {
    match request.order {
        Order::Score => {}
        Order::Shuffle => shuffle(request.random_seed, tracks),
        Order::Smooth => smooth(catalogue, tracks),
    }
}

fn shuffle<T>(seed: u64, items: &mut [T]) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(SHUFFLE_STREAM);
    numbers::shuffle(&mut rng, items);
}

/// Starts with the best track and goes on to whichever of the rest costs least after it, the better one on a tie.
fn smooth(catalogue: &Catalogue, tracks: &mut [(u32, f64)]) {
    let count = tracks.len();
    let sounds: Vec<Sound<'_>> = tracks
        .iter()
        .map(|&(track, _)| Sound::of(catalogue, track))
        .collect();
    let mut rest: Vec<usize> = (1..count).collect();
    let mut order: Vec<usize> = (0..count.min(1)).collect();
    while !rest.is_empty() {
        let heard = &order[order.len().saturating_sub(ARTIST_SPACING)..];
        let cost = |rank: usize| {
            let step = sounds[heard[heard.len() - 1]].step_to(&sounds[rank]);
            let artists = sounds[rank].artists;
            let is_near = |&before: &usize| {
                catalogue
                    .artists_of(tracks[before].0)
                    .iter()
                    .any(|a| artists.contains(a))
            };
            let repeat = if heard.iter().any(is_near) {
                ARTIST_COST
            } else {
                0.0
            };
            step + repeat + RANK_COST * rank as f64 / count as f64
        };
        let costs = rest.iter().enumerate().map(|(place, &rank)| (cost(rank), place));
        let (_, place) = costs
            .min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)))
            .unwrap_or_default();
        order.push(rest.remove(place));
    }
    let arranged: Vec<(u32, f64)> = order.into_iter().map(|rank| tracks[rank]).collect();
    tracks.copy_from_slice(&arranged);
}

/// What matters at a transition. A feature that the catalogue lacks costs nothing.
struct Sound<'a> {
    artists: &'a [u32],
    tempo: f64,
    energy: f64,
    /// The place on the Camelot wheel (0 to 11) and whether it is major.
    key: Option<(i32, bool)>,
}

impl<'a> Sound<'a> {
    fn of(catalogue: &'a Catalogue, track: u32) -> Self {
        let raw = |name: &str| catalogue.raw_named(name, track).map(f64::from);
        let key = match (raw("key"), raw("mode")) {
            (Some(key), Some(mode)) if key >= 0.0 => Some(camelot(key as i32, mode >= 0.5)),
            _ => None,
        };
        let artists = catalogue.artists_of(track);
        Self {
            artists,
            tempo: raw("tempo").unwrap_or(0.0),
            energy: raw("energy").unwrap_or(0.0),
            key,
        }
    }

    fn step_to(&self, next: &Self) -> f64 {
        let key = match (self.key, next.key) {
            (Some(a), Some(b)) if !fit(a, b) => KEY_COST,
            _ => 0.0,
        };
        TEMPO_COST * tempo_distance(self.tempo, next.tempo)
            + ENERGY_COST * (self.energy - next.energy).abs()
            + key
    }
}

/// How far two tempos are apart, relatively; half and double time are the same beat. 0 when one is unknown.
fn tempo_distance(a: f64, b: f64) -> f64 {
    let (slow, fast) = if a < b { (a, b) } else { (b, a) };
    if slow <= 0.0 {
        return 0.0;
    }
    let ratio = fast / slow;
    let distance = |beat: f64| (ratio / beat - 1.0).abs();
    distance(1.0).min(distance(2.0))
}

/// The place on the wheel of fifths on which relative keys share a number.
fn camelot(key: i32, is_major: bool) -> (i32, bool) {
    let major = if is_major { key } else { key + 3 };
    ((major * 7).rem_euclid(12), is_major)
}

/// The same key, its relative, or a neighbour on the wheel in the same mode.
fn fit(a: (i32, bool), b: (i32, bool)) -> bool {
    let apart = (a.0 - b.0).rem_euclid(12);
    apart == 0 || (a.1 == b.1 && (apart == 1 || apart == 11))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_fit_as_on_the_camelot_wheel() {
        let (c_major, a_minor, g_major, c_sharp) = (
            camelot(0, true),
            camelot(9, false),
            camelot(7, true),
            camelot(1, true),
        );
        assert!(fit(c_major, a_minor) && fit(c_major, g_major) && fit(c_major, c_major));
        assert!(!fit(c_major, c_sharp) && !fit(a_minor, g_major));
    }

    #[test]
    fn double_time_is_the_same_beat() {
        assert_eq!(tempo_distance(70.0, 140.0), 0.0);
        assert!(tempo_distance(100.0, 120.0) > 0.15);
        assert_eq!(tempo_distance(0.0, 120.0), 0.0);
    }

    #[test]
    fn shuffling_keeps_every_track_and_follows_the_seed() {
        let shuffled = |seed| {
            let mut items: Vec<u32> = (0..50).collect();
            shuffle(seed, &mut items);
            items
        };
        assert_eq!(shuffled(1), shuffled(1));
        assert_ne!(shuffled(1), shuffled(2));
        let mut sorted = shuffled(1);
        sorted.sort_unstable();
        assert_eq!(sorted, (0..50).collect::<Vec<_>>());
    }
}
