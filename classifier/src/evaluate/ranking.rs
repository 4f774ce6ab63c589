//! How good a ranking is: of playlists' hidden tracks, and of likes above dislikes.

use std::collections::HashSet;
use std::hash::Hash;

use crate::catalogue::Catalogue;

/// How deep NDCG and clicks look, as in the RecSys Challenge 2018.
pub const DEPTH: usize = 500;
/// Tracks per page of the clicks metric.
const CLICK_PAGE: usize = 10;

/// What a ranking reached against one hidden set.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Metrics {
    /// The share of the hidden found within as many places as there are hidden.
    pub r_precision: f64,
    /// Normalised discounted cumulative gain within [`DEPTH`].
    pub ndcg: f64,
    /// Pages of ten to turn before the first hit; 51 when there is none within [`DEPTH`].
    pub clicks: f64,
}

/// Judges a ranking: `hits[i]` says whether place `i` (from 0) holds a hidden item, each counted once; `hidden` is how
/// many there are. Gains are binary; the item at place `i` (from 1) is discounted by `log2(i + 1)`, so the first by
/// nothing; the ideal ranking has all `min(hidden, 500)` on top.
#[must_use]
pub fn judge(hits: &[bool], hidden: usize) -> Metrics {
    if hidden == 0 {
        return Metrics::default();
    }
    let within = |depth: usize| {
        hits.iter()
            .take(depth)
            .enumerate()
            .filter(|(_, hit)| **hit)
            .map(|(place, _)| place)
    };
    let discount = |place: usize| 1.0 / (place as f64 + 2.0).log2();
    let ideal: f64 = (0..hidden.min(DEPTH)).map(discount).sum();
    Metrics {
        r_precision: within(hidden).count() as f64 / hidden as f64,
        ndcg: within(DEPTH).map(discount).sum::<f64>() / ideal,
        clicks: within(DEPTH)
            .next()
            .map_or((DEPTH / CLICK_PAGE + 1) as f64, |place| {
                (place / CLICK_PAGE) as f64
            }),
    }
}

/// Which places of a ranking hit a hidden item, each hidden item once.
#[must_use]
pub fn hits<T: Eq + Hash + Copy>(ranked: impl IntoIterator<Item = T>, hidden: &HashSet<T>) -> Vec<bool> {
    let mut left = hidden.clone();
    ranked.into_iter().map(|item| left.remove(&item)).collect()
}

/// Judges a ranking of a catalogue's tracks by song, so that a hidden track is also found under another id.
#[must_use]
pub fn judge_tracks(catalogue: &Catalogue, ranked: &[u32], hidden: &[u32]) -> Metrics {
    let hidden: HashSet<u32> = hidden.iter().map(|&track| catalogue.song(track)).collect();
    judge(
        &hits(ranked.iter().map(|&track| catalogue.song(track)), &hidden),
        hidden.len(),
    )
}

impl Metrics {
    /// The mean of each; all 0 without any.
    #[must_use]
    pub fn mean(of: &[Self]) -> Self {
        let count = of.len().max(1) as f64;
        let mean = |pick: fn(&Self) -> f64| of.iter().map(pick).sum::<f64>() / count;
        Self {
            r_precision: mean(|m| m.r_precision),
            ndcg: mean(|m| m.ndcg),
            clicks: mean(|m| m.clicks),
        }
    }
}

/// The area under the ROC curve: how probably a positive is scored above a negative, ties counting half. `None` unless
/// there are both. Scores must not be NaN.
#[must_use]
pub fn auc(scored: &[(f64, bool)]) -> Option<f64> {
    let mut sorted = scored.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let positives = sorted.iter().filter(|(_, positive)| *positive).count() as f64;
    let negatives = sorted.len() as f64 - positives;
    if positives == 0.0 || negatives == 0.0 {
        return None;
    }
    let (mut below, mut wins) = (0.0, 0.0);
    for tied in sorted.chunk_by(|a, b| a.0 == b.0) {
        let positive = tied.iter().filter(|(_, positive)| *positive).count() as f64;
        let negative = tied.len() as f64 - positive;
        wins += positive * (below + negative / 2.0);
        below += negative;
    }
    Some(wins / (positives * negatives))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_perfect_ranking_has_full_marks() {
        let mut ranking = vec![true; 5];
        ranking.extend([false; 20]);
        assert_eq!(
            judge(&ranking, 5),
            Metrics {
                r_precision: 1.0,
                ndcg: 1.0,
                clicks: 0.0
            }
        );
    }

    #[test]
    fn numbers_worked_out_by_hand() {
        // Hits at places 2 and 13 of 2 hidden.
        let mut ranking = vec![false; 20];
        ranking[1] = true;
        ranking[12] = true;
        let metrics = judge(&ranking, 2);
        assert_eq!(metrics.r_precision, 0.5);
        let expected = (1.0 / 3f64.log2() + 1.0 / 14f64.log2()) / (1.0 + 1.0 / 3f64.log2());
        assert!((metrics.ndcg - expected).abs() < 1e-12);
        assert_eq!(metrics.clicks, 0.0);
        assert_eq!(judge(&[false; 600], 3).clicks, 51.0);
        assert_eq!(judge(&[true], 0), Metrics::default());
    }

    #[test]
    fn a_hidden_item_is_found_once() {
        assert_eq!(
            hits([1, 1, 2, 3], &HashSet::from([1, 3])),
            [true, false, false, true]
        );
    }

    #[test]
    fn auc_counts_ties_half() {
        assert_eq!(auc(&[(0.1, false), (0.9, true)]), Some(1.0));
        assert_eq!(auc(&[(0.5, false), (0.5, true)]), Some(0.5));
        assert_eq!(auc(&[(0.9, false), (0.5, true), (0.1, true)]), Some(0.0));
        assert_eq!(auc(&[(0.9, true)]), None);
    }
}
