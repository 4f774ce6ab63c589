//! The stored form of a base model: one canonical JSON object, named by the SHA-256 of its bytes.
//!
//! `docs/model-artifact.md` describes every field. Content and digest are one to one: bytes that are not exactly what
//! [`BaseModel::to_bytes`] writes for what they say are refused.

use domain::Digest;
use serde::Deserialize;

use super::{BaseModel, ClassPrior, CommonTaste};

/// The first format.
pub const FORMAT_PLAIN: u32 = 1;
/// As [`FORMAT_PLAIN`], with any of a genre weight, a half-life and a common taste.
pub const FORMAT_TUNED: u32 = 2;
/// Beyond, nothing but genres would decide.
pub const GENRE_WEIGHT_MAX: f64 = 10.0;
/// Below a day, a rating would be gone before the next playlist.
pub const HALF_LIFE_DAYS_MIN: f64 = 1.0;
/// A hundred years or so: ratings then hardly age.
pub const HALF_LIFE_DAYS_MAX: f64 = 36_500.0;

/// Numbers of a prior lie within plus and minus this, so that no score overflows.
const NUMBER_MAX: f64 = 1e6;
/// Numbers that something is divided by are at least this.
const POSITIVE_MIN: f64 = 1e-6;
/// `nu / (nu - 2)` must be a number.
const NU_ABOVE: f64 = 2.0;
/// The longest `kind`, in bytes.
const KIND_BYTES_MAX: usize = 64;
/// The longest `trained_on`, in bytes.
const TRAINED_ON_BYTES_MAX: usize = 1_024;

/// Why bytes or numbers are no base model. Nothing was kept.
#[derive(Debug, thiserror::Error)]
pub enum BaseModelError {
    /// The bytes are no base model's JSON: malformed, cut short, with a field missing, unknown or doubled, or with a number
    /// that is not finite.
    #[error("the base model cannot be read")]
    Unreadable(#[source] serde_json::Error),
    /// The artifact was written in a format of another program version.
    #[error("the base model has format {0}; this program reads formats {FORMAT_PLAIN} and {FORMAT_TUNED}")]
    UnknownFormat(u64),
    /// The format is not the one that the fields need, so that one content would have two digests.
    #[error("the base model says format {said}, but its fields are those of format {needed}")]
    WrongFormat {
        /// What it says.
        said: u32,
        /// What its fields need.
        needed: u32,
    },
    /// A field is out of its bounds.
    #[error("the base model's {field} must be {bounds}")]
    OutOfBounds {
        /// The field, as the artifact names it.
        field: &'static str,
        /// What it must be.
        bounds: &'static str,
    },
    /// The bytes say what a base model may say, in another form than the canonical one.
    #[error("the bytes are not the canonical form of the base model in them, whose digest is {0}")]
    NotCanonical(Digest),
}

/// What every format has: its number.
#[derive(Deserialize)]
struct Header {
    format: u64,
}

impl BaseModel {
    /// The artifact: one JSON object, its fields in a fixed order, without spaces.
    ///
    /// # Panics
    /// Never: every field has a JSON form.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("numbers and texts have a JSON form")
    }

