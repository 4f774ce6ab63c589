//! What the listener's music sounds like: how much likelier a track's sound is among the likes than in the catalogue.
//!
//! The least-squares discriminant between likes and the catalogue (Bishop 4.1.5), with dislikes counted among what is not
//! liked:
//!
//! ```text
//! x = expanded features - their mean over the catalogue       B = n C + sum_liked x x^T + sum_disliked x x^T + prior I
//! w = B^-1 sum_liked x                                        term(track) = w^T x
//! ```
//!
//! `C` is the catalogue's covariance and `n` the number of likes, so the catalogue counts as much as all likes together.

use super::likes::Likes;
use super::weights::{SOUND, SOUND_PRIOR};
use crate::algebra::{Matrix, dot};
use crate::catalogue::Catalogue;
use crate::catalogue::statistics::expand;
use crate::model::Quadratic;

const PIVOT_MIN: f64 = 1e-9;

/// A quadratic form per feature.
pub(super) fn quadratics(catalogue: &Catalogue, likes: &Likes) -> Vec<Quadratic> {
    let features = catalogue.schema().features.len();
    let statistics = catalogue.statistics();
    let (Some(covariance), true) = (&statistics.covariance, likes.all.liked > 0.0) else {
        return vec![Quadratic::default(); features];
    };
    let mut within = Matrix::zeros(2 * features);
    let mut liked = vec![0.0; 2 * features];
    for row in 0..2 * features {
        within.add(row, row, SOUND_PRIOR);
        for column in 0..=row {
            within.add(row, column, likes.all.liked * covariance.at(row, column));
        }
    }
    for label in &likes.songs {
        let expanded = expand(catalogue.z(label.track).map(f64::from));
        let centred: Vec<f64> = expanded
            .iter()
            .zip(&statistics.mean)
            .map(|(x, m)| x - m)
            .collect();
        within.add_outer(&centred, label.weight * label.value.abs());
        if label.is_liked() {
            let mass = label.weight * label.value;
            liked
                .iter_mut()
                .zip(&centred)
                .for_each(|(sum, x)| *sum += mass * x);
        }
    }
    let weights = within.cholesky(PIVOT_MIN).solve(&liked);
    forms(&weights, &statistics.mean, features)
}

fn forms(weights: &[f64], mean: &[f64], features: usize) -> Vec<Quadratic> {
    let form = |feature: usize| {
        let (linear, quadratic) = (
            weights[feature],
            weights[features + feature] / std::f64::consts::SQRT_2,
        );
        let offset = dot(
            &[weights[feature], weights[features + feature]],
            &[mean[feature], mean[features + feature]],
        );
        Quadratic {
            constant: -quadratic - offset,
            linear,
            quadratic,
        }
        .times(SOUND)
    };
    (0..features).map(form).collect()
}
