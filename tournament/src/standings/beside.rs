//! Segue's learner beside the best single baseline after each number of ratings.

use serde::Serialize;

use crate::models::like::{CONTESTANTS, registry};
use crate::stats::{Difference, mean, paired};

/// One number of ratings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Beside {
    /// After so many ratings.
    pub ratings: usize,
    /// The used learner beside all that join no others.
    pub used: Best,
    /// The learner that begins with the neutral base beside those of them that know of nobody else either.
    pub neutral: Best,
}

/// The best of some baselines.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Best {
    /// The one with the largest mean area under the curve.
    pub name: &'static str,
    /// That mean.
    pub auc: f64,
    /// The learner's mean less that, over the same units.
    pub difference: Difference,
}

/// `values` are the areas under the curve after so many ratings, by contestant and unit, `settings` those that contestants
/// were judged with; `None` without any value.
pub(super) fn beside(ratings: usize, values: &[Vec<f64>], settings: &[usize], seed: u64) -> Option<Beside> {
    let is_single = |index: &usize| {
        let contestant = &CONTESTANTS[*index];
        contestant.parts.is_empty() && ![registry::USED, registry::NEUTRAL].contains(&contestant.name)
    };
    let knows_others = |index: &usize| {
        let setting = CONTESTANTS[*index].grid[settings[*index]].0;
        setting
            .iter()
            .any(|&(name, value)| name == "population" && value > 0.0)
    };
    let singles = (0..values.len())
        .filter(is_single)
        .filter(|&index| !values[index].is_empty());
    let singles: Vec<usize> = singles.collect();
    let alone: Vec<usize> = singles
        .iter()
        .copied()
        .filter(|index| !knows_others(index))
        .collect();
    Some(Beside {
        ratings,
        used: best(registry::USED, &singles, values, seed)?,
        neutral: best(registry::NEUTRAL, &alone, values, seed)?,
    })
}

fn best(learner: &str, baselines: &[usize], values: &[Vec<f64>], seed: u64) -> Option<Best> {
    let by_mean = |a: &&usize, b: &&usize| mean(&values[**a]).total_cmp(&mean(&values[**b]));
    let &best = baselines.iter().max_by(by_mean)?;
    let own = CONTESTANTS
        .iter()
        .position(|contestant| contestant.name == learner)?;
    let pairs = values[own].iter().zip(&values[best]);
    let differences: Vec<f64> = pairs.map(|(own, other)| own - other).collect();
    Some(Best {
        name: CONTESTANTS[best].name,
        auc: mean(&values[best]),
        difference: paired(&differences, seed),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_single_baseline_is_neither_a_blend_nor_our_own_nor_for_the_neutral_one_who_knows_others() {
        let value = |name: &str| match name {
            registry::USED => 0.9,
            registry::NEUTRAL => 0.5,
            "blend" | "mean rank" => 0.8,
            "Bayesian linear, quadratic" => 0.75,
            "random forest" => 0.7,
            _ => 0.6,
        };
        let values: Vec<Vec<f64>> = CONTESTANTS
            .iter()
            .map(|contestant| vec![value(contestant.name); 10])
            .collect();
        let last: Vec<usize> = CONTESTANTS
            .iter()
            .map(|contestant| contestant.grid.len() - 1)
            .collect();
        let beside = |values: &[Vec<f64>]| beside(20, values, &last, 1);
        let Beside { used, neutral, .. } = beside(&values).unwrap();
        assert_eq!(
            (used.name, neutral.name),
            ("Bayesian linear, quadratic", "random forest")
        );
        assert!((used.auc - 0.75).abs() < 1e-12 && (neutral.auc - 0.7).abs() < 1e-12);
        assert!((used.difference.estimate.mean - 0.15).abs() < 1e-12 && used.difference.p < 0.01);
        assert!((neutral.difference.estimate.mean + 0.2).abs() < 1e-12 && neutral.difference.p < 0.01);
        assert_eq!(beside(&vec![Vec::new(); CONTESTANTS.len()]), None);
    }
}
