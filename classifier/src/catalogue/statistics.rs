//! What a catalogue is made of: counts over its songs, against which a listener's likes stand out.
//!
//! A song counts once, by its track with the first id.

use super::Catalogue;
use super::dates::days;
use crate::algebra::Matrix;
use crate::numbers::ln;

/// Popularities are 0 to 100.
pub(crate) const POPULARITIES: usize = 101;
/// Cells of time and popularity: so many eras, each with as many of the catalogue's songs, and so many popularities.
const ERAS: usize = 14;
const ERA_BUCKETS: usize = 10;
/// How many cells there are.
pub(crate) const CELLS: usize = ERAS * ERA_BUCKETS;
/// Weeks from 1900 to 2101, and the first of them.
const WEEKS: usize = 10_500;
const FIRST_DAY: i32 = -25_567;
/// A song spreads over the weeks around its own with Cauchy weights of this width, so far.
const WEEK_WIDTH: f64 = 26.0;
const WEEK_REACH: usize = 156;

/// Counts and moments of all songs; taken once, when a catalogue is loaded.
#[derive(Debug, Clone, Default)]
pub(crate) struct Statistics {
    /// How many songs there are.
    pub(crate) songs: u32,
    /// The songs of each artist, and the logarithm of their number.
    pub(crate) by_artist: Vec<u32>,
    pub(crate) ln_by_artist: Vec<f64>,
    /// The day of each release date, by the date's number, where it can be read.
    pub(crate) days: Vec<Option<i32>>,
    /// The songs of each popularity.
    pub(crate) by_popularity: Vec<u32>,
    /// The songs of each week, spread by [`Weeks`].
    pub(crate) weeks: Weeks,
    /// The first days of all eras but the first.
    eras: Vec<i32>,
    /// The songs of each [`Statistics::cell`], spread by [`spread_cells`].
    pub(crate) by_cell: Vec<f64>,
    /// The [`Statistics::cell`] of each track; [`CELLS`] where its date or popularity is not known.
    pub(crate) cells: Vec<u8>,
    /// The mean of [`expand`] over all songs.
    pub(crate) mean: Vec<f64>,
    /// The covariance of [`expand`] over all songs.
    pub(crate) covariance: Option<Matrix>,
}

/// How much of something came out in and around each week.
#[derive(Debug, Clone, Default)]
pub(crate) struct Weeks {
    spread: Vec<f64>,
}

impl Weeks {
    /// Of songs with the days on which they came out, each with how much it counts.
    pub(crate) fn of(songs: impl Iterator<Item = (i32, f64)>) -> Self {
        let mut counts = vec![0.0; WEEKS];
        for (day, mass) in songs {
            counts[week(day)] += mass;
        }
        let weight = |distance: usize| {
            let relative = distance as f64 / WEEK_WIDTH;
            1.0 / (1.0 + relative * relative)
        };
        let total: f64 = (1..=WEEK_REACH)
            .map(weight)
            .fold(1.0, |sum, weight| sum + 2.0 * weight);
        let weights: Vec<f64> = (0..=WEEK_REACH)
            .map(|distance| weight(distance) / total)
            .collect();
        let mut spread = vec![0.0; WEEKS];
        for (centre, &mass) in counts.iter().enumerate().filter(|(_, mass)| **mass > 0.0) {
            for week in centre.saturating_sub(WEEK_REACH)..(centre + WEEK_REACH + 1).min(WEEKS) {
                spread[week] += mass * weights[week.abs_diff(centre)];
            }
        }
        Self { spread }
    }

    /// How much came out around this day.
    pub(crate) fn at(&self, day: i32) -> f64 {
        self.spread[week(day)]
    }
}

fn week(day: i32) -> usize {
    let since = day.saturating_sub(FIRST_DAY).max(0);
    (since as usize / 7).min(WEEKS - 1)
}

/// The first days of all eras but the first: each has as many of these days (which are put in order).
fn eras(days: &mut [i32]) -> Vec<i32> {
    days.sort_unstable();
    let first = |era: usize| days.get(era * days.len() / ERAS).copied();
    (1..ERAS).filter_map(first).collect()
}

/// Spreads what stands in each [`Statistics::cell`] over its neighbours: half stays, a quarter goes to either side, along both axes.
pub(crate) fn spread_cells(cells: &[f64]) -> Vec<f64> {
    let at = |era: usize, bucket: usize| cells[era * ERA_BUCKETS + bucket];
    let near = |place: usize, last: usize| {
        let below = place.checked_sub(1).map(|place| (place, 0.25));
        let above = (place < last).then_some((place + 1, 0.25));
        below.into_iter().chain([(place, 0.5)]).chain(above)
    };
    let mut spread = Vec::with_capacity(cells.len());
    for era in 0..ERAS {
        for bucket in 0..ERA_BUCKETS {
            let mut sum = 0.0;
            for (other, along) in near(era, ERAS - 1) {
                for (beside, across) in near(bucket, ERA_BUCKETS - 1) {
                    sum += along * across * at(other, beside);
                }
            }
            spread.push(sum);
        }
    }
    spread
}

/// The standardised features and their squares, scaled so that both vary alike: `(z_j, (z_j^2 - 1) / sqrt 2)`.
pub(crate) fn expand(z: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut expanded: Vec<f64> = z.collect();
    let squares: Vec<f64> = expanded
        .iter()
        .map(|z| (z * z - 1.0) / std::f64::consts::SQRT_2)
        .collect();
    expanded.extend(squares);
    expanded
}

