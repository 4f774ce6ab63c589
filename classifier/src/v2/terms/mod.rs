//! What a track's score is made of. The score is *defined* as the sum of its contributions in their order, so an
//! explanation adds up exactly.

mod artists;
mod companions;
mod dates;
mod exploration;
mod genres;
mod likes;
mod parts;
mod popularity;
mod scan;
mod sound;
pub(super) mod weights;

use std::collections::BTreeMap;

use domain::PlaylistRequest;

use super::labels::Label;
use crate::base::BaseModel;
use crate::catalogue::Catalogue;
use crate::generate::Evidence;
use crate::learner::linear::LinearModel;
use crate::learner::{Example, LINEAR_SHARE, relevance};
use crate::model::Quadratic;
use crate::schema::standardise;
use crate::seeds::Seeds;
use artists::Known;
use companions::Shared;
use exploration::{Drawn, Exploration};
use likes::Likes;
use parts::Part;
use weights::{LEARNER, SEED_TRACKS, TARGET};

/// Everything that adds to the scores of one request, but for the kernel, which only re-scores the best.
pub(crate) struct Terms<'a> {
    catalogue: &'a Catalogue,
    base: f64,
    features: Vec<Quadratic>,
    /// By the artist's number.
    artists: Vec<f64>,
    known: Known,
    shared: Option<Shared>,
    dates: Option<Vec<f64>>,
    popularity: Option<Vec<f64>>,
    eras: Option<Vec<f64>>,
    genres: Option<genres::Genres>,
    seed_tracks: Option<Vec<Quadratic>>,
    seed_artists: Option<Vec<u32>>,
    seed_genres: Option<Vec<u32>>,
    targets: Vec<(String, usize, Quadratic)>,
    exploration: Option<Exploration>,
    drawn: Option<Drawn>,
    /// Those of all these that there are, in their order.
    parts: Vec<Part>,
}

/// The labelled tracks as the learner reads them, in the order of `labels`.
pub(crate) fn examples(catalogue: &Catalogue, labels: &[Label]) -> Vec<Example> {
    let example = |label: &Label| Example {
        z: catalogue.z(label.track).map(f64::from).collect(),
        value: label.value,
        weight: label.weight,
    };
    labels.iter().map(example).collect()
}

/// The linear model of the labels, over what the base model believes of all listeners.
pub(crate) fn learn_linear(catalogue: &Catalogue, base: &BaseModel, labels: &[Label]) -> LinearModel {
    LinearModel::learn(
        &relevance(catalogue.schema()),
        &base.expected(),
        &examples(catalogue, labels),
    )
}

/// What each artist of whom something was rated or played adds, by the artist's number.
pub(crate) fn artist_affinities(catalogue: &Catalogue, labels: &[Label]) -> BTreeMap<u32, f64> {
    artists::affinities(catalogue, &Likes::count(catalogue, labels))
}

impl<'a> Terms<'a> {
    /// `targets` name features of the catalogue's schema (checked by the caller).
    pub(crate) fn new(
        evidence: &Evidence<'a>,
        labels: &[Label],
        request: &PlaylistRequest,
        notes: &mut Vec<String>,
    ) -> Self {
        let (catalogue, base) = (evidence.catalogue, evidence.base);
        let likes = Likes::count(catalogue, labels);
        let linear = learn_linear(catalogue, base, labels);
        let mut features = sound::quadratics(catalogue, &likes);
        for (form, learned) in features.iter_mut().zip(linear.quadratics()) {
            *form = form.plus(&learned.times(LEARNER * LINEAR_SHARE));
        }
        // The kernel adds to what is expected of a sound, of which the linear model has its share besides.
        for (form, expected) in features.iter_mut().zip(base.expected()) {
            *form = form.plus(&expected.times(LEARNER));
        }
        let constants: f64 = features.iter().map(|form| form.constant).sum();
        features.iter_mut().for_each(|form| form.constant = 0.0);
        let seeds = Seeds::find(catalogue, request, notes);
        let constant = LEARNER * LINEAR_SHARE * linear.constant() + constants;
        let exploration = Exploration::of(request, linear, &likes, catalogue.artist_count());
        let mut terms = Self {
            catalogue,
            base: constant,
            features,
            artists: artists::all(catalogue, &likes),
            known: Known::of(catalogue, &likes),
            shared: evidence
                .companions
                .map(|companions| Shared::of(catalogue, companions, &likes)),
            dates: dates::table(catalogue, &likes),
            popularity: popularity::table(catalogue, &likes),
            eras: popularity::eras(catalogue, &likes),
            genres: genres::Genres::of(catalogue, base, &likes),
            seed_tracks: seeds.centre.map(|centre| near(&centre)),
            seed_artists: (!seeds.artists.is_empty()).then_some(seeds.artists),
            seed_genres: (!seeds.genres.is_empty()).then_some(seeds.genres),
            targets: targets(catalogue, request),
            drawn: exploration.as_ref().map(Exploration::draw),
            exploration,
            parts: Vec::new(),
        };
        terms.parts = terms.present();
        terms
    }

