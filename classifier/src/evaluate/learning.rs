//! How well a listener's later ratings are predicted from the first ones.
//!
//! Prequential at a few points: after `n` ratings a model predicts what is rated later, and has seen none of it. Tracks
//! of an artist among the first `n` are left out, since telling an album's second half from its first is no skill. So an
//! artist's own share is always 0 here, and only what the sound says is judged.

use std::collections::BTreeSet;

use domain::{Described, Rating};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::Serialize;

use super::{Prediction, auc, expected_calibration_error};
use crate::base::BaseModel;
use crate::learner::Example;
use crate::learner::blend::Blend;
use crate::model::ListenerModel;
use crate::numbers::below;
use crate::schema::FIXED_POINT;
use crate::taste::TasteState;

/// After how many ratings of a listener the later ones are predicted.
pub const RATINGS_LEARNED: [usize; 9] = [0, 1, 2, 5, 10, 20, 50, 100, 200];

/// Who predicts, over a base model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Predictor<'a> {
    /// The learner that playlists are made with, with the features' relevance ([`crate::learner`]).
    Learner(&'a [f64]),
    /// Hierarchical naive Bayes, tempered ([`ListenerModel::tempered_log_odds`]).
    NaiveBayes,
}

/// In which order each listener's ratings are taken to have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Orders {
    /// As given.
    AsGiven,
    /// In so many random orders, the same for the same seed; for ratings that are sorted by something else than time.
    Drawn {
        /// How many.
        draws: u32,
        /// Of the random numbers.
        seed: u64,
    },
}

/// What is predicted after so many ratings. The listeners of two points differ: only who rated more is left.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LearningPoint {
    /// Ratings learned from.
    pub learned: usize,
    /// Listeners with later ratings, once per order.
    pub sequences: usize,
    /// Ratings predicted, over all orders.
    pub predictions: usize,
    /// How well.
    pub scores: Scores,
}

/// How well later ratings were predicted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Scores {
    /// The area under the ROC curve, mean over the sequences with both likes and dislikes to predict; `None` without any.
    pub auc: Option<f64>,
    /// The mean negative log-likelihood in nats, mean over sequences.
    pub log_loss: f64,
    /// The mean squared error of the probabilities, mean over sequences.
    pub brier: f64,
    /// The expected calibration error over all predictions.
    pub calibration_error: f64,
}

/// A rating as it was given.
type Rated = (Described, Rating);

/// Predicts each listener's later ratings after the first [`RATINGS_LEARNED`], by `predictor` over `base`. Points that no listener has later ratings for are absent. Ratings of another schema than the model's teach nothing
/// and must not be given.
#[must_use]
pub fn learning_curve(
    base: &BaseModel,
    predictor: Predictor<'_>,
    listeners: &[Vec<Rated>],
    orders: Orders,
) -> Vec<LearningPoint> {
    let sequences = sequences(listeners, orders);
    RATINGS_LEARNED
        .iter()
        .filter_map(|&learned| point(base, predictor, &sequences, learned))
        .collect()
}

fn sequences(listeners: &[Vec<Rated>], orders: Orders) -> Vec<Vec<&Rated>> {
    let given = || listeners.iter().map(|ratings| ratings.iter().collect());
    match orders {
        Orders::AsGiven => given().collect(),
        Orders::Drawn { draws, seed } => {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            let mut drawn: Vec<Vec<&Rated>> = (0..draws).flat_map(|_| given()).collect();
            drawn
                .iter_mut()
                .for_each(|sequence| shuffle(sequence, &mut random));
            drawn
        }
    }
}

/// Every order is as likely as every other (Fisher and Yates).
fn shuffle(sequence: &mut [&Rated], random: &mut ChaCha8Rng) {
    for last in (1..sequence.len()).rev() {
        sequence.swap(last, below(random, last as u64 + 1) as usize);
    }
}

