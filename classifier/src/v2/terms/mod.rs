//! What a track's score is made of. The score is *defined* as the sum of its contributions in their order, so an
//! explanation adds up exactly.

mod artists;
mod companions;
mod dates;
mod exploration;
mod genres;
mod likes;
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
use weights::{LEARNER, SEED_ARTIST, SEED_GENRE, SEED_TRACKS, TARGET};

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
        Self {
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
        }
    }

    /// The names of the contributions, in their order.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names = vec!["base".to_owned()];
        names.extend(self.catalogue.schema().names().map(str::to_owned));
        let optional = [
            (true, "artist"),
            (true, "album"),
            (true, "near"),
            (self.shared.is_some(), "companions"),
            (self.shared.is_some(), "song_companions"),
            (self.dates.is_some(), "date"),
            (self.popularity.is_some(), "popularity"),
            (self.eras.is_some(), "era"),
            (self.genres.is_some(), "genre"),
            (self.seed_tracks.is_some(), "seed_tracks"),
            (self.seed_artists.is_some(), "seed_artists"),
            (self.seed_genres.is_some(), "seed_genres"),
        ];
        let used = optional.iter().filter(|(is_used, _)| *is_used);
        names.extend(used.map(|(_, name)| (*name).to_owned()));
        names.extend(self.targets.iter().map(|(name, _, _)| format!("target:{name}")));
        names.extend(self.drawn.is_some().then(|| "exploration".to_owned()));
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
        tell(self.by_artist(track, |artist| self.artists[artist as usize]));
        tell(self.known.album(self.catalogue, track));
        tell(self.known.near(self.catalogue, track));
        if let Some(shared) = &self.shared {
            tell(self.by_artist(track, |artist| {
                shared.artists.get(&artist).copied().unwrap_or(0.0)
            }));
            tell(shared.tracks.get(&track).copied().unwrap_or(0.0));
        }
        if let Some(dates) = &self.dates {
            tell(at(dates, self.catalogue.release_date_of(track) as usize));
        }
        if let Some(popularity) = &self.popularity {
            let popularity_of = self.catalogue.popularity(track);
            tell(at(popularity, popularity_of.map_or(usize::MAX, usize::from)));
        }
        if let Some(eras) = &self.eras {
            tell(at(
                eras,
                usize::from(self.catalogue.statistics().cells[track as usize]),
            ));
        }
        if let Some(genres) = &self.genres {
            tell(genres.of_track(self.catalogue, track));
        }
        if let Some(terms) = &self.seed_tracks {
            tell(self.quadratic(terms, track));
        }
        if let Some(artists) = &self.seed_artists {
            let mut own = self.catalogue.artists_of(track).iter();
            tell(if own.any(|artist| artists.contains(artist)) {
                SEED_ARTIST
            } else {
                0.0
            });
        }
        if let Some(genres) = &self.seed_genres {
            let is_of_genre = genres.contains(&self.catalogue.genres()[track as usize]);
            tell(if is_of_genre { SEED_GENRE } else { 0.0 });
        }
        for (_, feature, term) in &self.targets {
            tell(term.at(f64::from(self.catalogue.column(*feature)[track as usize])));
        }
        if self.drawn.is_some() {
            tell(self.explored(track));
        }
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

/// The table's value; 0 beyond it, which stands for "not known".
fn at(table: &[f64], index: usize) -> f64 {
    table.get(index).copied().unwrap_or(0.0)
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
