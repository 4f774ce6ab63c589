//! Scores of a whole catalogue: one pass over its columns, in single precision.
//!
//! `score(track) = sum_j z_j (linear_j + z_j quadratic_j)`, computed for blocks of tracks that stay in the first-level
//! cache, four columns at a time, so that the compiler uses vector instructions and each number is read once.
//!
//! These scores only narrow the choice. [`error_bound`] says how far they can be from the exact ones; where tracks are
//! nearer to each other than that, the selection scores them again in double precision.

use crate::model::Quadratic;

/// Tracks per block: 8 KiB of scores, which stay in the first-level cache.
pub const BLOCK: usize = 2_048;

/// Scores `scores.len()` tracks. `columns` holds the standardised features one column after another, each as long as
/// `scores`; `terms` has one entry per column, whose constants are not added (they change no order).
///
/// # Panics
/// When the lengths do not fit together.
pub fn score_columns(columns: &[f32], terms: &[Quadratic], scores: &mut [f32]) {
    score_blocks(columns, terms, scores, |_, _| ());
}

/// The same; `then` is given each block's first track and scores while they are in the cache.
pub(crate) fn score_blocks(
    columns: &[f32],
    terms: &[Quadratic],
    scores: &mut [f32],
    mut then: impl FnMut(usize, &mut [f32]),
) {
    let tracks = scores.len();
    assert_eq!(
        columns.len(),
        tracks * terms.len(),
        "a column per term, each with a value per track"
    );
    let weights: Vec<Weights> = terms.iter().map(Weights::from).collect();
    for (block, scores) in scores.chunks_mut(BLOCK).enumerate() {
        scores.fill(0.0);
        let rows = scores.len();
        let column = |index: usize| &columns[index * tracks + block * BLOCK..][..rows];
        let fours = terms.len() / 4 * 4;
        for first in (0..fours).step_by(4) {
            let columns = [
                column(first),
                column(first + 1),
                column(first + 2),
                column(first + 3),
            ];
            add_four(scores, columns, &weights[first..first + 4]);
        }
        for (index, &weights) in weights.iter().enumerate().skip(fours) {
            add_one(scores, column(index), weights);
        }
        then(block * BLOCK, scores);
    }
}

#[derive(Clone, Copy)]
struct Weights {
    linear: f32,
    quadratic: f32,
}

impl From<&Quadratic> for Weights {
    fn from(term: &Quadratic) -> Self {
        Self {
            linear: term.linear as f32,
            quadratic: term.quadratic as f32,
        }
    }
}

impl Weights {
    #[inline(always)]
    fn at(self, z: f32) -> f32 {
        z * (self.linear + z * self.quadratic)
    }
}

fn add_one(scores: &mut [f32], column: &[f32], weights: Weights) {
    for (score, &z) in scores.iter_mut().zip(column) {
        *score += weights.at(z);
    }
}

fn add_four(scores: &mut [f32], columns: [&[f32]; 4], weights: &[Weights]) {
    let &[w0, w1, w2, w3] = weights else { return };
    let [c0, c1, c2, c3] = columns;
    let rows = c0.iter().zip(c1).zip(c2).zip(c3);
    for (score, (((&z0, &z1), &z2), &z3)) in scores.iter_mut().zip(rows) {
        *score += (w0.at(z0) + w1.at(z1)) + (w2.at(z2) + w3.at(z3));
    }
}

/// How far a single-precision score can be from the exact one: a bound on the size of all terms and of what is
/// added later (`extra`), times the unit roundoff, times more operations than are done.
#[must_use]
pub fn error_bound(terms: &[Quadratic], clip: f64, extra: f64) -> f64 {
    let size: f64 = terms
        .iter()
        .map(|term| clip * (term.linear.abs() + clip * term.quadratic.abs()))
        .sum();
    let operations = 4.0 * (terms.len() as f64 + 8.0);
    (size + extra.abs()) * operations * f64::from(f32::EPSILON)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_and_every_column_counts_once() {
        for (tracks, features) in [(0, 3), (1, 1), (5, 12), (BLOCK, 4), (2 * BLOCK + 3, 7)] {
            let columns: Vec<f32> = (0..tracks * features)
                .map(|i| ((i * 37 % 101) as f32 - 50.0) / 12.5)
                .collect();
            let terms: Vec<Quadratic> = (0..features)
                .map(|j| Quadratic {
                    constant: 9.0,
                    linear: j as f64 - 2.5,
                    quadratic: 0.25 * j as f64 - 1.0,
                })
                .collect();
            let mut scores = vec![f32::NAN; tracks];
            score_columns(&columns, &terms, &mut scores);
            let bound = error_bound(&terms, 4.0, 0.0);
            for track in 0..tracks {
                let exact: f64 = (0..features)
                    .map(|j| {
                        let z = f64::from(columns[j * tracks + track]);
                        z * (terms[j].linear + z * terms[j].quadratic)
                    })
                    .sum();
                assert!(
                    (f64::from(scores[track]) - exact).abs() <= bound,
                    "{tracks} x {features}, track {track}"
                );
            }
        }
    }
}
