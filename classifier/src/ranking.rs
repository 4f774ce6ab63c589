//! The exact ranking of a catalogue, from a fast scan's scores that are nearly right.

use crate::rules::{Caps, OUT};
use crate::topk;

/// The best tracks by exact score that keep the caps. Goes down the ranking piece by piece until there are enough.
///
/// The scan's scores are within `bound` of the exact ones, so tracks further apart than twice that stand in the right
/// order already; only within a cluster of nearer ones the exact scores decide. `scores` is used up.
pub(crate) fn best(
    scores: &mut [f32],
    bound: f64,
    exact: impl Fn(u32) -> f64,
    limit: usize,
    mut caps: Caps<'_>,
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
                for (track, score) in ranked(&exact, &caps, cluster) {
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
        clusters
            .concat()
            .into_iter()
            .for_each(|track| scores[track as usize] = OUT);
        caps.take_out_full_artists(scores);
        depth = depth.saturating_mul(2);
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