    /// The names of the contributions, in their order.
    pub(crate) fn names(&self) -> Vec<String> {
        self.parts.iter().map(|&part| self.name(part)).collect()
    }

    /// What each of [`Terms::names`] adds for a track.
    pub(crate) fn contributions(&self, track: u32) -> Vec<f64> {
        self.parts.iter().map(|&part| self.of(part, track)).collect()
    }

    /// The score of a track: the sum of its contributions, in their order, from 0.
    pub(crate) fn score(&self, track: u32) -> f64 {
        let mut score = 0.0;
        for &part in &self.parts {
            score += self.of(part, track);
        }
        score
    }

    /// What may be true of the listener, when the request explores.
    pub(crate) fn exploration(&self) -> Option<&Exploration> {
        self.exploration.as_ref()
    }

    /// What the draw that makes the playlist adds for a track.
    pub(crate) fn explored(&self, track: u32) -> f64 {
        self.drawn.as_ref().map_or(0.0, |drawn| self.drawn(drawn, track))
    }

    /// What a draw adds for a track.
    pub(crate) fn drawn(&self, drawn: &Drawn, track: u32) -> f64 {
        self.quadratic(&drawn.features, track) + self.by_artist(track, |artist| drawn.of_artist(artist))
    }

    /// Of several artists, the one that speaks most for the track.
    fn by_artist(&self, track: u32, of: impl Fn(u32) -> f64) -> f64 {
        let values = self.catalogue.artists_of(track).iter().map(|&artist| of(artist));
        values.reduce(f64::max).unwrap_or(0.0)
    }

    fn quadratic(&self, terms: &[Quadratic], track: u32) -> f64 {
        let shares = terms.iter().zip(self.catalogue.z(track));
        shares.map(|(term, z)| term.at(f64::from(z))).sum()
    }

    /// All terms that depend on features, added up: for the scan of the columns.
    pub(crate) fn columns(&self) -> Vec<Quadratic> {
        let mut columns = self.features.clone();
        let others = [
            self.seed_tracks.as_ref(),
            self.drawn.as_ref().map(|drawn| &drawn.features),
        ];
        for terms in others.into_iter().flatten() {
            for (column, term) in columns.iter_mut().zip(terms) {
                *column = column.plus(term);
            }
        }
        for (_, feature, term) in &self.targets {
            columns[*feature] = columns[*feature].plus(term);
        }
        columns
    }
}

fn near(centre: &[f64]) -> Vec<Quadratic> {
    centre
        .iter()
        .map(|&centre| Quadratic::near(centre, SEED_TRACKS))
        .collect()
}

fn targets(catalogue: &Catalogue, request: &PlaylistRequest) -> Vec<(String, usize, Quadratic)> {
    let schema = catalogue.schema();
    let term = |(name, value): (&String, &f64)| {
        let feature = schema.index_of(name)?;
        let centre = standardise(&schema.features[feature], *value);
        Some((name.clone(), feature, Quadratic::near(centre, TARGET)))
    };
    request.targets.iter().filter_map(term).collect()
}
