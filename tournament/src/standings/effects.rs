//! What each feature does to a like: as the naive Bayes model learned it, and as it was rated.

use classifier::model::ListenerModel;
use classifier::{BaseModel, TasteState};
use domain::Rating;
use serde::Serialize;

use crate::data::{Listener, Ratings};
use crate::linear::logit;

/// Tracks are put into so many equally full classes.
const CLASSES: usize = 6;
/// The curve is told from minus to plus so many deviations.
const REACH: f64 = 2.0;
const STEPS: i32 = 16;

/// One feature.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Effect {
    /// Its name.
    pub feature: String,
    /// (deviations from the catalogue's mean, what the model adds to the log-odds of a like).
    pub learned: Vec<(f64, f64)>,
    /// (mean deviations, log-odds of a like less those of all ratings), per class of equally many ratings.
    pub observed: Vec<(f64, f64)>,
}

/// The effects of all features over all ratings of `listeners`.
pub(super) fn effects(ratings: &Ratings, listeners: &[Listener]) -> Vec<Effect> {
    let catalogue = &ratings.catalogue;
    let rated: Vec<(u32, bool)> = listeners
        .iter()
        .flat_map(|listener| listener.rated.iter().copied())
        .collect();
    let mut taste = TasteState::default();
    for &(track, liked) in &rated {
        taste.add(
            &catalogue.describe(track),
            if liked { Rating::Like } else { Rating::Dislike },
        );
    }
    let terms = ListenerModel::learn(&BaseModel::neutral(catalogue.schema()), &taste).quadratics();
    let effect = |(feature, (name, term)): (usize, (&str, classifier::model::Quadratic))| {
        let at = |step: i32| f64::from(step) * REACH / f64::from(STEPS);
        let values = rated
            .iter()
            .map(|&(track, liked)| (catalogue.z(track).nth(feature).map_or(0.0, f64::from), liked));
        Effect {
            feature: name.to_owned(),
            learned: (-STEPS..=STEPS)
                .map(|step| (at(step), term.at(at(step))))
                .collect(),
            observed: observed(values.collect()),
        }
    };
    catalogue
        .schema()
        .names()
        .zip(terms)
        .enumerate()
        .map(effect)
        .collect()
}

fn observed(mut values: Vec<(f64, bool)>) -> Vec<(f64, f64)> {
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    let rate = |of: &[(f64, bool)]| {
        let likes = of.iter().filter(|(_, liked)| *liked).count();
        logit((likes as f64 + 1.0) / (of.len() as f64 + 2.0))
    };
    let all = rate(&values);
    let middle = |of: &[(f64, bool)]| of.iter().map(|(z, _)| z).sum::<f64>() / of.len() as f64;
    let class = values.len().div_ceil(CLASSES).max(1);
    values
        .chunks(class)
        .map(|of| (middle(of), rate(of) - all))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn what_is_liked_for_its_energy_shows_in_energy() {
        let ratings = testing::ratings(1, 600);
        let effects = effects(&ratings, &ratings.listeners);
        let energy = effects.iter().find(|effect| effect.feature == "energy").unwrap();
        let rise = |points: &[(f64, f64)]| points[points.len() - 1].1 - points[0].1;
        assert!(rise(&energy.learned) > 2.0, "{energy:?}");
        assert!(rise(&energy.observed) > 2.0, "{energy:?}");
        let key = effects.iter().find(|effect| effect.feature == "key").unwrap();
        assert!(rise(&key.learned).abs() < 1.0, "{key:?}");
    }
}