fn point(
    base: &BaseModel,
    predictor: Predictor<'_>,
    sequences: &[Vec<&Rated>],
    learned: usize,
) -> Option<LearningPoint> {
    let predicted: Vec<Vec<Prediction>> = sequences
        .iter()
        .filter(|sequence| sequence.len() > learned)
        .map(|sequence| predict(base, predictor, &sequence[..learned], &sequence[learned..]))
        .filter(|predictions| !predictions.is_empty())
        .collect();
    if predicted.is_empty() {
        return None;
    }
    Some(LearningPoint {
        learned,
        sequences: predicted.len(),
        predictions: predicted.iter().map(Vec::len).sum(),
        scores: Scores::of(&predicted),
    })
}

impl Scores {
    /// Of predictions by sequence; at least one of them.
    fn of(sequences: &[Vec<Prediction>]) -> Self {
        let aucs: Vec<f64> = sequences.iter().filter_map(|sequence| auc_of(sequence)).collect();
        Self {
            auc: (!aucs.is_empty()).then(|| mean(aucs.iter().copied())),
            log_loss: mean_of_means(sequences, Prediction::log_loss),
            brier: mean_of_means(sequences, Prediction::brier),
            calibration_error: expected_calibration_error(&sequences.concat()),
        }
    }
}

/// Learns from `first` and predicts those of `later` whose artists are all new.
fn predict(
    base: &BaseModel,
    predictor: Predictor<'_>,
    first: &[&Rated],
    later: &[&Rated],
) -> Vec<Prediction> {
    let known: BTreeSet<&String> = first
        .iter()
        .flat_map(|(described, _)| &described.artists)
        .collect();
    let is_new = |described: &Described| !described.artists.iter().any(|artist| known.contains(artist));
    let log_odds = learned(base, predictor, first);
    later
        .iter()
        .filter(|(described, _)| is_new(described))
        .map(|(described, rating)| Prediction {
            log_odds: log_odds(&numbers(described)),
            liked: *rating == Rating::Like,
        })
        .collect()
}

/// The log-odds of a like, by standardised features.
type LogOdds = Box<dyn Fn(&[f64]) -> f64>;

fn learned(base: &BaseModel, predictor: Predictor<'_>, rated: &[&Rated]) -> LogOdds {
    match predictor {
        Predictor::Learner(relevance) => {
            let examples: Vec<Example> = rated.iter().map(|rated| example(rated)).collect();
            let learned = Blend::learn(relevance, &base.expected(), &examples);
            Box::new(move |z| learned.log_odds(z))
        }
        Predictor::NaiveBayes => {
            let mut taste = TasteState::default();
            rated
                .iter()
                .for_each(|(described, rating)| taste.add(described, *rating));
            let model = ListenerModel::learn(base, &taste);
            Box::new(move |z| model.tempered_log_odds(z))
        }
    }
}

fn example((described, rating): &Rated) -> Example {
    Example {
        z: numbers(described),
        value: if *rating == Rating::Like { 1.0 } else { -1.0 },
        weight: 1.0,
    }
}

fn numbers(described: &Described) -> Vec<f64> {
    described.z.iter().map(|&z| f64::from(z) / FIXED_POINT).collect()
}

fn auc_of(predictions: &[Prediction]) -> Option<f64> {
    let scored: Vec<(f64, bool)> = predictions
        .iter()
        .map(|prediction| (prediction.log_odds, prediction.liked))
        .collect();
    auc(&scored)
}

fn mean_of_means(sequences: &[Vec<Prediction>], of: fn(&Prediction) -> f64) -> f64 {
    mean(sequences.iter().map(|sequence| mean(sequence.iter().map(of))))
}

fn mean(numbers: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = numbers.len().max(1) as f64;
    numbers.sum::<f64>() / count
}

#[cfg(test)]
mod tests {
    use domain::Digest;

    use super::*;
    use crate::base::ClassPrior;

    const ONE: i32 = FIXED_POINT as i32;

    fn schema() -> Digest {
        Digest::of("schema")
    }

