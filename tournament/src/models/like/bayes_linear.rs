//! Bayesian linear regression of +1 (like) and -1 (dislike) on level and square of each feature.
//!
//! `w ~ N(m, S)`, `y = w phi(z) + e`, `e ~ N(0, noise)`; the posterior has `V^-1 = S^-1 + A / noise` and mean
//! `V (S^-1 m + g / noise)` with `A = sum phi phi^T`, `g = sum y phi` (Bishop, *Pattern Recognition*, 3.3). The prior is
//! that of other people's own fits, or `N(0, ridge I)`.

use super::world::{described, quadratic};
use super::{Contestant, LikeModel, Person, World};
use crate::linear::{Cholesky, add_outer, dot, sigmoid};
use crate::models::Setting;
use crate::stats::mean;

pub(super) const CONTESTANT: Contestant = Contestant {
    name: "Bayesian linear, quadratic",
    what: "linear regression of like and dislike on z and z^2, with a prior from other people or around 0",
    grid: &[
        Setting(&[("population", 0.0), ("ridge", 0.01), ("noise", 0.7)]),
        Setting(&[("population", 0.0), ("ridge", 0.03), ("noise", 0.7)]),
        Setting(&[("population", 0.0), ("ridge", 0.1), ("noise", 0.7)]),
        Setting(&[("population", 0.0), ("ridge", 0.003), ("noise", 0.7)]),
        Setting(&[("population", 1.0), ("ridge", 0.03), ("noise", 0.7)]),
        Setting(&[("population", 1.0), ("ridge", 0.1), ("noise", 0.7)]),
        Setting(&[("population", 1.0), ("ridge", 0.03), ("noise", 2.0)]),
        Setting(&[("population", 1.0), ("ridge", 0.1), ("noise", 2.0)]),
    ],
    parts: &[],
    build: |world, setting, _| {
        Box::new(BayesLinear {
            prior: Prior::of(world, setting),
            noise: setting.get("noise"),
            world,
            posterior: Posterior::default(),
        })
    },
};

/// The normal distribution turns into the logistic one when its argument is stretched so.
const PROBIT: f64 = 1.702;
/// The prior covariance is shrunk towards its diagonal by this share, and kept from being singular.
const TO_DIAGONAL: f64 = 0.3;
const JITTER: f64 = 1e-4;

struct BayesLinear<'a> {
    world: World<'a>,
    prior: Prior,
    noise: f64,
    posterior: Posterior,
}

/// `S^-1` and `S^-1 m`.
struct Prior {
    precision: Vec<f64>,
    shift: Vec<f64>,
}

#[derive(Default)]
struct Posterior {
    mean: Vec<f64>,
    precision: Option<Cholesky>,
}

impl Prior {
    fn of(world: World<'_>, setting: Setting) -> Self {
        let ridge = setting.get("ridge");
        let fits: Vec<Vec<f64>> = if setting.get("population") > 0.0 {
            world.people().map(|person| own_fit(person, ridge)).collect()
        } else {
            Vec::new()
        };
        if fits.len() < 2 {
            return Self::around_zero(world, ridge);
        }
        Self::of_fits(&fits)
    }

    fn around_zero(world: World<'_>, ridge: f64) -> Self {
        let size = 1 + 2 * world.ratings.catalogue.schema().features.len();
        let mut precision = vec![0.0; size * size];
        precision
            .iter_mut()
            .step_by(size + 1)
            .for_each(|cell| *cell = 1.0 / ridge);
        // The share of likes is not a matter of taste: it may be anything.
        precision[0] = 1.0;
        Self {
            precision,
            shift: vec![0.0; size],
        }
    }

    fn of_fits(fits: &[Vec<f64>]) -> Self {
        let size = fits[0].len();
        let centre: Vec<f64> = (0..size)
            .map(|i| mean(&fits.iter().map(|fit| fit[i]).collect::<Vec<_>>()))
            .collect();
        let mut covariance = vec![0.0; size * size];
        for fit in fits {
            let apart: Vec<f64> = fit.iter().zip(&centre).map(|(a, b)| a - b).collect();
            add_outer(&mut covariance, &apart, 1.0 / fits.len() as f64);
        }
        for (index, cell) in covariance.iter_mut().enumerate() {
            *cell = if index % (size + 1) == 0 {
                *cell + JITTER
            } else {
                *cell * (1.0 - TO_DIAGONAL)
            };
        }
        let factor = Cholesky::of(covariance, size);
        Self {
            shift: factor.solve(&centre),
            precision: factor.inverse(),
        }
    }
}

/// One person's weights under a prior around 0.
fn own_fit(person: &Person, ridge: f64) -> Vec<f64> {
    let size = person.first().map_or(1, |(track, _)| 1 + 2 * track.z.len());
    let mut precision = vec![0.0; size * size];
    precision
        .iter_mut()
        .step_by(size + 1)
        .for_each(|cell| *cell = 1.0 / ridge);
    let mut shift = vec![0.0; size];
    for (track, liked) in person {
        count(
            &mut precision,
            &mut shift,
            &quadratic(&described(track)),
            *liked,
            1.0,
        );
    }
    Cholesky::of(precision, size).solve(&shift)
}

fn count(precision: &mut [f64], shift: &mut [f64], phi: &[f64], liked: bool, noise: f64) {
    add_outer(precision, phi, 1.0 / noise);
    let y = if liked { 1.0 } else { -1.0 };
    shift
        .iter_mut()
        .zip(phi)
        .for_each(|(sum, phi)| *sum += y * phi / noise);
}

impl BayesLinear<'_> {
    fn phi(&self, track: u32) -> Vec<f64> {
        self.world.quadratic(track)
    }
}

impl LikeModel for BayesLinear<'_> {
    fn fit(&mut self, rated: &[(u32, bool)]) {
        let mut precision = self.prior.precision.clone();
        let mut shift = self.prior.shift.clone();
        for &(track, liked) in rated {
            count(&mut precision, &mut shift, &self.phi(track), liked, self.noise);
        }
        let factor = Cholesky::of(precision, shift.len());
        self.posterior = Posterior {
            mean: factor.solve(&shift),
            precision: Some(factor),
        };
    }

    fn score(&self, track: u32) -> f64 {
        dot(&self.posterior.mean, &self.phi(track))
    }

    fn probability(&self, track: u32) -> Option<f64> {
        let half = self.posterior.precision.as_ref()?.forward(&self.phi(track));
        let variance = self.noise + dot(&half, &half);
        Some(sigmoid(PROBIT * self.score(track) / variance.sqrt()))
    }
}
