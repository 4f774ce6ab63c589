//! What an order costs: one number, the lower the better.
//!
//! ```text
//! cost(order) = sum over neighbours of step(a, b)                 see `sound`
//!             + sum over pairs at most SPACING places apart of repeat(a, b) * (SPACING + 1 - apart) / SPACING
//!             + sum over places of ARC_COST * (energy - wished)^2   only with an arc, see `energy`
//!             + sum over places of RANK_COST * places behind the track's rank / tracks
//! ```

use domain::Arc;

use super::energy::wished;
use super::sound::Sound;
use crate::catalogue::Catalogue;

/// An artist is heard again freely after so many other tracks: about a quarter of an hour.
pub(super) const SPACING: usize = 4;
/// An artist heard twice in a row costs as much as the largest change of tempo, at the last place that counts a quarter.
const ARTIST_COST: f64 = 2.0;
/// Two tracks of one album come on top of that, or alone in a collection of several artists: less than any artist twice.
const ALBUM_COST: f64 = 0.5;
/// What a place costs, per squared difference from the wished energy: more than the step of that size, since an arc was
/// asked for and a step was not.
const ARC_COST: f64 = 15.0;
/// What it costs to hear the best track last: a transition outweighs it, but of two equal orders the one with the better
/// tracks first is taken.
const RANK_COST: f64 = 0.1;

/// The objective over the tracks of one playlist. Tracks are numbered by their rank, from 0.
pub(super) struct Objective {
    count: usize,
    /// The cost of each transition: a row per track.
    steps: Vec<f64>,
    /// What hearing both of a pair in a row costs: a row per track.
    repeats: Vec<f64>,
    /// Whether the track's row of `repeats` has any cost.
    is_repeated: Vec<bool>,
    energies: Vec<f64>,
    wished: Option<Vec<f64>>,
}

impl Objective {
    /// Takes `tracks` in the order of their ranks. Quadratic in their number, in time and memory.
    pub(super) fn new(catalogue: &Catalogue, arc: Option<Arc>, tracks: &[u32]) -> Self {
        let count = tracks.len();
        let sounds: Vec<Sound> = tracks.iter().map(|&track| Sound::of(catalogue, track)).collect();
        let energies: Vec<f64> = sounds.iter().map(|sound| sound.energy).collect();
        let mut objective = Self {
            count,
            steps: vec![0.0; count * count],
            repeats: vec![0.0; count * count],
            is_repeated: vec![false; count],
            wished: arc.map(|arc| wished(arc, &energies)),
            energies,
        };
        for a in 0..count {
            for b in a + 1..count {
                objective.set_pair(
                    a,
                    b,
                    sounds[a].step(&sounds[b]),
                    repeat(catalogue, tracks[a], tracks[b]),
                );
            }
        }
        objective
    }

    fn set_pair(&mut self, a: usize, b: usize, step: f64, repeat: f64) {
        for at in [a * self.count + b, b * self.count + a] {
            self.steps[at] = step;
            self.repeats[at] = repeat;
        }
        if repeat > 0.0 {
            self.is_repeated[a] = true;
            self.is_repeated[b] = true;
        }
    }

    /// How many tracks there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// What it costs to hear `b` right after `a`, or `a` right after `b`.
    pub(super) fn step(&self, a: usize, b: usize) -> f64 {
        self.steps[a * self.count + b]
    }

    /// What it costs to hear `track` at `place`.
    pub(super) fn place(&self, track: usize, place: usize) -> f64 {
        let late = place.saturating_sub(track) as f64 / self.count as f64;
        let off = match &self.wished {
            Some(wished) => self.energies[track] - wished[place],
            None => 0.0,
        };
        RANK_COST * late + ARC_COST * off * off
    }

    /// What it costs that `b` is heard `apart` places (at least 1) after `a`.
    pub(super) fn repeat(&self, a: usize, b: usize, apart: usize) -> f64 {
        let left = (SPACING + 1).saturating_sub(apart) as f64;
        self.repeats[a * self.count + b] * left / SPACING as f64
    }