impl Statistics {
    pub(super) fn of(catalogue: &Catalogue) -> Self {
        let mut statistics = Self {
            by_artist: vec![0; catalogue.artist_count()],
            days: catalogue.release_dates().map(days).collect(),
            by_popularity: vec![0; POPULARITIES],
            by_cell: vec![0.0; CELLS],
            ..Self::default()
        };
        let firsts = firsts(catalogue);
        let mut came_out: Vec<i32> = firsts
            .iter()
            .filter_map(|&track| statistics.day(catalogue, track))
            .collect();
        statistics.weeks = Weeks::of(came_out.iter().map(|&day| (day, 1.0)));
        statistics.eras = eras(&mut came_out);
        for &track in &firsts {
            statistics.count(catalogue, track);
        }
        statistics.by_cell = spread_cells(&statistics.by_cell);
        statistics.cells = (0..catalogue.len() as u32)
            .map(|track| statistics.cell_of(catalogue, track))
            .collect();
        let logarithm = |&songs: &u32| ln(f64::from(songs.max(1)));
        statistics.ln_by_artist = statistics.by_artist.iter().map(logarithm).collect();
        statistics.measure(catalogue, &firsts);
        statistics
    }

    /// The day on which a track came out.
    pub(crate) fn day(&self, catalogue: &Catalogue, track: u32) -> Option<i32> {
        self.days
            .get(catalogue.release_date_of(track) as usize)
            .copied()
            .flatten()
    }

    /// The cell of a day and a popularity.
    pub(crate) fn cell(&self, day: i32, popularity: u8) -> usize {
        let era = self.eras.partition_point(|&first| first <= day);
        era * ERA_BUCKETS + (usize::from(popularity) / 10).min(ERA_BUCKETS - 1)
    }

    fn cell_of(&self, catalogue: &Catalogue, track: u32) -> u8 {
        let known = self.day(catalogue, track).zip(catalogue.popularity(track));
        known.map_or(CELLS, |(day, popularity)| self.cell(day, popularity)) as u8
    }

    fn count(&mut self, catalogue: &Catalogue, track: u32) {
        self.songs += 1;
        for &artist in catalogue.artists_of(track) {
            self.by_artist[artist as usize] += 1;
        }
        let Some(popularity) = catalogue.popularity(track) else {
            return;
        };
        self.by_popularity[usize::from(popularity).min(POPULARITIES - 1)] += 1;
        if let Some(day) = self.day(catalogue, track) {
            let cell = self.cell(day, popularity);
            self.by_cell[cell] += 1.0;
        }
    }

    fn measure(&mut self, catalogue: &Catalogue, firsts: &[u32]) {
        let size = 2 * catalogue.schema().features.len();
        let count = firsts.len().max(1) as f64;
        let expanded = |track: &u32| expand(catalogue.z(*track).map(f64::from));
        let mut mean = vec![0.0; size];
        for track in firsts {
            for (sum, value) in mean.iter_mut().zip(expanded(track)) {
                *sum += value;
            }
        }
        mean.iter_mut().for_each(|sum| *sum /= count);
        let mut covariance = Matrix::zeros(size);
        for track in firsts {
            let centred: Vec<f64> = expanded(track).iter().zip(&mean).map(|(x, m)| x - m).collect();
            covariance.add_outer(&centred, 1.0 / count);
        }
        self.mean = mean;
        self.covariance = Some(covariance);
    }
}

/// The first track of each song.
fn firsts(catalogue: &Catalogue) -> Vec<u32> {
    let mut is_seen = vec![false; catalogue.len()];
    let mut is_first = |track: &u32| !std::mem::replace(&mut is_seen[catalogue.song(*track) as usize], true);
    (0..catalogue.len() as u32).filter(&mut is_first).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weeks_spread_and_keep_the_sum() {
        let weeks = Weeks::of([(18_000, 2.0), (18_001, 1.0)].into_iter());
        assert!((weeks.spread.iter().sum::<f64>() - 3.0).abs() < 1e-12);
        assert!(weeks.at(18_000) > weeks.at(18_100) && weeks.at(18_100) > weeks.at(18_900));
        assert_eq!(weeks.at(20_000), 0.0);
        assert_eq!(week(-1_000_000), 0);
    }

    #[test]
    fn eras_have_as_many_songs_each() {
        let mut days: Vec<i32> = (0..1_400)
            .rev()
            .map(|n| if n < 700 { n } else { 10 * n })
            .collect();
        let statistics = Statistics {
            eras: eras(&mut days),
            ..Statistics::default()
        };
        let count = |era: usize| {
            days.iter()
                .filter(|&&day| statistics.cell(day, 0) / ERA_BUCKETS == era)
                .count()
        };
        assert!((0..ERAS).all(|era| count(era) == 100));
        assert_eq!(statistics.cell(-5, 100), ERA_BUCKETS - 1);
        assert_eq!(Statistics::default().cell(0, 37), 3);
    }

    #[test]
    fn spreading_moves_a_quarter_each_way() {
        let mut cells = vec![0.0; CELLS];
        cells[5 * ERA_BUCKETS + 4] = 16.0;
        let spread = spread_cells(&cells);
        assert_eq!(spread[5 * ERA_BUCKETS + 4], 4.0);
        assert_eq!(
            (spread[5 * ERA_BUCKETS + 5], spread[4 * ERA_BUCKETS + 3]),
            (2.0, 1.0)
        );
    }
}
