//! The best of many scores, exactly, ties by track id.

/// The indices of the `k` best scores, best first; equal scores stand in the order of their indices (tracks stand in
/// the order of their ids). Minus infinity marks what is out of the choice: it is never returned.
///
/// A sample says which score about the `k` best reach, and one scan keeps what reaches it; should that be too few, a second scan
/// keeps whatever is among the best. In both the kept ones are cut back to `k` whenever they have doubled.
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

/// Scores that are passed over at once when none of them reaches the threshold.
const SCAN_BLOCK: usize = 16;
/// How many scores a sample has.
const SAMPLE: usize = 8_192;

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
    let estimate = estimate(scores, k);
    let kept = keep_from(scores, k, estimate);
    if kept.len() < k && is_in(estimate) {
        return keep_from(scores, k, f32::NEG_INFINITY);
    }
    kept
}

/// A score that a little more than `k` of them reach, if a sample at even distances is like the whole; minus infinity where
/// there are not many more scores than `k`.
fn estimate(scores: &[f32], k: usize) -> f32 {
    let step = scores.len() / SAMPLE;
    let rank = k.checked_div(step).unwrap_or(SAMPLE);
    // Some deviations more than are expected: a second scan costs more than a few scores too many.
    let rank = rank + 4 * rank.isqrt() + 8;
    if rank >= SAMPLE / 2 {
        return f32::NEG_INFINITY;
    }
    let mut sample: Vec<f32> = scores.iter().step_by(step).copied().collect();
    let (_, estimate, _) = sample.select_nth_unstable_by(rank, |a, b| b.total_cmp(a));
    *estimate
}

/// The best `k`, and perhaps others, of the scores that reach `threshold`.
fn keep_from(scores: &[f32], k: usize, mut threshold: f32) -> Vec<Scored> {
    if k == 0 {
        return Vec::new();
    }
    let full = k.saturating_mul(2).max(64).min(scores.len().max(1));
    let mut kept: Vec<Scored> = Vec::with_capacity(full + SCAN_BLOCK);
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Many scores, some out, in an order that a sample at even distances takes for better or worse than they are.
    fn scores(period: usize) -> Vec<f32> {
        let score = |index: usize| {
            let high = if index.is_multiple_of(period) {
                1_000.0
            } else {
                0.0
            };
            let number = (index as u32).wrapping_mul(2_654_435_761) >> 20;
            match number % 7 {
                0 => f32::NEG_INFINITY,
                _ => high + number as f32,
            }
        };
        (0..100_000).map(score).collect()
    }

    #[test]
    fn the_best_of_many_are_found_however_they_lie() {
        // 12 is the distance at which the sample is taken.
        for period in [1, 5, 12, 100_000] {
            let mut scores = scores(period);
            for turned in [false, true] {
                if turned {
                    scores.iter_mut().step_by(12).for_each(|score| *score = -1.0);
                }
                let mut all: Vec<u32> = (0..scores.len() as u32)
                    .filter(|&index| is_in(scores[index as usize]))
                    .collect();
                all.sort_by(|&a, &b| scores[b as usize].total_cmp(&scores[a as usize]).then(a.cmp(&b)));
                for k in [0, 1, 50, 4_000, 40_000, all.len(), 200_000] {
                    assert!(
                        top_k(&scores, k) == all[..k.min(all.len())],
                        "{period} {turned} {k}"
                    );
                }
            }
        }
    }
}
