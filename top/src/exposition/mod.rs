//! What a process says at `/metrics`, read strictly: OpenMetrics 1.0 text.
//!
//! A line that is not to the letter makes the whole answer unreadable, with its number and what is wrong: figures that are
//! half understood would look like figures.

mod histogram;
mod line;
mod parse;

use std::collections::{BTreeMap, BTreeSet};

pub use self::parse::ParseError;

/// The label that names a bucket's upper bound.
const LE: &str = "le";

/// The labels of a series, by name.
pub type Labels = BTreeMap<String, String>;

/// One series and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Its labels.
    pub labels: Labels,
    /// Its value; never missing, but it can be infinite or no number.
    pub value: f64,
}

/// All series of one answer, by the name that stands in its line, such as `segue_http_requests_total`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Exposition {
    samples: BTreeMap<String, Vec<Sample>>,
}

impl Exposition {
    /// Reads an answer whole.
    ///
    /// # Errors
    /// [`ParseError`] names the first line that is not as it must be.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        parse::parse(text)
    }

    /// The series called `name`; none when the process does not tell it.
    #[must_use]
    pub fn series(&self, name: &str) -> &[Sample] {
        self.samples.get(name).map_or(&[], Vec::as_slice)
    }

    /// Whether the process tells `name`.
    #[must_use]
    pub fn tells(&self, name: &str) -> bool {
        self.samples.contains_key(name)
    }

    /// The values of the label `label` in the series of `name`, in order.
    #[must_use]
    pub fn values_of(&self, name: &str, label: &str) -> BTreeSet<&str> {
        let values = self
            .series(name)
            .iter()
            .filter_map(|sample| sample.labels.get(label));
        values.map(String::as_str).collect()
    }

    /// The largest value of `name`, whatever its labels.
    #[must_use]
    pub fn largest(&self, name: &str) -> Option<f64> {
        let values = self.series(name).iter().map(|sample| sample.value);
        values.filter(|value| !value.is_nan()).reduce(f64::max)
    }

    /// The value of the series of `name` whose label `label` is `wanted`; the largest of several.
    #[must_use]
    pub fn labelled(&self, name: &str, label: &str, wanted: &str) -> Option<f64> {
        let fits = |sample: &&Sample| sample.labels.get(label).is_some_and(|value| value == wanted);
        let values = self.series(name).iter().filter(fits).map(|sample| sample.value);
        values.reduce(f64::max)
    }

    fn push(&mut self, name: &str, sample: Sample) {
        self.samples.entry(name.to_owned()).or_default().push(sample);
    }
}