    /// Reads what [`BaseModel::to_bytes`] wrote, and nothing else: the digest of `bytes` is the model's fingerprint.
    ///
    /// # Errors
    /// [`BaseModelError`]; nothing was kept.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BaseModelError> {
        refuse_unknown_format(bytes)?;
        let model: Self = serde_json::from_slice(bytes).map_err(BaseModelError::Unreadable)?;
        model.check()?;
        if model.to_bytes() != bytes {
            return Err(BaseModelError::NotCanonical(model.fingerprint()));
        }
        Ok(model)
    }

    /// The artifact's name: the SHA-256 of its bytes.
    #[must_use]
    pub fn fingerprint(&self) -> Digest {
        Digest::of(self.to_bytes())
    }

    /// The format that has all of its fields.
    pub(super) fn needed_format(&self) -> u32 {
        if self.genre_weight.is_some() || self.half_life_days.is_some() || self.common.is_some() {
            FORMAT_TUNED
        } else {
            FORMAT_PLAIN
        }
    }

    /// Checks that scores from this model are numbers and that its artifact can be read again.
    pub(super) fn check(&self) -> Result<(), BaseModelError> {
        let needed = self.needed_format();
        if self.format != needed {
            let said = self.format;
            return Err(BaseModelError::WrongFormat { said, needed });
        }
        self.check_texts()?;
        self.like.check(self.features(), "like")?;
        self.dislike.check(self.features(), "dislike")?;
        if let Some(common) = &self.common {
            common.check(self.features())?;
        }
        self.check_numbers()
    }

    fn check_texts(&self) -> Result<(), BaseModelError> {
        let is_told = |text: &str, max: usize| !text.trim().is_empty() && text.len() <= max;
        bound(
            is_told(&self.kind, KIND_BYTES_MAX),
            "kind",
            "a text of 1 to 64 bytes",
        )?;
        bound(
            is_told(&self.trained_on, TRAINED_ON_BYTES_MAX),
            "trained_on",
            "a text of 1 to 1024 bytes",
        )
    }

    fn check_numbers(&self) -> Result<(), BaseModelError> {
        let is_positive = |number: f64| (POSITIVE_MIN..=NUMBER_MAX).contains(&number);
        let nu = self.nu > NU_ABOVE && self.nu <= NUMBER_MAX;
        bound(nu, "nu", "above 2 and at most 1e6")?;
        for (number, field) in [
            (self.prior_likes, "prior_likes"),
            (self.prior_dislikes, "prior_dislikes"),
            (self.artist_prior, "artist_prior"),
        ] {
            bound(is_positive(number), field, "1e-6 to 1e6")?;
        }
        let weight = self.genre_weight.unwrap_or(0.0);
        // Minus zero would be a second form of the same content.
        let is_weight = (0.0..=GENRE_WEIGHT_MAX).contains(&weight) && weight.is_sign_positive();
        bound(is_weight, "genre_weight", "0 to 10")?;
        let days = self.half_life_days.unwrap_or(HALF_LIFE_DAYS_MIN);
        let is_half_life = (HALF_LIFE_DAYS_MIN..=HALF_LIFE_DAYS_MAX).contains(&days);
        bound(is_half_life, "half_life_days", "1 to 36500")
    }
}

impl ClassPrior {
    fn check(&self, features: usize, class: &'static str) -> Result<(), BaseModelError> {
        let lengths = [self.mean.len(), self.variance.len(), self.kappa.len()];
        let is_whole = features > 0 && lengths.iter().all(|&length| length == features);
        bound(
            is_whole,
            class,
            "as many means, variances and kappas as there are features",
        )?;
        let within = |numbers: &[f64], least: f64| numbers.iter().all(|x| (least..=NUMBER_MAX).contains(x));
        let is_usable = within(&self.mean, -NUMBER_MAX)
            && within(&self.variance, POSITIVE_MIN)
            && within(&self.kappa, POSITIVE_MIN);
        bound(
            is_usable,
            class,
            "means from -1e6 to 1e6, variances and kappas from 1e-6 to 1e6",
        )
    }
}

impl CommonTaste {
    fn check(&self, features: usize) -> Result<(), BaseModelError> {
        let lists = [&self.linear, &self.quadratic];
        let is_usable = |list: &&Vec<f64>| {
            list.len() == features && list.iter().all(|x| (-NUMBER_MAX..=NUMBER_MAX).contains(x))
        };
        bound(
            lists.iter().all(is_usable),
            "common",
            "as many linear and quadratic weights as there are features, from -1e6 to 1e6",
        )
    }
}

fn bound(holds: bool, field: &'static str, bounds: &'static str) -> Result<(), BaseModelError> {
    if holds {
        Ok(())
    } else {
        Err(BaseModelError::OutOfBounds { field, bounds })
    }
}

/// A later format may have fields that this program does not know: its number is the better reason.
fn refuse_unknown_format(bytes: &[u8]) -> Result<(), BaseModelError> {
    match serde_json::from_slice(bytes) {
        Ok(Header { format }) if format != u64::from(FORMAT_PLAIN) && format != u64::from(FORMAT_TUNED) => {
            Err(BaseModelError::UnknownFormat(format))
        }
        // What has no number for a format is told by the whole reading.
        _ => Ok(()),
    }
}
