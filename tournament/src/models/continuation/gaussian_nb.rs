//! Sound alone, as linfa's Gaussian naive Bayes hears it.

use linfa::traits::Fit;
use linfa::{Dataset, ParamGuard};
use linfa_bayes::{GaussianNb, NaiveBayes};
use ndarray::{Array1, Array2};

use super::{Contestant, Continuation, Shown, World};
use crate::models::Setting;

pub(super) const CONTESTANT: Contestant = Contestant {
    name: "audio, Gaussian naive Bayes (linfa)",
    what: "linfa-bayes on the standardised features of shown tracks against random others",
    grid: &[
        Setting(&[("smoothing", 1e-9)]),
        Setting(&[("smoothing", 1e-3)]),
        Setting(&[("smoothing", 0.01)]),
        Setting(&[("smoothing", 0.1)]),
        Setting(&[("smoothing", 0.3)]),
        Setting(&[("smoothing", 1.0)]),
    ],
    parts: &[],
    ablates: None,
    build: |world, setting, _| {
        Box::new(Nb {
            world,
            smoothing: setting.get("smoothing"),
        })
    },
};

struct Nb<'a> {
    world: World<'a>,
    smoothing: f64,
}

impl Nb<'_> {
    fn rows(&self, tracks: impl Iterator<Item = u32>) -> Option<Array2<f64>> {
        let features = self.world.catalogue.schema().features.len();
        let values: Vec<f64> = tracks
            .flat_map(|track| self.world.catalogue.z(track))
            .map(f64::from)
            .collect();
        Array2::from_shape_vec((values.len() / features, features), values).ok()
    }

    fn odds(&self, shown: Shown<'_>) -> Option<Vec<f32>> {
        let rows = self.rows(shown.liked.iter().chain(shown.disliked).copied())?;
        let liked: Array1<bool> = (0..rows.nrows()).map(|row| row < shown.liked.len()).collect();
        let params = GaussianNb::params().var_smoothing(self.smoothing).check().ok()?;
        let fitted: GaussianNb<f64, bool> = params.fit(&Dataset::new(rows, liked)).ok()?;
        let all = self.rows(0..self.world.catalogue.len() as u32)?;
        let joint = fitted.joint_log_likelihood(all.view());
        let pairs = joint.get(&true)?.iter().zip(joint.get(&false)?);
        Some(
            pairs
                .map(|(like, dislike)| (like - dislike) as f32)
                .map(|odds| if odds.is_nan() { 0.0 } else { odds })
                .collect(),
        )
    }
}

impl Continuation for Nb<'_> {
    /// All alike where linfa refuses, which it does without both kinds.
    fn rank(&self, shown: Shown<'_>) -> Vec<f32> {
        self.odds(shown)
            .unwrap_or_else(|| vec![0.0; self.world.catalogue.len()])
    }
}