    /// Whether any other track repeats something of this one.
    pub(super) fn is_repeated(&self, track: usize) -> bool {
        self.is_repeated[track]
    }

    /// The cost of all repeats between the places in `from..to` and those up to [`SPACING`] before or behind them, when
    /// `track_at` says which track is heard at a place.
    pub(super) fn repeats_around(&self, from: usize, to: usize, track_at: impl Fn(usize) -> usize) -> f64 {
        let mut cost = 0.0;
        for place in from.saturating_sub(SPACING)..to {
            let track = track_at(place);
            if !self.is_repeated(track) {
                continue;
            }
            let last = (place + SPACING).min(self.count - 1);
            for later in (place + 1).max(from)..=last {
                cost += self.repeat(track, track_at(later), later - place);
            }
        }
        cost
    }

    /// The cost of a whole order.
    pub(super) fn cost(&self, order: &[usize]) -> f64 {
        let steps: f64 = order.windows(2).map(|pair| self.step(pair[0], pair[1])).sum();
        let places: f64 = order
            .iter()
            .enumerate()
            .map(|(place, &track)| self.place(track, place))
            .sum();
        steps + places + self.repeats_around(0, order.len(), |place| order[place])
    }

    /// The greedy order: starts with the best track and always goes on to the one that costs least then, the better one on
    /// a tie.
    pub(super) fn greedy(&self) -> Vec<usize> {
        let mut rest: Vec<usize> = (1..self.count).collect();
        let mut order: Vec<usize> = (0..self.count.min(1)).collect();
        while !rest.is_empty() {
            let costs = rest
                .iter()
                .enumerate()
                .map(|(at, &track)| (self.next_cost(&order, track), at));
            let (_, at) = costs
                .min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)))
                .unwrap_or_default();
            order.push(rest.remove(at));
        }
        order
    }

    /// What `track` adds to the cost of a beginning of an order, which is not empty.
    fn next_cost(&self, order: &[usize], track: usize) -> f64 {
        let place = order.len();
        let mut cost = self.step(order[place - 1], track) + self.place(track, place);
        if self.is_repeated(track) {
            let near = (1..=SPACING.min(place)).map(|apart| self.repeat(order[place - apart], track, apart));
            cost += near.sum::<f64>();
        }
        cost
    }
}

fn repeat(catalogue: &Catalogue, a: u32, b: u32) -> f64 {
    let artist = if catalogue.share_an_artist(a, b) {
        ARTIST_COST
    } else {
        0.0
    };
    let album = if catalogue.is_same_album(a, b) {
        ALBUM_COST
    } else {
        0.0
    };
    artist + album
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator;

    #[test]
    fn a_repeat_costs_less_the_further_it_is_and_nothing_beyond_the_spacing() {
        let catalogue = generator::catalogue(300, 1);
        let artist = (0..catalogue.artist_count() as u32)
            .max_by_key(|&artist| catalogue.tracks_of(artist).len())
            .unwrap();
        let tracks = &catalogue.tracks_of(artist)[..2];
        let objective = Objective::new(&catalogue, None, tracks);
        let costs: Vec<f64> = (1..=SPACING + 1)
            .map(|apart| objective.repeat(0, 1, apart))
            .collect();
        assert_eq!(costs, [2.5, 1.875, 1.25, 0.625, 0.0]);
    }

    #[test]
    fn the_greedy_order_adds_up_to_the_objective() {
        let catalogue = generator::catalogue(40, 2);
        let tracks: Vec<u32> = (0..40).collect();
        let objective = Objective::new(&catalogue, Some(Arc::Peak), &tracks);
        let order = objective.greedy();
        let added: f64 = (1..40)
            .map(|place| objective.next_cost(&order[..place], order[place]))
            .sum();
        let whole = objective.cost(&order);
        assert!((objective.place(0, 0) + added - whole).abs() < 1e-9);
    }
}
