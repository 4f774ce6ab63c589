//! The exact ranking of a catalogue, from a fast scan's scores that are nearly right.

use crate::rules::{Caps, OUT};
use crate::topk;

/// The best tracks by exact score that keep the caps. Goes down the ranking piece by piece until there are enough.
///
/// The scan's scores are within `bound` of the exact ones, so tracks further apart than twice that stand in the right
/// order already; only within a cluster of nearer ones the exact scores decide. `scores` are marked on the way down and are
/// what they were afterwards.
pub(crate) fn best(
    scores: &mut [f32],
    bound: f64,
    exact: impl Fn(u32) -> f64,
    limit: usize,
    mut caps: Caps<'_>,
) -> Vec<(u32, f64)> {
    let mut passed = Passed::default();
    let chosen = walk_down(scores, bound, exact, limit, &mut caps, &mut passed);
    passed.put_back(scores);
    chosen
}

fn walk_down(
    scores: &mut [f32],
    bound: f64,
    exact: impl Fn(u32) -> f64,
    limit: usize,
    caps: &mut Caps<'_>,
    passed: &mut Passed,
) -> Vec<(u32, f64)> {
    let mut chosen = Vec::with_capacity(limit);
    if limit == 0 {
        return chosen;
    }
    let mut depth = limit.saturating_mul(2).saturating_add(64);
    loop {
        let piece = topk::top_k(scores, depth);
        let is_last = piece.len() < depth;
        let is_near = |a: &u32, b: &u32| bound > 0.0 && gap(scores, *a, *b) <= 2.0 * bound;
        let mut clusters: Vec<&[u32]> = piece.chunk_by(is_near).collect();
        if !is_last {
            // The last one may go on below.
            clusters.pop();
        }
        for cluster in &clusters {
            if let &[track] = *cluster {
                // It stands where it stands: its exact score is wanted only if it is chosen.
                chosen.extend(caps.admits(track).then(|| (track, exact(track))));
            } else {
                for (track, score) in ranked(&exact, caps, cluster) {
                    if chosen.len() < limit && caps.admits(track) {
                        chosen.push((track, score));
                    }
                }
            }
            if chosen.len() == limit {
                return chosen;
            }
        }
        if is_last {
            return chosen;
        }
        passed.take_out(clusters.concat().into_iter(), scores);
        passed.take_out(caps.of_full_artists(), scores);
        depth = depth.saturating_mul(2);
    }
}

/// Tracks that were taken out of the scores, with the score that each had.
#[derive(Default)]
struct Passed(Vec<(u32, f32)>);

impl Passed {
    fn take_out(&mut self, tracks: impl Iterator<Item = u32>, scores: &mut [f32]) {
        for track in tracks {
            let score = std::mem::replace(&mut scores[track as usize], OUT);
            if score > OUT {
                self.0.push((track, score));
            }
        }
    }

    fn put_back(self, scores: &mut [f32]) {
        for (track, score) in self.0 {
            scores[track as usize] = score;
        }
    }
}

fn gap(scores: &[f32], better: u32, worse: u32) -> f64 {
    f64::from(scores[better as usize]) - f64::from(scores[worse as usize])
}

/// The tracks that the caps may admit, by exact score, ties by id.
fn ranked(exact: impl Fn(u32) -> f64, caps: &Caps<'_>, cluster: &[u32]) -> Vec<(u32, f64)> {
    let open = cluster.iter().filter(|track| caps.may_admit(**track));
    let mut ranked: Vec<(u32, f64)> = open.map(|&track| (track, exact(track))).collect();
    ranked.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    ranked
}
