//! The base model: what is believed of a listener who has rated nothing, and how soon ratings outweigh it.
//!
//! The neutral one believes that liked and disliked tracks are alike: it was fitted to nothing. [`BaseModel::fit`] learns
//! a prior from listeners' ratings.
//!
//! | module | its one job |
//! |---|---|
//! | `artifact` | the stored form: canonical JSON, named by its digest, checked when it is read |
//! | `fit` | a prior from ratings |

mod artifact;
mod fit;

use domain::{Digest, FeatureSchema};
use serde::{Deserialize, Serialize};

use crate::learner::SLOPE;
use crate::model::{Quadratic, gaussian_log_odds};

pub use artifact::{
    BaseModelError, FORMAT_PLAIN, FORMAT_TUNED, GENRE_WEIGHT_MAX, HALF_LIFE_DAYS_MAX, HALF_LIFE_DAYS_MIN,
};
pub use fit::FitError;

/// Pseudo-ratings behind each prior mean when nothing was measured.
const NEUTRAL_KAPPA: f64 = 5.0;
/// Pseudo-ratings behind each prior variance.
const NU: f64 = 30.0;

/// The prior of every listener's model, under one feature schema. `docs/model-artifact.md` has every field's unit and
/// bounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaseModel {
    /// The shape of this artifact: [`FORMAT_TUNED`] when it has a field that [`FORMAT_PLAIN`] has not.
    pub format: u32,
    /// The digest of the feature schema.
    pub schema: Digest,
    /// `neutral`, or `hierarchical_naive_bayes` when it was fitted.
    pub kind: String,
    /// What it was fitted to, in words.
    pub trained_on: String,
    /// What liked tracks are like.
    pub like: ClassPrior,
    /// What disliked tracks are like.
    pub dislike: ClassPrior,
    /// Pseudo-ratings behind each variance; above 2.
    pub nu: f64,
    /// Pseudo-likes behind the share of likes.
    pub prior_likes: f64,
    /// Pseudo-dislikes behind the share of likes.
    pub prior_dislikes: f64,
    /// Pseudo-ratings of each kind behind an artist's log-odds.
    pub artist_prior: f64,
    /// How much the listener's genre log-odds count, 0 to [`GENRE_WEIGHT_MAX`]; absent means 0, since a catalogue's genres
    /// are often derived from playlists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub genre_weight: Option<f64>,
    /// A rating's weight halves with its age in so many days at the request, [`HALF_LIFE_DAYS_MIN`] to
    /// [`HALF_LIFE_DAYS_MAX`]; absent means that ratings do not age.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub half_life_days: Option<f64>,
    /// What listeners' labels have in common, all features taken together; absent means that the log-odds of the classes,
    /// each feature by itself, stand for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub common: Option<CommonTaste>,
}

/// The mean of listeners' own linear models ([`crate::learner::linear`]), per feature: `linear z + quadratic (z^2 - 1)`, in
/// the unit of a label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommonTaste {
    /// Per deviation.
    pub linear: Vec<f64>,
    /// Per squared deviation.
    pub quadratic: Vec<f64>,
}

impl CommonTaste {
    fn quadratics(&self) -> Vec<Quadratic> {
        let pairs = self.linear.iter().zip(&self.quadratic);
        let form = |(&linear, &quadratic): (&f64, &f64)| Quadratic {
            constant: -quadratic,
            linear,
            quadratic,
        };
        pairs.map(form).collect()
    }
}

/// The prior of one class: Normal - scaled inverse chi-squared, one per feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassPrior {
    /// The mean of each feature, in deviations from the catalogue's mean.
    pub mean: Vec<f64>,
    /// The variance of each feature within one listener's ratings.
    pub variance: Vec<f64>,
    /// Pseudo-ratings behind each mean.
    pub kappa: Vec<f64>,
}

impl BaseModel {
    /// The prior that believes nothing: both classes look like the catalogue.
    #[must_use]
    pub fn neutral(schema: &FeatureSchema) -> Self {
        let features = schema.features.len();
        let class = ClassPrior {
            mean: vec![0.0; features],
            variance: vec![1.0; features],
            kappa: vec![NEUTRAL_KAPPA; features],
        };
        Self::of(schema.digest(), "neutral", "nothing", class.clone(), class)
    }

    fn of(schema: Digest, kind: &str, trained_on: &str, like: ClassPrior, dislike: ClassPrior) -> Self {
        Self {
            format: FORMAT_PLAIN,
            schema,
            kind: kind.to_owned(),
            trained_on: trained_on.to_owned(),
            like,
            dislike,
            nu: NU,
            prior_likes: 1.0,
            prior_dislikes: 1.0,
            artist_prior: 0.5,
            genre_weight: None,
            half_life_days: None,
            common: None,
        }
    }

    /// What it believes of each feature, in the unit that a listener's labels are learned in ([`crate::learner`]): what
    /// listeners have in common, or else the log-odds of its two classes over the slope of the learner's calibration.
    #[must_use]
    pub fn expected(&self) -> Vec<Quadratic> {
        if let Some(common) = &self.common {
            return common.quadratics();
        }
        let classes = |class: &ClassPrior| class.mean.clone().into_iter().zip(class.variance.clone());
        let pairs = classes(&self.like).zip(classes(&self.dislike));
        pairs
            .map(|(like, dislike)| gaussian_log_odds(like, dislike).times(1.0 / SLOPE))
            .collect()
    }

    /// The same prior with another genre weight and half-life, in the lowest format that has its fields.
    ///
    /// # Errors
    /// [`BaseModelError::OutOfBounds`] when one of them is.
    pub fn tuned(
        mut self,
        genre_weight: Option<f64>,
        half_life_days: Option<f64>,
    ) -> Result<Self, BaseModelError> {
        (self.genre_weight, self.half_life_days) = (genre_weight, half_life_days);
        self.format = self.needed_format();
        self.check()?;
        Ok(self)
    }

    /// How many features it has.
    #[must_use]
    pub fn features(&self) -> usize {
        self.like.mean.len()
    }
}