    fn rated(z: i32, artist: &str, rating: Rating) -> Rated {
        let described = Described {
            schema: schema(),
            z: vec![z * ONE],
            artists: vec![artist.to_owned()],
        };
        (described, rating)
    }

    /// Believes nothing of the one feature.
    fn base() -> BaseModel {
        let class = ClassPrior {
            mean: vec![0.0],
            variance: vec![1.0],
            kappa: vec![5.0],
        };
        let of_one = domain::FeatureSchema {
            features: vec![domain::Feature {
                name: "one".to_owned(),
                transform: domain::Transform::Identity,
                mean: 0.0,
                deviation: 1.0,
                clip: 4.0,
            }],
        };
        BaseModel {
            schema: schema(),
            like: class.clone(),
            dislike: class,
            ..BaseModel::neutral(&of_one)
        }
    }

    /// Likes what is above the mean; every track by an artist of its own.
    fn listener(ratings: usize) -> Vec<Rated> {
        (0..ratings)
            .map(|n| {
                let (z, rating) = if n % 2 == 0 {
                    (2, Rating::Like)
                } else {
                    (-2, Rating::Dislike)
                };
                rated(z, &n.to_string(), rating)
            })
            .collect()
    }

    const BOTH: [Predictor<'static>; 2] = [Predictor::Learner(&[1.0]), Predictor::NaiveBayes];

    #[test]
    fn what_is_liked_is_learned_and_what_is_learned_is_not_judged() {
        BOTH.into_iter().for_each(is_learned);
    }

    #[track_caller]
    fn is_learned(predictor: Predictor<'_>) {
        let curve = learning_curve(&base(), predictor, &[listener(30)], Orders::AsGiven);
        let counts: Vec<_> = curve
            .iter()
            .map(|point| (point.learned, point.predictions))
            .collect();
        assert_eq!(
            counts,
            [(0, 30), (1, 29), (2, 28), (5, 25), (10, 20), (20, 10)],
            "nobody rated fifty"
        );
        let scores: Vec<Scores> = curve.iter().map(|point| point.scores).collect();
        assert_eq!(scores[0].auc, Some(0.5), "a neutral prior knows nothing");
        assert!((scores[0].log_loss - std::f64::consts::LN_2).abs() < 1e-12);
        assert!((scores[0].brier - 0.25).abs() < 1e-12);
        assert!(scores[2..].iter().all(|scores| scores.auc == Some(1.0)));
        assert!(
            scores[2..].is_sorted_by(|a, b| a.log_loss > b.log_loss),
            "{scores:?}"
        );
    }

    #[test]
    fn tracks_of_an_artist_that_was_learned_are_left_out() {
        let mut ratings = listener(10);
        ratings.push(rated(2, "0", Rating::Dislike));
        let curve = learning_curve(&base(), BOTH[0], &[ratings], Orders::AsGiven);
        let counts: Vec<_> = curve
            .iter()
            .map(|point| (point.learned, point.predictions))
            .collect();
        assert_eq!(
            counts,
            [(0, 11), (1, 9), (2, 8), (5, 5)],
            "after ten only a known artist is left"
        );
    }

    #[test]
    fn drawn_orders_are_those_of_their_seed_and_differ() {
        // All likes first: in the given order the first five teach nothing of dislikes.
        let mut ratings = listener(40);
        ratings.sort_by_key(|(_, rating)| *rating == Rating::Dislike);
        let curve = |orders| learning_curve(&base(), BOTH[0], &[ratings.clone()], orders);
        let drawn = |seed| curve(Orders::Drawn { draws: 3, seed });
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1)[3], drawn(2)[3]);
        assert_eq!((drawn(1)[3].sequences, drawn(1)[3].predictions), (3, 105));
        assert_ne!(drawn(1)[3], curve(Orders::AsGiven)[3]);
    }

    #[test]
    fn nobody_is_no_point() {
        assert_eq!(learning_curve(&base(), BOTH[0], &[], Orders::AsGiven), []);
    }
}
