//! linfa's logistic regression on the standardised features.

use linfa::traits::Fit;
use linfa::{Dataset, ParamGuard};
use linfa_logistic::{FittedLogisticRegression, LogisticRegression};
use ndarray::{Array1, Array2};

use super::like_rate::like_rate;
use super::{Contestant, LikeModel, World};
use crate::linear::{dot, logit, sigmoid};
use crate::models::Setting;

pub(super) const CONTESTANT: Contestant = Contestant {
    name: "logistic regression (linfa)",
    what: "linfa-logistic on the standardised features, L2 penalty `alpha`",
    grid: &[
        Setting(&[("alpha", 0.3)]),
        Setting(&[("alpha", 1.0)]),
        Setting(&[("alpha", 3.0)]),
        Setting(&[("alpha", 10.0)]),
        Setting(&[("alpha", 30.0)]),
        Setting(&[("alpha", 100.0)]),
        Setting(&[("alpha", 300.0)]),
    ],
    parts: &[],
    build: |world, setting, _| {
        Box::new(Logistic {
            world,
            alpha: setting.get("alpha"),
            intercept: 0.0,
            weights: Vec::new(),
        })
    },
};

struct Logistic<'a> {
    world: World<'a>,
    alpha: f64,
    intercept: f64,
    weights: Vec<f64>,
}

/// Weights for the class "liked".
struct Weights {
    intercept: f64,
    weights: Vec<f64>,
}

impl From<FittedLogisticRegression<f64, bool>> for Weights {
    /// linfa calls the class positive that it likes to; its labels say which.
    fn from(fitted: FittedLogisticRegression<f64, bool>) -> Self {
        let sign = if fitted.labels().pos.class { 1.0 } else { -1.0 };
        Self {
            intercept: sign * fitted.intercept(),
            weights: fitted.params().iter().map(|weight| sign * weight).collect(),
        }
    }
}

impl Logistic<'_> {
    /// `None` where linfa refuses: with one class only, or when it does not converge to numbers.
    fn fitted(&self, rated: &[(u32, bool)]) -> Option<Weights> {
        let rows: Vec<f64> = rated.iter().flat_map(|(track, _)| self.world.z(*track)).collect();
        let features = self.world.ratings.catalogue.schema().features.len();
        let rows = Array2::from_shape_vec((rated.len(), features), rows).ok()?;
        let liked: Array1<bool> = rated.iter().map(|(_, liked)| *liked).collect();
        let params = LogisticRegression::default().alpha(self.alpha).check().ok()?;
        let weights = Weights::from(params.fit(&Dataset::new(rows, liked)).ok()?);
        let is_usable =
            weights.intercept.is_finite() && weights.weights.iter().all(|weight| weight.is_finite());
        is_usable.then_some(weights)
    }
}

impl LikeModel for Logistic<'_> {
    fn fit(&mut self, rated: &[(u32, bool)]) {
        let fitted = self.fitted(rated).unwrap_or_else(|| Weights {
            intercept: logit(like_rate(rated)),
            weights: Vec::new(),
        });
        self.intercept = fitted.intercept;
        self.weights = fitted.weights;
    }

    fn score(&self, track: u32) -> f64 {
        self.intercept + dot(&self.weights, &self.world.z(track))
    }

    fn probability(&self, track: u32) -> Option<f64> {
        Some(sigmoid(self.score(track)))
    }
}
