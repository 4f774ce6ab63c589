//! The best of many scores, exactly, ties by track id.

/// The indices of the `k` best scores, best first; equal scores stand in the order of their indices (tracks stand in
/// the order of their ids). Minus infinity marks what is out of the choice: it is never returned.
///
/// One scan keeps what beats the current threshold; the kept ones are cut back to `k` whenever they have doubled.
///
/// ```
/// assert_eq!(classifier::topk::top_k(&[0.5, 2.0, f32::NEG_INFINITY, 2.0], 3), [1, 3, 0]);
/// ```
#[must_use]
pub fn top_k(scores: &[f32], k: usize) -> Vec<u32> {
    let mut best = keep_best(scores, k);
    best.sort_unstable_by(by_score);
    best.truncate(k);
    best.into_iter().map(|(_, index)| index).collect()
}

const SCAN_BLOCK: usize = 64;

type Scored = (f32, u32);

fn by_score(a: &Scored, b: &Scored) -> std::cmp::Ordering {
    b.0.total_cmp(&a.0).then(a.1.cmp(&b.1))
}

fn is_in(score: f32) -> bool {
    score > f32::NEG_INFINITY
}

/// Whether any score of the block reaches the threshold; without branches, so that it is vectorised.
fn has_above(scores: &[f32], threshold: f32) -> bool {
    scores
        .iter()
        .fold(false, |any, &score| any | (score >= threshold))
}

fn keep_best(scores: &[f32], k: usize) -> Vec<Scored> {
    if k == 0 {
        return Vec::new();
    }
    let full = k.saturating_mul(2).max(64).min(scores.len().max(1));
    let mut kept: Vec<Scored> = Vec::with_capacity(full + SCAN_BLOCK);
    let mut threshold = f32::NEG_INFINITY;
    for (block, scores) in scores.chunks(SCAN_BLOCK).enumerate() {
        if !has_above(scores, threshold) {
            continue;
        }
        for (offset, &score) in scores.iter().enumerate() {
            // Indices rise, so a later score equal to the threshold loses its tie once k stand before it; it is
            // kept here and cut by the order below.
            if score >= threshold && is_in(score) {
                kept.push((score, (block * SCAN_BLOCK + offset) as u32));
            }
        }
        if kept.len() > full && kept.len() > k {
            kept.select_nth_unstable_by(k - 1, by_score);
            kept.truncate(k);
            threshold = kept[k - 1].0;
        }
    }
    kept
}
