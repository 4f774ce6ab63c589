//! From prior and sums to the model of one listener: hierarchical Gaussian naive Bayes.
//!
//! Each class and feature has a conjugate prior from the base model and the listener's own sums (Gelman et al.,
//! *Bayesian Data Analysis*, 3.3):
//!
//! ```text
//! kappa_n = kappa0 + n            m_n = (kappa0 m0 + S1) / kappa_n           nu_n = nu0 + n
//! nu_n s2_n = nu0 s2_0 + M2 + kappa0 n / kappa_n (mean - m0)^2               M2 = S2 - S1^2 / n
//! v = s2_n (1 + 1 / kappa_n) nu_n / (nu_n - 2)                               (the predictive variance)
//! ```
//!
//! The log-odds of two Gaussians are quadratic, `c + sum_j (b_j z_j + a_j z_j^2)`, so a catalogue is scored with two
//! multiplications per number.

use domain::Digest;

use crate::base::{BaseModel, ClassPrior};
use crate::numbers::ln;
use crate::schema::FIXED_POINT;
use crate::taste::{ArtistCounts, Sums, TasteState};

/// Variances are kept above this: a listener who rated one song twice is not infinitely sure.
const VARIANCE_MIN: f64 = 1e-6;
/// Sums are read within this many deviations, whatever they hold.
const MEAN_MAX: f64 = 16.0;

/// What is left of the features' log-odds in a probability: naive Bayes counts again and again what features that go together
/// say. Of a quarter, a half and all of it, a quarter comes nearest to the truth after 50 ratings, at an error of twice what chance
/// alone would give (`docs/model-report.md`).
pub const TEMPER: f64 = 0.25;

/// What is believed of one feature within one class.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Posterior {
    /// The mean, in deviations from the catalogue's.
    pub mean: f64,
    /// The variance within the class.
    pub variance: f64,
    /// (Pseudo-)ratings behind the mean.
    pub kappa: f64,
    /// (Pseudo-)ratings behind the variance.
    pub nu: f64,
}

impl Posterior {
    /// The variance of one more track's value; what is not known of the mean counts in.
    #[must_use]
    pub fn predictive_variance(&self) -> f64 {
        let tail = if self.nu > 2.0 {
            self.nu / (self.nu - 2.0)
        } else {
            1.0
        };
        (self.variance * (1.0 + 1.0 / self.kappa) * tail).max(VARIANCE_MIN)
    }
}

/// The posterior of a prior (`mean`, `variance`, `kappa`, `nu`) and `n` values with sum `s1` and sum of squares `s2`.
/// With `kappa` and `nu` 0 it is the plain mean and variance of the values.
#[must_use]
pub fn update(prior: Posterior, n: f64, s1: f64, s2: f64) -> Posterior {
    if n <= 0.0 {
        return prior;
    }
    let kappa = prior.kappa + n;
    let nu = prior.nu + n;
    let mean = s1 / n;
    let scatter = (s2 - s1 * mean).max(0.0);
    let pull = prior.kappa * n / kappa * (mean - prior.mean) * (mean - prior.mean);
    let variance = (prior.nu * prior.variance + scatter + pull) / nu;
    Posterior {
        mean: (prior.kappa * prior.mean + s1) / kappa,
        variance,
        kappa,
        nu,
    }
}

/// What is believed of one listener.
#[derive(Debug, Clone, PartialEq)]
pub struct ListenerModel {
    /// Of each feature, among liked tracks.
    pub like: Vec<Posterior>,
    /// Of each feature, among disliked tracks.
    pub dislike: Vec<Posterior>,
    /// The log-odds of a like before anything is known of the track.
    pub prior_log_odds: f64,
    artist_prior: f64,
}

/// One feature's share of the log-odds: `constant + linear z + quadratic z^2`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Quadratic {
    /// Added to every track.
    pub constant: f64,
    /// Times the standardised value.
    pub linear: f64,
    /// Times its square.
    pub quadratic: f64,
}

impl ListenerModel {
    /// Learns a listener's taste from the sums under the base model's schema.
    #[must_use]
    pub fn learn(base: &BaseModel, taste: &TasteState) -> Self {
        let schema: &Digest = &base.schema;
        let none = Sums::default();
        let (like, dislike) = taste
            .classes(schema)
            .map_or((&none, &none), |sums| (&sums.like, &sums.dislike));
        let likes = like.n.max(0) as f64 + base.prior_likes;
        let dislikes = dislike.n.max(0) as f64 + base.prior_dislikes;
        Self {
            like: posteriors(&base.like, base.nu, like),
            dislike: posteriors(&base.dislike, base.nu, dislike),
            prior_log_odds: ln(likes / dislikes),
            artist_prior: base.artist_prior,
        }
    }

    /// The log-odds that a track with these standardised features is liked, whoever it is by: a quarter of what the
    /// features say each by itself ([`TEMPER`]), over the share of likes.
    #[must_use]
    pub fn tempered_log_odds(&self, z: &[f64]) -> f64 {
        let of_features: f64 = self.quadratics().iter().zip(z).map(|(form, z)| form.at(*z)).sum();
        self.prior_log_odds + TEMPER * of_features
    }

    /// The log-odds of two Gaussians, per feature.
    #[must_use]
    pub fn quadratics(&self) -> Vec<Quadratic> {
        self.like
            .iter()
            .zip(&self.dislike)
            .map(|(like, dislike)| log_odds(like, dislike))
            .collect()
    }

