//! linfa's Gaussian naive Bayes, on the features in their own units and on standardised ones.

use linfa::traits::Fit;
use linfa::{Dataset, ParamGuard};
use linfa_bayes::{GaussianNb, NaiveBayes};
use ndarray::{Array1, Array2};

use super::like_rate::like_rate;
use super::{Contestant, LikeModel, World};
use crate::linear::{logit, sigmoid};
use crate::models::Setting;

const GRID: &[Setting] = &[
    Setting(&[("smoothing", 1e-9), ("temper", 1.0)]),
    Setting(&[("smoothing", 1e-9), ("temper", 0.25)]),
    Setting(&[("smoothing", 1e-3), ("temper", 1.0)]),
    Setting(&[("smoothing", 1e-3), ("temper", 0.25)]),
    Setting(&[("smoothing", 0.1), ("temper", 1.0)]),
    Setting(&[("smoothing", 0.1), ("temper", 0.25)]),
    Setting(&[("smoothing", 1.0), ("temper", 1.0)]),
    Setting(&[("smoothing", 1.0), ("temper", 0.25)]),
];

pub(super) const RAW: Contestant = Contestant {
    name: "Gaussian naive Bayes (linfa), raw",
    what: "linfa-bayes on the features in their own units",
    grid: GRID,
    parts: &[],
    build: |world, setting, _| Box::new(Nb::new(world, setting, false)),
};

pub(super) const SCALED: Contestant = Contestant {
    name: "Gaussian naive Bayes (linfa), scaled",
    what: "linfa-bayes on the standardised features, skewed ones logged",
    grid: GRID,
    parts: &[],
    build: |world, setting, _| Box::new(Nb::new(world, setting, true)),
};

/// Log-odds are held within these: linfa's densities underflow far from both classes.
const ODDS_MAX: f64 = 50.0;

struct Nb<'a> {
    world: World<'a>,
    smoothing: f64,
    temper: f64,
    is_scaled: bool,
    prior: f64,
    fitted: Option<GaussianNb<f64, bool>>,
}

impl<'a> Nb<'a> {
    fn new(world: World<'a>, setting: Setting, is_scaled: bool) -> Self {
        Self {
            world,
            smoothing: setting.get("smoothing"),
            temper: setting.get("temper"),
            is_scaled,
            prior: 0.0,
            fitted: None,
        }
    }

    fn row(&self, track: u32) -> Vec<f64> {
        if self.is_scaled {
            self.world.z(track)
        } else {
            self.world.ratings.catalogue.raw(track).map(f64::from).collect()
        }
    }

    /// `None` where linfa refuses, and without both classes: it cannot compare one with nothing.
    fn fitted(&self, rated: &[(u32, bool)]) -> Option<GaussianNb<f64, bool>> {
        let both = rated.iter().any(|(_, liked)| *liked) && rated.iter().any(|(_, liked)| !liked);
        if !both {
            return None;
        }
        let rows: Vec<f64> = rated.iter().flat_map(|(track, _)| self.row(*track)).collect();
        let rows = Array2::from_shape_vec((rated.len(), rows.len() / rated.len()), rows).ok()?;
        let liked: Array1<bool> = rated.iter().map(|(_, liked)| *liked).collect();
        let params = GaussianNb::params().var_smoothing(self.smoothing).check().ok()?;
        params.fit(&Dataset::new(rows, liked)).ok()
    }

    fn log_odds(&self, track: u32) -> Option<f64> {
        let row = self.row(track);
        let row = Array2::from_shape_vec((1, row.len()), row).ok()?;
        let joint = self.fitted.as_ref()?.joint_log_likelihood(row.view());
        let odds = joint.get(&true)?.first()? - joint.get(&false)?.first()?;
        (!odds.is_nan()).then_some(odds.clamp(-ODDS_MAX, ODDS_MAX))
    }
}

impl LikeModel for Nb<'_> {
    fn fit(&mut self, rated: &[(u32, bool)]) {
        self.prior = logit(like_rate(rated));
        self.fitted = self.fitted(rated);
    }

    fn score(&self, track: u32) -> f64 {
        self.log_odds(track).map_or(self.prior, |odds| self.temper * odds)
    }

    fn probability(&self, track: u32) -> Option<f64> {
        Some(sigmoid(self.score(track)))
    }
}
