//! Paired differences of all contestants from the one that is used.

use serde::Serialize;

use crate::stats::{Estimate, holm, paired};

/// A contestant against the one that is used.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Against {
    /// The contestant's mean less the used one's, over the same units.
    pub difference: Estimate,
    /// The p-value, corrected for all the comparisons of the table (Holm).
    pub p: f64,
}

/// Each contestant's values, unit by unit, against those of the contestant of index `used`, which has none.
pub(super) fn against(values: &[Vec<f64>], used: usize, seed: u64) -> Vec<Option<Against>> {
    let differences =
        |other: &Vec<f64>| -> Vec<f64> { other.iter().zip(&values[used]).map(|(a, b)| a - b).collect() };
    let others: Vec<usize> = (0..values.len()).filter(|&other| other != used).collect();
    let compared: Vec<_> = others
        .iter()
        .map(|&other| paired(&differences(&values[other]), seed))
        .collect();
    let corrected = holm(&compared.iter().map(|compared| compared.p).collect::<Vec<_>>());
    let mut against = vec![None; values.len()];
    for ((other, compared), p) in others.into_iter().zip(compared).zip(corrected) {
        against[other] = Some(Against {
            difference: compared.estimate,
            p,
        });
    }
    against
}
