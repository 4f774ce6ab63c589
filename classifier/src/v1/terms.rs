//! What a track's score is made of. The score is *defined* as the sum of its contributions in their order, so an
//! explanation adds up exactly.

use std::collections::BTreeMap;

use domain::PlaylistRequest;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::base::BaseModel;
use crate::catalogue::Catalogue;
use crate::model::{ListenerModel, Posterior, Quadratic, gaussian_log_odds};
use crate::numbers::{ln, normal};
use crate::schema::standardise;
use crate::seeds::Seeds;
use crate::taste::{ArtistCounts, TasteState};

// The structural weights of generator version 1. They say how much each kind of evidence counts against the others,
// and were chosen by ranking real playlists' hidden tracks (`segue model compare` does that); nothing else in this package
// was fitted to anything.

/// What a track measures like. Naive Bayes counts correlated features as if each were news, hence well below 1.
const AUDIO_WEIGHT: f64 = 0.25;
/// Who made it, which says more than what it measures like.
const ARTIST_WEIGHT: f64 = 2.5;
/// How many tracks an artist may have before a like says little of each: see [`artist_affinity`].
const ARTIST_TRACKS: f64 = 75.0;
/// Between the most and the least popular track.
const POPULARITY_WEIGHT: f64 = 0.75;
/// Per feature and squared deviation from the seeds' mean.
const SEED_TRACKS_WEIGHT: f64 = 0.25;
/// For a track by a seed artist, or by an artist of a seed track.
const SEED_ARTIST_WEIGHT: f64 = 6.0;
/// For a track of a seed genre.
const SEED_GENRE_WEIGHT: f64 = 6.0;
/// Per squared deviation from a target.
const TARGET_WEIGHT: f64 = 2.0;
const POPULARITY_MAX: f64 = 100.0;
/// Explorations draw from their own stream of the request's seed.
const EXPLORATION_STREAM: u64 = 1;

/// Everything that adds to the scores of one request.
pub(crate) struct Terms<'a> {
    catalogue: &'a Catalogue,
    base: f64,
    features: Vec<Quadratic>,
    artists: BTreeMap<u32, f64>,
    popularity: Option<f64>,
    seed_tracks: Option<Vec<Quadratic>>,
    seed_artists: Option<Vec<u32>>,
    seed_genres: Option<Vec<u32>>,
    targets: Vec<(String, usize, Quadratic)>,
    exploration: Option<Exploration>,
}

/// What a draw from the model differs by from its mean.
struct Exploration {
    features: Vec<Quadratic>,
    artists: Vec<f64>,
}

impl<'a> Terms<'a> {
    /// `targets` name features of the catalogue's schema (checked by the caller).
    pub(crate) fn new(
        catalogue: &'a Catalogue,
        base: &BaseModel,
        taste: &TasteState,
        request: &PlaylistRequest,
        notes: &mut Vec<String>,
    ) -> Self {
        let model = ListenerModel::learn(base, taste);
        let counts = known_artists(catalogue, taste);
        let quadratics = model.quadratics();
        let constants: f64 = quadratics
            .iter()
            .map(|quadratic| quadratic.constant * AUDIO_WEIGHT)
            .sum();
        let bare = |quadratic: Quadratic| Quadratic {
            constant: 0.0,
            ..quadratic.times(AUDIO_WEIGHT)
        };
        let seeds = Seeds::find(catalogue, request, notes);
        Self {
            catalogue,
            base: model.prior_log_odds + constants,
            features: quadratics.into_iter().map(bare).collect(),
            artists: artist_terms(catalogue, &model, &counts),
            popularity: catalogue.has_popularity().then_some(POPULARITY_WEIGHT),
            seed_tracks: seeds.centre.map(|centre| near(&centre)),
            seed_artists: (!seeds.artists.is_empty()).then_some(seeds.artists),
            seed_genres: (!seeds.genres.is_empty()).then_some(seeds.genres),
            targets: targets(catalogue, request),
            exploration: (request.exploration > 0.0)
                .then(|| Exploration::draw(catalogue, &model, &counts, request)),
        }
    }

