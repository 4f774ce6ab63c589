//! Thompson sampling: what a draw from the listener's model differs by from its mean.
//!
//! The dial of the request scales how far: 0 is the mean itself, 1 a draw from all that may be true of the listener.

use domain::PlaylistRequest;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::likes::Likes;
use super::weights::{ARTIST_SPREAD, LEARNER};
use crate::learner::linear::LinearModel;
use crate::model::Quadratic;
use crate::numbers::normal;

/// The draw that makes the playlist, and those that tell how likely its choices were, have streams of their own of the
/// request's seed.
const DRAW_STREAM: u64 = 1;
const PROPENSITY_STREAM: u64 = 3;

/// What may be true of a listener, and how far a request wants to go from the mean of it.
pub(crate) struct Exploration {
    model: LinearModel,
    dial: f64,
    seed: u64,
    /// How far the draw of each artist spreads, by the artist's number.
    spreads: Vec<f64>,
}

/// One draw: what it adds for features and for artists.
pub(crate) struct Drawn {
    pub(super) features: Vec<Quadratic>,
    artists: Vec<f64>,
}

impl Exploration {
    /// `None` for a request that does not explore.
    pub(super) fn of(
        request: &PlaylistRequest,
        model: LinearModel,
        likes: &Likes,
        artists: usize,
    ) -> Option<Self> {
        if request.exploration <= 0.0 {
            return None;
        }
        let spread = |artist: u32| {
            let known = likes
                .artists
                .get(&artist)
                .map_or(0.0, |mass| mass.liked + mass.disliked);
            ARTIST_SPREAD / (1.0 + known).sqrt()
        };
        Some(Self {
            model,
            dial: request.exploration,
            seed: request.random_seed,
            spreads: (0..artists as u32).map(spread).collect(),
        })
    }

    /// The draw that makes the playlist.
    pub(super) fn draw(&self) -> Drawn {
        self.next(&mut self.random(DRAW_STREAM), |_| true)
    }

    /// Other draws, which could as well have been the one. Only artists that `matter` differ from the mean in them.
    pub(crate) fn others(&self, count: usize, matter: impl Fn(u32) -> bool) -> impl Iterator<Item = Drawn> {
        let mut random = self.random(PROPENSITY_STREAM);
        (0..count).map(move |_| self.next(&mut random, &matter))
    }

    fn random(&self, stream: u64) -> ChaCha8Rng {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        random.set_stream(stream);
        random
    }

    /// Draws in the order of the model's weights, then of the artists' names.
    fn next(&self, random: &mut ChaCha8Rng, matters: impl Fn(u32) -> bool) -> Drawn {
        let normals = (0..self.model.size()).map(|_| normal(random)).collect();
        let (_, features) = self.model.draw(normals);
        let features = features
            .iter()
            .map(|form| form.times(self.dial * LEARNER))
            .collect();
        let numbered = self.spreads.iter().enumerate();
        let artists = numbered.map(|(artist, spread)| {
            if matters(artist as u32) {
                self.dial * spread * normal(random)
            } else {
                0.0
            }
        });
        Drawn {
            artists: artists.collect(),
            features,
        }
    }
}

impl Drawn {
    pub(super) fn of_artist(&self, artist: u32) -> f64 {
        self.artists[artist as usize]
    }

    pub(super) fn artists(&self) -> &[f64] {
        &self.artists
    }
}
