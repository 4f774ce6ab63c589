//! Artist and genre log-odds: how much more often than in general a track's artists and genres were liked.
//!
//! Both sides of a split have other artists, so here the artists' part is silent and the genres' part speaks.

use std::collections::BTreeMap;

use super::like_rate::like_rate;
use super::{Contestant, LikeModel, World};
use crate::linear::{logit, sigmoid};
use crate::models::Setting;

pub(super) const CONTESTANT: Contestant = Contestant {
    name: "artist and genre log-odds",
    what: "smoothed log-odds of the track's artists and the mean of its genres'",
    grid: &[
        Setting(&[("prior", 1.0), ("genres", 1.0)]),
        Setting(&[("prior", 2.0), ("genres", 1.0)]),
        Setting(&[("prior", 4.0), ("genres", 1.0)]),
        Setting(&[("prior", 8.0), ("genres", 1.0)]),
        Setting(&[("prior", 1.0), ("genres", 2.0)]),
        Setting(&[("prior", 2.0), ("genres", 2.0)]),
        Setting(&[("prior", 4.0), ("genres", 2.0)]),
    ],
    parts: &[],
    build: |world, setting, _| {
        Box::new(LogOdds {
            world,
            prior: setting.get("prior"),
            genre_weight: setting.get("genres"),
            rate: 0.5,
            artists: BTreeMap::new(),
            genres: BTreeMap::new(),
        })
    },
};

/// Likes and ratings.
type Counts = BTreeMap<u32, (f64, f64)>;

struct LogOdds<'a> {
    world: World<'a>,
    prior: f64,
    genre_weight: f64,
    rate: f64,
    artists: Counts,
    genres: Counts,
}

impl LogOdds<'_> {
    /// Against the share of likes in general, which counts as `prior` ratings.
    fn odds(&self, counts: &Counts, what: u32) -> f64 {
        let (likes, ratings) = counts.get(&what).copied().unwrap_or_default();
        logit((likes + self.prior * self.rate) / (ratings + self.prior)) - logit(self.rate)
    }
}

fn count(counts: &mut Counts, what: &[u32], liked: bool) {
    for &what in what {
        let (likes, ratings) = counts.entry(what).or_default();
        *likes += f64::from(u8::from(liked));
        *ratings += 1.0;
    }
}

impl LikeModel for LogOdds<'_> {
    fn fit(&mut self, rated: &[(u32, bool)]) {
        let ratings = self.world.ratings;
        self.rate = like_rate(rated);
        self.artists.clear();
        self.genres.clear();
        for &(track, liked) in rated {
            count(&mut self.artists, ratings.catalogue.artists_of(track), liked);
            count(&mut self.genres, &ratings.genres[track as usize], liked);
        }
    }

    fn score(&self, track: u32) -> f64 {
        let ratings = self.world.ratings;
        let artists: f64 = ratings
            .catalogue
            .artists_of(track)
            .iter()
            .map(|&a| self.odds(&self.artists, a))
            .sum();
        let genres = &ratings.genres[track as usize];
        let of_genres: f64 = genres.iter().map(|&genre| self.odds(&self.genres, genre)).sum();
        logit(self.rate) + artists + self.genre_weight * of_genres / genres.len().max(1) as f64
    }

    fn probability(&self, track: u32) -> Option<f64> {
        Some(sigmoid(self.score(track)))
    }
}