    /// The names of the contributions, in their order.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names = vec!["base".to_owned()];
        names.extend(self.catalogue.schema().names().map(str::to_owned));
        names.push("artist".to_owned());
        let optional = [
            (self.popularity.is_some(), "popularity"),
            (self.seed_tracks.is_some(), "seed_tracks"),
            (self.seed_artists.is_some(), "seed_artists"),
            (self.seed_genres.is_some(), "seed_genres"),
        ];
        names.extend(
            optional
                .iter()
                .filter(|(is_used, _)| *is_used)
                .map(|(_, name)| (*name).to_owned()),
        );
        names.extend(self.targets.iter().map(|(name, _, _)| format!("target:{name}")));
        names.extend(self.exploration.is_some().then(|| "exploration".to_owned()));
        names
    }

    /// What each of [`Terms::names`] adds for a track.
    pub(crate) fn contributions(&self, track: u32) -> Vec<f64> {
        let mut contributions = Vec::with_capacity(self.features.len() + 8);
        self.each(track, &mut |contribution| contributions.push(contribution));
        contributions
    }

    /// The score of a track: the sum of its contributions, in their order, from 0.
    pub(crate) fn score(&self, track: u32) -> f64 {
        let mut score = 0.0;
        self.each(track, &mut |contribution| score += contribution);
        score
    }

    fn each(&self, track: u32, tell: &mut impl FnMut(f64)) {
        tell(self.base);
        for (term, z) in self.features.iter().zip(self.catalogue.z(track)) {
            tell(term.at(f64::from(z)));
        }
        tell(self.by_artists(track, |artist| self.artists.get(&artist).copied().unwrap_or(0.0)));
        if let Some(weight) = self.popularity {
            tell(weight * f64::from(self.catalogue.popularity(track).unwrap_or(0)) / POPULARITY_MAX);
        }
        if let Some(terms) = &self.seed_tracks {
            tell(self.quadratic(terms, track));
        }
        if let Some(artists) = &self.seed_artists {
            let is_by_seed = self
                .catalogue
                .artists_of(track)
                .iter()
                .any(|artist| artists.contains(artist));
            tell(if is_by_seed { SEED_ARTIST_WEIGHT } else { 0.0 });
        }
        if let Some(genres) = &self.seed_genres {
            let is_of_genre = genres.contains(&self.catalogue.genres()[track as usize]);
            tell(if is_of_genre { SEED_GENRE_WEIGHT } else { 0.0 });
        }
        for (_, feature, term) in &self.targets {
            tell(term.at(f64::from(self.catalogue.column(*feature)[track as usize])));
        }
        if let Some(exploration) = &self.exploration {
            let by_artist = self.by_artists(track, |artist| exploration.artists[artist as usize]);
            tell(self.quadratic(&exploration.features, track) + by_artist);
        }
    }

    fn by_artists(&self, track: u32, of: impl Fn(u32) -> f64) -> f64 {
        self.catalogue
            .artists_of(track)
            .iter()
            .map(|&artist| of(artist))
            .sum()
    }

    fn quadratic(&self, terms: &[Quadratic], track: u32) -> f64 {
        terms
            .iter()
            .zip(self.catalogue.z(track))
            .map(|(term, z)| term.at(f64::from(z)))
            .sum()
    }

    /// All terms that depend on features, added up: for the scan of the columns.
    pub(crate) fn columns(&self) -> Vec<Quadratic> {
        let mut columns = self.features.clone();
        let add = |columns: &mut Vec<Quadratic>, terms: &[Quadratic]| {
            for (column, term) in columns.iter_mut().zip(terms) {
                *column = column.plus(term);
            }
        };
        if let Some(terms) = &self.seed_tracks {
            add(&mut columns, terms);
        }
        for (_, feature, term) in &self.targets {
            columns[*feature] = columns[*feature].plus(term);
        }
        if let Some(exploration) = &self.exploration {
            add(&mut columns, &exploration.features);
        }
        columns
    }

    /// Adds all terms that do not depend on features to the scan's scores; gives a bound on their size.
    pub(crate) fn add_others(&self, scores: &mut [f32]) -> f64 {
        let popularity = self.add_popularity(scores);
        let artists = self.add_artists(scores);
        let seeds = self.add_seeds(scores);
        popularity + artists + seeds
    }

    fn add_popularity(&self, scores: &mut [f32]) -> f64 {
        let Some(weight) = self.popularity else { return 0.0 };
        let unit = (weight / POPULARITY_MAX) as f32;
        for (score, &popularity) in scores.iter_mut().zip(self.catalogue.popularities()) {
            let known = if popularity <= POPULARITY_MAX as u8 {
                popularity
            } else {
                0
            };
            *score += unit * f32::from(known);
        }
        weight.abs()
    }

    fn add_artists(&self, scores: &mut [f32]) -> f64 {
        let mut largest: f64 = 0.0;
        let mut add = |artist: u32, value: f64| {
            largest = largest.max(value.abs());
            for &track in self.catalogue.tracks_of(artist) {
                scores[track as usize] += value as f32;
            }
        };
        for (&artist, &value) in &self.artists {
            add(artist, value);
        }
        if let Some(exploration) = &self.exploration {
            for (artist, &value) in exploration.artists.iter().enumerate() {
                add(artist as u32, value);
            }
        }
        2.0 * largest * self.catalogue.artists_per_track_max() as f64
    }

    fn add_seeds(&self, scores: &mut [f32]) -> f64 {
        let mut is_by_seed: Vec<u32> = Vec::new();
        for &artist in self.seed_artists.iter().flatten() {
            is_by_seed.extend_from_slice(self.catalogue.tracks_of(artist));
        }
        is_by_seed.sort_unstable();
        is_by_seed.dedup();
        for track in is_by_seed {
            scores[track as usize] += SEED_ARTIST_WEIGHT as f32;
        }
        if let Some(genres) = &self.seed_genres {
            for (score, genre) in scores.iter_mut().zip(self.catalogue.genres()) {
                *score += if genres.contains(genre) {
                    SEED_GENRE_WEIGHT as f32
                } else {
                    0.0
                };
            }
        }
        SEED_ARTIST_WEIGHT + SEED_GENRE_WEIGHT
    }
}

