//! Items that stand together in sets.

/// For each of `items` items the sum over shown items of `weight x cosine`, where the cosine of two items is how many
/// `sets` hold both, over the root of how many hold either one, each number raised by `shrink` against chance meetings.
pub(super) fn neighbours<'a>(
    sets: impl Iterator<Item = &'a [u32]> + Clone,
    items: usize,
    weights: &[f64],
    shrink: f64,
) -> Vec<f64> {
    let mut held = vec![0.0f64; items];
    for set in sets.clone() {
        set.iter().for_each(|&item| held[item as usize] += 1.0);
    }
    let norm = |item: u32| (held[item as usize] + shrink).sqrt();
    let mut near = vec![0.0; items];
    for set in sets {
        let shown: f64 = set.iter().map(|&item| weights[item as usize] / norm(item)).sum();
        if shown > 0.0 {
            set.iter()
                .for_each(|&item| near[item as usize] += shown / norm(item));
        }
    }
    near
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cosines_worked_out_by_hand() {
        let sets: [&[u32]; 3] = [&[0, 1], &[0, 1, 2], &[3]];
        let near = neighbours(sets.into_iter(), 4, &[1.0, 0.0, 0.0, 0.0], 0.0);
        // 0 and 1 are together twice of two each; 0 and 2 once of two and one.
        for (near, expected) in near.iter().zip([1.0, 1.0, 1.0 / 2f64.sqrt(), 0.0]) {
            assert!((near - expected).abs() < 1e-12, "{near} {expected}");
        }
    }
}
