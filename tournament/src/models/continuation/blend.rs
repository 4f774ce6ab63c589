//! Several rankings joined, and the same without one of them each.

use super::{Contestant, Continuation, Ranking, Shown};
use crate::models::Setting;

const NAME: &str = "blend";
const ARTISTS: &str = "artist-kNN";
const AUDIO: &str = "audio, Bayesian linear";
const SONGS: &str = "item co-occurrence";
const POPULARITY: &str = "popularity";

/// A blend of `parts`, whose settings weigh them in that order.
const fn blend(
    name: &'static str,
    what: &'static str,
    parts: &'static [&'static str],
    ablates: Option<&'static str>,
    grid: &'static [Setting],
) -> Contestant {
    Contestant {
        name,
        what,
        grid,
        parts,
        ablates,
        build: |_, setting, parts| {
            let weights = setting.0.iter().map(|(_, weight)| *weight).collect();
            Box::new(Blend { weights, parts })
        },
    }
}

pub(super) const FULL: Contestant = blend(
    NAME,
    "the weighted sum of artist-kNN, sound, co-occurrence and popularity, each over its best score",
    &[ARTISTS, AUDIO, SONGS, POPULARITY],
    None,
    &[
        Setting(&[
            ("artists", 1.0),
            ("audio", 0.05),
            ("songs", 0.1),
            ("popularity", 0.02),
        ]),
        Setting(&[
            ("artists", 1.0),
            ("audio", 0.1),
            ("songs", 0.1),
            ("popularity", 0.02),
        ]),
        Setting(&[
            ("artists", 1.0),
            ("audio", 0.2),
            ("songs", 0.1),
            ("popularity", 0.05),
        ]),
        Setting(&[
            ("artists", 1.0),
            ("audio", 0.1),
            ("songs", 0.3),
            ("popularity", 0.05),
        ]),
        Setting(&[
            ("artists", 1.0),
            ("audio", 0.2),
            ("songs", 0.3),
            ("popularity", 0.05),
        ]),
        Setting(&[
            ("artists", 1.0),
            ("audio", 0.4),
            ("songs", 0.3),
            ("popularity", 0.1),
        ]),
        Setting(&[
            ("artists", 1.0),
            ("audio", 0.2),
            ("songs", 0.6),
            ("popularity", 0.05),
        ]),
        Setting(&[
            ("artists", 1.0),
            ("audio", 0.4),
            ("songs", 1.0),
            ("popularity", 0.1),
        ]),
    ],
);

pub(super) const WITHOUT_ARTISTS: Contestant = blend(
    "blend without artists",
    "sound, co-occurrence and popularity",
    &[AUDIO, SONGS, POPULARITY],
    Some(NAME),
    &[
        Setting(&[("audio", 0.5), ("songs", 1.0), ("popularity", 0.1)]),
        Setting(&[("audio", 1.0), ("songs", 1.0), ("popularity", 0.1)]),
        Setting(&[("audio", 1.0), ("songs", 1.0), ("popularity", 0.3)]),
        Setting(&[("audio", 1.0), ("songs", 0.5), ("popularity", 0.2)]),
    ],
);

pub(super) const WITHOUT_AUDIO: Contestant = blend(
    "blend without sound",
    "artist-kNN, co-occurrence and popularity",
    &[ARTISTS, SONGS, POPULARITY],
    Some(NAME),
    &[
        Setting(&[("artists", 1.0), ("songs", 0.1), ("popularity", 0.02)]),
        Setting(&[("artists", 1.0), ("songs", 0.3), ("popularity", 0.05)]),
        Setting(&[("artists", 1.0), ("songs", 0.6), ("popularity", 0.05)]),
        Setting(&[("artists", 1.0), ("songs", 1.0), ("popularity", 0.1)]),
    ],
);

pub(super) const WITHOUT_CO_OCCURRENCE: Contestant = blend(
    "blend without co-occurrence",
    "artist-kNN, sound and popularity",
    &[ARTISTS, AUDIO, POPULARITY],
    Some(NAME),
    &[
        Setting(&[("artists", 1.0), ("audio", 0.05), ("popularity", 0.02)]),
        Setting(&[("artists", 1.0), ("audio", 0.1), ("popularity", 0.02)]),
        Setting(&[("artists", 1.0), ("audio", 0.2), ("popularity", 0.05)]),
        Setting(&[("artists", 1.0), ("audio", 0.4), ("popularity", 0.1)]),
    ],
);

pub(super) const WITHOUT_POPULARITY: Contestant = blend(
    "blend without popularity",
    "artist-kNN (which knows a little of popularity itself), sound and co-occurrence",
    &[ARTISTS, AUDIO, SONGS],
    Some(NAME),
    &[
        Setting(&[("artists", 1.0), ("audio", 0.1), ("songs", 0.1)]),
        Setting(&[("artists", 1.0), ("audio", 0.1), ("songs", 0.3)]),
        Setting(&[("artists", 1.0), ("audio", 0.2), ("songs", 0.3)]),
        Setting(&[("artists", 1.0), ("audio", 0.4), ("songs", 0.3)]),
    ],
);

struct Blend<'a> {
    weights: Vec<f64>,
    parts: Vec<Ranking<'a>>,
}

/// Scores less their mean, over the best of them: every part's best track has 1 and the mean track 0.
fn levelled(scores: &[f32]) -> impl Iterator<Item = f64> {
    let mean = scores.iter().map(|&score| f64::from(score)).sum::<f64>() / scores.len().max(1) as f64;
    let best = scores
        .iter()
        .map(|&score| f64::from(score))
        .fold(f64::NEG_INFINITY, f64::max)
        - mean;
    let over = if best > 0.0 { 1.0 / best } else { 0.0 };
    scores.iter().map(move |&score| (f64::from(score) - mean) * over)
}

impl Continuation for Blend<'_> {
    fn rank(&self, shown: Shown<'_>) -> Vec<f32> {
        let mut sum: Vec<f64> = Vec::new();
        for (part, weight) in self.parts.iter().zip(&self.weights) {
            let scores = part.rank(shown);
            sum.resize(scores.len(), 0.0);
            sum.iter_mut()
                .zip(levelled(&scores))
                .for_each(|(sum, score)| *sum += weight * score);
        }
        sum.into_iter().map(|score| score as f32).collect()
    }
}
