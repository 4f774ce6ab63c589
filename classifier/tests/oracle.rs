//! The posterior without a prior is what linfa computes from the same rows; the fitted base model follows its ratings.

use std::collections::BTreeMap;

use classifier::model::{ListenerModel, Posterior, gaussian_log_odds, update};
use classifier::{BaseModel, TasteState, generator};
use domain::{Described, Rating};
use linfa::dataset::DatasetBase;
use linfa::traits::Fit;
use linfa_bayes::{GaussianNb, NaiveBayes};
use ndarray::{Array1, Array2};
use serde::Deserialize;

const ROWS: usize = 40;
const FEATURES: usize = 3;

#[derive(Deserialize)]
struct Fitted {
    class_info: BTreeMap<String, Class>,
}

#[derive(Deserialize)]
struct Class {
    theta: Array1<f64>,
    sigma: Array1<f64>,
}

/// Rows on the fixed-point grid, so that sums of 2^-16 lose nothing.
fn rows() -> (Array2<f64>, Array1<bool>) {
    let value = |row: usize, column: usize| {
        let fixed = (row * 7_919 + column * 104_729 + row * row * 31) % 400_000;
        (fixed as f64 - 200_000.0) / 65_536.0
    };
    let labels = Array1::from_shape_fn(ROWS, |row| row % 3 != 0);
    (
        Array2::from_shape_fn((ROWS, FEATURES), |(row, column)| value(row, column)),
        labels,
    )
}

fn linfa() -> GaussianNb<f64, bool> {
    let (rows, labels) = rows();
    GaussianNb::params()
        .var_smoothing(0.0)
        .fit(&DatasetBase::new(rows, labels))
        .unwrap()
}

fn plain(class: bool, column: usize) -> Posterior {
    let (rows, labels) = rows();
    let values: Vec<f64> = rows
        .column(column)
        .iter()
        .zip(&labels)
        .filter(|(_, label)| **label == class)
        .map(|(value, _)| *value)
        .collect();
    let nothing = Posterior {
        mean: 0.0,
        variance: 0.0,
        kappa: 0.0,
        nu: 0.0,
    };
    update(
        nothing,
        values.len() as f64,
        values.iter().sum(),
        values.iter().map(|value| value * value).sum(),
    )
}

#[test]
fn without_a_prior_the_posterior_is_linfas_mean_and_variance() {
    let fitted: Fitted = serde_json::from_str(&serde_json::to_string(&linfa()).unwrap()).unwrap();
    for class in [true, false] {
        let linfa = &fitted.class_info[if class { "true" } else { "false" }];
        for column in 0..FEATURES {
            let ours = plain(class, column);
            assert!(
                (ours.mean - linfa.theta[column]).abs() < 1e-12,
                "mean of {column}"
            );
            assert!(
                (ours.variance - linfa.sigma[column]).abs() < 1e-12,
                "variance of {column}"
            );
        }
    }
}

#[test]
fn without_a_prior_the_log_odds_are_linfas() {
    let (rows, labels) = rows();
    let fitted = linfa();
    let joint = fitted.joint_log_likelihood(rows.view());
    let likes = labels.iter().filter(|label| **label).count() as f64;
    for row in 0..ROWS {
        let mut ours = (likes / (ROWS as f64 - likes)).ln();
        for column in 0..FEATURES {
            let (like, dislike) = (plain(true, column), plain(false, column));
            let term = gaussian_log_odds((like.mean, like.variance), (dislike.mean, dislike.variance));
            ours += term.at(rows[[row, column]]);
        }
        assert!(
            (ours - (joint[&true][row] - joint[&false][row])).abs() < 1e-9,
            "row {row}"
        );
    }
}

/// Listeners of the made-up catalogue who like energetic tracks.
fn listeners() -> (domain::FeatureSchema, Vec<Vec<(Described, Rating)>>) {
    let catalogue = generator::catalogue(600, 11);
    let energy = catalogue.schema().index_of("energy").unwrap();
    let rate = |track: u32| {
        let described = catalogue.describe(track);
        let rating = if described.z[energy] > 0 {
            Rating::Like
        } else {
            Rating::Dislike
        };
        (described, rating)
    };
    let listeners = (0..20)
        .map(|listener| (0..30).map(|n| rate(listener * 30 + n)).collect())
        .collect();
    (catalogue.schema().clone(), listeners)
}

#[test]
fn a_fitted_base_model_believes_what_its_listeners_share() {
    let (schema, listeners) = listeners();
    let model = BaseModel::fit(&schema, "made-up listeners", &listeners).unwrap();
    let energy = schema.index_of("energy").unwrap();
    assert!(model.like.mean[energy] > 0.3 && model.dislike.mean[energy] < -0.3);
    let cold = ListenerModel::learn(&model, &TasteState::default()).quadratics();
    assert!(cold[energy].at(1.0) > cold[energy].at(-1.0));
    let read = BaseModel::from_bytes(&model.to_bytes()).unwrap();
    assert_eq!((read.fingerprint(), &read), (model.fingerprint(), &model));
}

#[test]
fn too_few_ratings_or_another_schema_fit_nothing() {
    let (schema, mut listeners) = listeners();
    assert!(BaseModel::fit(&schema, "nobody", &[]).is_err());
    listeners[0][0].0.z.pop();
    assert!(BaseModel::fit(&schema, "short", &listeners).is_err());
}