    /// The log-odds that an artist's track is liked, against an artist of whom nothing is known: 0 without ratings.
    #[must_use]
    pub fn artist_log_odds(&self, counts: ArtistCounts) -> f64 {
        let likes = counts.likes.max(0) as f64 + self.artist_prior;
        let dislikes = counts.dislikes.max(0) as f64 + self.artist_prior;
        ln(likes / dislikes)
    }

    /// How uncertain [`ListenerModel::artist_log_odds`] is, as a standard deviation (the delta method).
    #[must_use]
    pub fn artist_deviation(&self, counts: ArtistCounts) -> f64 {
        let likes = counts.likes.max(0) as f64 + self.artist_prior;
        let dislikes = counts.dislikes.max(0) as f64 + self.artist_prior;
        (1.0 / likes + 1.0 / dislikes).sqrt()
    }
}

fn posteriors(prior: &ClassPrior, nu: f64, sums: &Sums) -> Vec<Posterior> {
    let n = sums.n.max(0) as f64;
    (0..prior.mean.len())
        .map(|feature| {
            let prior = Posterior {
                mean: prior.mean[feature],
                variance: prior.variance[feature],
                kappa: prior.kappa[feature],
                nu,
            };
            let (s1, s2) = sums_of(sums, feature, n);
            update(prior, n, s1, s2)
        })
        .collect()
}

/// The sums as numbers, held where `n` values of a standardised feature can be: whatever a state holds, the posterior
/// is finite.
fn sums_of(sums: &Sums, feature: usize, n: f64) -> (f64, f64) {
    let read = |sums: &[i64]| sums.get(feature).copied().unwrap_or(0) as f64;
    let s1 = (read(&sums.s1) / FIXED_POINT).clamp(-MEAN_MAX * n, MEAN_MAX * n);
    let s2 = (read(&sums.s2) / (FIXED_POINT * FIXED_POINT)).clamp(0.0, MEAN_MAX * MEAN_MAX * n);
    (s1, s2)
}

fn log_odds(like: &Posterior, dislike: &Posterior) -> Quadratic {
    gaussian_log_odds(
        (like.mean, like.predictive_variance()),
        (dislike.mean, dislike.predictive_variance()),
    )
}

/// The log-odds between two Gaussians, each given as (mean, variance).
#[must_use]
pub fn gaussian_log_odds(like: (f64, f64), dislike: (f64, f64)) -> Quadratic {
    let ((m1, v1), (m0, v0)) = (like, dislike);
    Quadratic {
        constant: 0.5 * ln(v0 / v1) + m0 * m0 / (2.0 * v0) - m1 * m1 / (2.0 * v1),
        linear: m1 / v1 - m0 / v0,
        quadratic: 0.5 * (1.0 / v0 - 1.0 / v1),
    }
}

impl Quadratic {
    /// The value at `z`.
    #[must_use]
    pub fn at(&self, z: f64) -> f64 {
        self.constant + z * (self.linear + z * self.quadratic)
    }

    /// Both added.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            constant: self.constant + other.constant,
            linear: self.linear + other.linear,
            quadratic: self.quadratic + other.quadratic,
        }
    }

    /// All three numbers times `factor`.
    #[must_use]
    pub fn times(&self, factor: f64) -> Self {
        Self {
            constant: self.constant * factor,
            linear: self.linear * factor,
            quadratic: self.quadratic * factor,
        }
    }

    /// `-weight (z - centre)^2`: a preference for values near `centre`.
    #[must_use]
    pub fn near(centre: f64, weight: f64) -> Self {
        Self {
            constant: -weight * centre * centre,
            linear: 2.0 * weight * centre,
            quadratic: -weight,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quadratic_is_the_difference_of_the_log_densities() {
        let log_density = |(m, v): (f64, f64), z: f64| -0.5 * (v.ln() + (z - m) * (z - m) / v);
        let (like, dislike) = ((0.7, 0.4), (-0.3, 2.0));
        let quadratic = gaussian_log_odds(like, dislike);
        for z in [-4.0, -1.0, 0.0, 0.3, 4.0] {
            let expected = log_density(like, z) - log_density(dislike, z);
            assert!((quadratic.at(z) - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn the_posterior_is_between_prior_and_data() {
        let prior = Posterior {
            mean: 0.0,
            variance: 1.0,
            kappa: 5.0,
            nu: 30.0,
        };
        let posterior = update(prior, 5.0, 10.0, 20.0);
        assert_eq!(posterior.mean, 1.0);
        assert_eq!(posterior.kappa, 10.0);
        assert!((posterior.variance - (30.0 + 2.5 * 4.0) / 35.0).abs() < 1e-15);
        assert_eq!(update(prior, 0.0, 0.0, 0.0), prior);
    }

    #[test]
    fn tempered_log_odds_lean_as_the_features_do_and_less_far() {
        let belief = |mean: f64| Posterior {
            mean,
            variance: 1.0,
            kappa: 1e9,
            nu: 1e9,
        };
        let model = ListenerModel {
            like: vec![belief(1.0); 2],
            dislike: vec![belief(-1.0); 2],
            prior_log_odds: 0.5,
            artist_prior: 0.5,
        };
        // Each feature at 1 says 2 for a like.
        assert!((model.tempered_log_odds(&[1.0, 1.0]) - (0.5 + TEMPER * 4.0)).abs() < 1e-6);
        assert!((model.tempered_log_odds(&[1.0, -1.0]) - 0.5).abs() < 1e-6);
    }

    #[test]
    fn a_preference_is_highest_at_its_centre() {
        let near = Quadratic::near(1.5, 2.0);
        assert!((near.at(1.5)).abs() < 1e-12);
        assert!((near.at(0.5) + 2.0).abs() < 1e-12);
    }
}