/// The counts of those rated artists that the catalogue has, by their number in it.
fn known_artists(catalogue: &Catalogue, taste: &TasteState) -> BTreeMap<u32, ArtistCounts> {
    taste
        .artists()
        .filter_map(|(name, counts)| Some((catalogue.artist_named(name)?, counts)))
        .collect()
}

fn artist_terms(
    catalogue: &Catalogue,
    model: &ListenerModel,
    counts: &BTreeMap<u32, ArtistCounts>,
) -> BTreeMap<u32, f64> {
    let affinity =
        |artist, counts| artist_affinity(model.artist_log_odds(counts), catalogue.tracks_of(artist).len());
    counts
        .iter()
        .map(|(&artist, &counts)| (artist, ARTIST_WEIGHT * affinity(artist, counts)))
        .collect()
}

/// An artist's log-odds; where they speak for the artist, the more so the fewer tracks there are to choose from: liking
/// one of an artist's five tracks says more about the other four than liking one of two hundred.
fn artist_affinity(log_odds: f64, tracks: usize) -> f64 {
    if log_odds > 0.0 {
        log_odds + ln(1.0 + ARTIST_TRACKS / (tracks as f64 + 1.0))
    } else {
        log_odds
    }
}

fn near(centre: &[f64]) -> Vec<Quadratic> {
    centre
        .iter()
        .map(|&centre| Quadratic::near(centre, SEED_TRACKS_WEIGHT))
        .collect()
}

fn targets(catalogue: &Catalogue, request: &PlaylistRequest) -> Vec<(String, usize, Quadratic)> {
    let schema = catalogue.schema();
    let term = |(name, value): (&String, &f64)| {
        let feature = schema.index_of(name)?;
        let centre = standardise(&schema.features[feature], *value);
        Some((name.clone(), feature, Quadratic::near(centre, TARGET_WEIGHT)))
    };
    request.targets.iter().filter_map(term).collect()
}

impl Exploration {
    /// Thompson sampling: the means of both classes, and every artist's log-odds, are drawn from what is believed of
    /// them; `exploration` scales how far. The draws follow the order of features and of artists' names.
    fn draw(
        catalogue: &Catalogue,
        model: &ListenerModel,
        counts: &BTreeMap<u32, ArtistCounts>,
        request: &PlaylistRequest,
    ) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(request.random_seed);
        rng.set_stream(EXPLORATION_STREAM);
        let boldness = request.exploration;
        let mut drawn = |posterior: &Posterior| {
            let deviation = (posterior.variance / posterior.kappa).sqrt();
            (
                posterior.mean + boldness * deviation * normal(&mut rng),
                posterior.predictive_variance(),
            )
        };
        let mut features = Vec::with_capacity(model.like.len());
        for ((like, dislike), mean) in model.like.iter().zip(&model.dislike).zip(model.quadratics()) {
            let sample = gaussian_log_odds(drawn(like), drawn(dislike));
            features.push(sample.plus(&mean.times(-1.0)).times(AUDIO_WEIGHT));
        }
        let artists = (0..catalogue.artist_count() as u32)
            .map(|artist| {
                let counts = counts.get(&artist).copied().unwrap_or_default();
                boldness * model.artist_deviation(counts) * normal(&mut rng)
            })
            .collect();
        Self { features, artists }
    }
}
