//! How well known the listener's music is, against the catalogue's: by itself, and together with its time.

use super::dates::lift;
use super::likes::Likes;
use super::weights::{COLD_POPULARITY, ERA, POPULARITY, POPULARITY_PRIOR, SHARE_MIN};
use crate::catalogue::Catalogue;
use crate::catalogue::statistics::{CELLS, POPULARITIES, spread_cells};
use crate::numbers::ln;

/// Popularities that are taken together, and over how many buckets a song spreads.
const BUCKET: usize = 5;
const BUCKETS: usize = 20;
const REACH: usize = 4;

/// A value for each popularity; `None` when the catalogue knows none.
pub(super) fn table(catalogue: &Catalogue, likes: &Likes) -> Option<Vec<f64>> {
    if !catalogue.has_popularity() {
        return None;
    }
    let counts = catalogue
        .statistics()
        .by_popularity
        .iter()
        .map(|&count| f64::from(count));
    let mut everything = spread(counts.enumerate());
    let total: f64 = everything.iter().sum();
    everything
        .iter_mut()
        .for_each(|share| *share /= if total > 0.0 { total } else { 1.0 });
    let liked = spread(
        likes
            .popularities
            .iter()
            .map(|(popularity, mass)| (usize::from(*popularity), mass.liked)),
    );
    let total: f64 = liked.iter().sum();
    let ratio = |bucket: usize| {
        let share = everything[bucket];
        ln((liked[bucket] + POPULARITY_PRIOR * share + SHARE_MIN)
            / ((total + POPULARITY_PRIOR) * share + SHARE_MIN))
    };
    let cold = COLD_POPULARITY * POPULARITY_PRIOR / (likes.all.liked + POPULARITY_PRIOR);
    let value = |popularity: usize| {
        POPULARITY * ratio(bucket(popularity)) + cold * popularity as f64 / (POPULARITIES - 1) as f64
    };
    Some((0..POPULARITIES).map(value).collect())
}

/// A value for each cell of time and popularity; `None` when nothing is liked.
pub(super) fn eras(catalogue: &Catalogue, likes: &Likes) -> Option<Vec<f64>> {
    let statistics = catalogue.statistics();
    let mut cells = vec![0.0; CELLS];
    for label in likes.songs.iter().filter(|label| label.is_liked()) {
        if let Some(mass) = cells.get_mut(usize::from(statistics.cells[label.track as usize])) {
            *mass += label.weight * label.value;
        }
    }
    if likes.all.liked <= 0.0 {
        return None;
    }
    let songs = f64::from(statistics.songs.max(1));
    let shares = spread_cells(&cells).into_iter().zip(&statistics.by_cell);
    Some(
        shares
            .map(|(liked, all)| ERA * lift(liked / likes.all.liked, all / songs))
            .collect(),
    )
}

fn bucket(popularity: usize) -> usize {
    (popularity / BUCKET).min(BUCKETS - 1)
}

/// The mass of each bucket, spread over its neighbours with Cauchy weights that add up to 1.
fn spread(of: impl Iterator<Item = (usize, f64)>) -> Vec<f64> {
    let weight = |distance: usize| 1.0 / (1.0 + (distance * distance) as f64);
    let total: f64 = (1..=REACH)
        .map(weight)
        .fold(1.0, |sum, weight| sum + 2.0 * weight);
    let mut spread = vec![0.0; BUCKETS];
    for (popularity, mass) in of {
        let centre = bucket(popularity);
        let first = centre.saturating_sub(REACH);
        for (offset, near) in spread[first..(centre + REACH + 1).min(BUCKETS)]
            .iter_mut()
            .enumerate()
        {
            *near += mass * weight((first + offset).abs_diff(centre)) / total;
        }
    }
    spread
}
