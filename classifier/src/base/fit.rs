//! A prior from listeners' ratings: pooled means by linfa, strengths by empirical Bayes.

use domain::{Described, Digest, FeatureSchema, Rating};
use linfa::dataset::DatasetBase;
use linfa::traits::Fit;
use linfa_bayes::GaussianNb;
use ndarray::{Array1, Array2};
use serde::Deserialize;

use super::{BaseModel, BaseModelError, ClassPrior, CommonTaste};
use crate::learner::linear::LinearModel;
use crate::learner::{Example, relevance};
use crate::schema::FIXED_POINT;

/// A measured strength is held within these: below, one rating would carry a model; above, none would.
const KAPPA_MIN: f64 = 0.5;
const KAPPA_MAX: f64 = 50.0;
const VARIANCE_MIN: f64 = 1e-3;

/// Why no base model could be fitted.
#[derive(Debug, thiserror::Error)]
pub enum FitError {
    /// Each class needs two ratings by at least one listener.
    #[error("there are too few {0}s to fit a base model: a listener with at least two is needed")]
    TooFew(&'static str),
    /// A description belongs to another schema.
    #[error("a rating was described under schema {0}, not the one to fit")]
    OtherSchema(Digest),
    /// linfa refused the data.
    #[error("the pooled fit failed")]
    Pooled(#[source] linfa_bayes::NaiveBayesError),
    /// linfa's result has not the expected shape.
    #[error("the pooled fit could not be read")]
    Shape(#[source] serde_json::Error),
    /// The result lies outside the artifact's bounds, so nobody could read it again.
    #[error("the fitted base model is out of bounds")]
    OutOfBounds(#[source] BaseModelError),
}

impl BaseModel {
    /// Fits the prior to ratings, grouped by listener.
    ///
    /// Pooled means are linfa's Gaussian naive Bayes; each variance is the mean variance *within* a listener, and each
    /// mean's strength is that variance over the variance *between* listeners' means (empirical Bayes by the method of
    /// moments). So a feature on which listeners differ is learned from few ratings. What listeners have in common is the
    /// mean of their own linear models, a listener with few ratings near to nothing.
    ///
    /// # Errors
    /// [`FitError`]; nothing is kept. The order of listeners and ratings may change the last bits of the result.
    pub fn fit(
        schema: &FeatureSchema,
        trained_on: &str,
        listeners: &[Vec<(Described, Rating)>],
    ) -> Result<Self, FitError> {
        let digest = schema.digest();
        let features = schema.features.len();
        let rows = Rows::collect(digest, features, listeners)?;
        let pooled = rows.pooled()?;
        let like = rows.prior(Rating::Like, pooled.mean(true))?;
        let dislike = rows.prior(Rating::Dislike, pooled.mean(false))?;
        let mut model = Self::of(digest, "hierarchical_naive_bayes", trained_on, like, dislike);
        model.common = Some(rows.common(&relevance(schema)));
        model.format = model.needed_format();
        model.check().map_err(FitError::OutOfBounds)?;
        Ok(model)
    }
}

/// Ratings as standardised numbers: per listener, what they liked and disliked.
struct Rows {
    features: usize,
    listeners: Vec<[Vec<Vec<f64>>; 2]>,
}

impl Rows {
    fn collect(
        schema: Digest,
        features: usize,
        listeners: &[Vec<(Described, Rating)>],
    ) -> Result<Self, FitError> {
        let mut rows = Vec::with_capacity(listeners.len());
        for ratings in listeners {
            let mut classes = [Vec::new(), Vec::new()];
            for (described, rating) in ratings {
                if described.schema != schema || described.z.len() != features {
                    return Err(FitError::OtherSchema(described.schema));
                }
                let z = described.z.iter().map(|&z| f64::from(z) / FIXED_POINT).collect();
                classes[class(*rating)].push(z);
            }
            rows.push(classes);
        }
        Ok(Self {
            features,
            listeners: rows,
        })
    }

    fn of_class(&self, rating: Rating) -> impl Iterator<Item = &Vec<Vec<f64>>> {
        self.listeners.iter().map(move |classes| &classes[class(rating)])
    }

    fn pooled(&self) -> Result<Pooled, FitError> {
        let mut values = Vec::new();
        let mut labels = Vec::new();
        for rating in [Rating::Like, Rating::Dislike] {
            for row in self.of_class(rating).flatten() {
                values.extend_from_slice(row);
                labels.push(rating == Rating::Like);
            }
        }
        for (wanted, name) in [(true, "like"), (false, "dislike")] {
            if labels.iter().filter(|&&label| label == wanted).count() < 2 {
                return Err(FitError::TooFew(name));
            }
        }
        let rows = Array2::from_shape_vec((labels.len(), self.features), values)
            .expect("every row has every feature");
        let dataset = DatasetBase::new(rows, Array1::from(labels));
        let fitted = GaussianNb::params().fit(&dataset).map_err(FitError::Pooled)?;
        Pooled::read(&fitted).map_err(FitError::Shape)
    }

    fn common(&self, relevance: &[f64]) -> CommonTaste {
        let mut common = CommonTaste {
            linear: vec![0.0; self.features],
            quadratic: vec![0.0; self.features],
        };
        let share = 1.0 / self.listeners.len().max(1) as f64;
        for [liked, disliked] in &self.listeners {
            let of = |rows: &[Vec<f64>], value: f64| {
                rows.iter().map(move |z| example(z, value)).collect::<Vec<_>>()
            };
            let examples = [of(liked, 1.0), of(disliked, -1.0)].concat();
            let learned = LinearModel::learn(relevance, &[], &examples).quadratics();
            for (feature, form) in learned.iter().enumerate() {
                common.linear[feature] += share * form.linear;
                common.quadratic[feature] += share * form.quadratic;
            }
        }
        common
    }

    fn prior(&self, rating: Rating, mean: Vec<f64>) -> Result<ClassPrior, FitError> {
        let mut prior = ClassPrior {
            mean,
            variance: Vec::new(),
            kappa: Vec::new(),
        };
        for feature in 0..self.features {
            let columns = self
                .of_class(rating)
                .map(|rows| rows.iter().map(|row| row[feature]).collect::<Vec<_>>());
            let name = if rating == Rating::Like { "like" } else { "dislike" };
            let (variance, kappa) = strength(columns, prior.mean[feature]).ok_or(FitError::TooFew(name))?;
            prior.variance.push(variance);
            prior.kappa.push(kappa);
        }
        Ok(prior)
    }
}

fn example(z: &[f64], value: f64) -> Example {
    Example {
        z: z.to_vec(),
        value,
        weight: 1.0,
    }
}

fn class(rating: Rating) -> usize {
    usize::from(rating == Rating::Dislike)
}

/// The variance within listeners, and the strength of the prior mean: within over between. Listeners with fewer than
/// two ratings say nothing of either. `None` without any listener.
fn strength(columns: impl Iterator<Item = Vec<f64>>, pooled_mean: f64) -> Option<(f64, f64)> {
    let (mut squares, mut freedom, mut between, mut inverse, mut groups) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for column in columns.filter(|column| column.len() >= 2) {
        let n = column.len() as f64;
        let mean = column.iter().sum::<f64>() / n;
        squares += column.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>();
        freedom += n - 1.0;
        between += (mean - pooled_mean) * (mean - pooled_mean);
        inverse += 1.0 / n;
        groups += 1.0;
    }
    if groups == 0.0 {
        return None;
    }
    let within = (squares / freedom).max(VARIANCE_MIN);
    // E[(mean_u - m)^2] = tau^2 + within / n_u
    let tau = between / groups - within * inverse / groups;
    let kappa = if tau > 0.0 {
        (within / tau).clamp(KAPPA_MIN, KAPPA_MAX)
    } else {
        KAPPA_MAX
    };
    Some((within, kappa))
}

/// What linfa keeps private and only its serde form shows.
#[derive(Deserialize)]
struct Pooled {
    class_info: std::collections::BTreeMap<String, PooledClass>,
}

#[derive(Deserialize)]
struct PooledClass {
    theta: Array1<f64>,
}

impl Pooled {
    fn read(fitted: &GaussianNb<f64, bool>) -> Result<Self, serde_json::Error> {
        serde_json::from_str(&serde_json::to_string(fitted)?)
    }

    fn mean(&self, liked: bool) -> Vec<f64> {
        self.class_info
            .get(if liked { "true" } else { "false" })
            .map(|class| class.theta.to_vec())
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of two features that always go together the classes' log-odds count what they say twice; what listeners have in common
    /// counts it once. A listener who says the opposite cancels one who is alike.
    #[test]
    fn what_listeners_have_in_common_is_learned_jointly_and_is_their_mean() {
        let rows = |slopes: &[f64], features: usize| Rows {
            features,
            listeners: slopes
                .iter()
                .map(|slope| [1.0, -1.0].map(|side| vec![vec![side * slope; features]; 40]))
                .collect(),
        };
        let alone = rows(&[1.0, 1.0], 1).common(&[1.0]);
        let twice = rows(&[1.0, 1.0], 2).common(&[1.0, 1.0]);
        let together = twice.linear[0] + twice.linear[1];
        assert!(alone.linear[0] > 0.5 && (together - alone.linear[0]).abs() < 0.25 * alone.linear[0]);
        assert!(rows(&[1.0, -1.0], 1).common(&[1.0]).linear[0].abs() < 1e-12);
    }

    #[test]
    fn strength_is_within_over_between() {
        // Two listeners, far apart, each with little spread: the prior mean is weak.
        let weak = strength([vec![2.9, 3.1], vec![-3.1, -2.9]].into_iter(), 0.0).unwrap();
        assert_eq!(weak.1, KAPPA_MIN);
        // Two listeners alike, each with much spread: it is strong.
        let strong = strength([vec![-1.0, 1.0], vec![-1.0, 1.0]].into_iter(), 0.0).unwrap();
        assert_eq!(strong, (2.0, KAPPA_MAX));
        assert!(strength([vec![1.0]].into_iter(), 0.0).is_none());
    }
}
