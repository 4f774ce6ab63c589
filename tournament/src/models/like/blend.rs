//! The weighted mean of several contestants' log-odds.

use super::{Contestant, LikeModel, Model};
use crate::linear::{logit, sigmoid};
use crate::models::Setting;

pub(super) const CONTESTANT: Contestant = Contestant {
    name: "blend",
    what: "the weighted mean of the log-odds of Gaussian process, forest, Bayesian logistic regression and genres",
    grid: &[
        Setting(&[
            ("process", 1.0),
            ("forest", 1.0),
            ("logistic", 1.0),
            ("genres", 0.0),
        ]),
        Setting(&[
            ("process", 1.0),
            ("forest", 1.0),
            ("logistic", 0.0),
            ("genres", 0.0),
        ]),
        Setting(&[
            ("process", 1.0),
            ("forest", 2.0),
            ("logistic", 0.0),
            ("genres", 0.0),
        ]),
        Setting(&[
            ("process", 1.0),
            ("forest", 1.0),
            ("logistic", 1.0),
            ("genres", 0.5),
        ]),
        Setting(&[
            ("process", 1.0),
            ("forest", 1.0),
            ("logistic", 1.0),
            ("genres", 1.0),
        ]),
        Setting(&[
            ("process", 1.0),
            ("forest", 1.0),
            ("logistic", 1.0),
            ("genres", 2.0),
        ]),
        Setting(&[
            ("process", 1.0),
            ("forest", 2.0),
            ("logistic", 0.0),
            ("genres", 1.0),
        ]),
        Setting(&[
            ("process", 1.0),
            ("forest", 2.0),
            ("logistic", 0.0),
            ("genres", 2.0),
        ]),
    ],
    parts: &[
        "Gaussian process",
        "random forest",
        "Bayesian logistic, quadratic",
        "artist and genre log-odds",
    ],
    build: |_, setting, parts| {
        let weights = ["process", "forest", "logistic", "genres"].map(|name| setting.get(name));
        Box::new(Blend { weights, parts })
    },
};

struct Blend<'a> {
    weights: [f64; 4],
    parts: Vec<Model<'a>>,
}

impl LikeModel for Blend<'_> {
    fn fit(&mut self, rated: &[(u32, bool)]) {
        for (part, weight) in self.parts.iter_mut().zip(self.weights) {
            if weight > 0.0 {
                part.fit(rated);
            }
        }
    }

    fn score(&self, track: u32) -> f64 {
        let weighted = self
            .parts
            .iter()
            .zip(self.weights)
            .filter(|(_, weight)| *weight > 0.0);
        let odds = weighted.map(|(part, weight)| weight * logit(part.probability(track).unwrap_or(0.5)));
        odds.sum::<f64>() / self.weights.iter().sum::<f64>()
    }

    fn probability(&self, track: u32) -> Option<f64> {
        Some(sigmoid(self.score(track)))
    }
}
