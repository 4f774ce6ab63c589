//! The parts of a score in their order: which of them a request has, what each is called, and what it adds for a track.

use super::Terms;
use super::weights::{SEED_ARTIST, SEED_GENRE};

/// One kind of evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Base,
    Feature(usize),
    Artist,
    Album,
    Near,
    Companions,
    SongCompanions,
    Date,
    Popularity,
    Era,
    Genre,
    SeedTracks,
    SeedArtists,
    SeedGenres,
    Target(usize),
    Exploration,
}

impl Terms<'_> {
    /// Those that the request and the evidence give, in the order in which they are told and added.
    pub(super) fn present(&self) -> Vec<Part> {
        let features = (0..self.features.len()).map(Part::Feature);
        let targets = (0..self.targets.len()).map(Part::Target);
        let optional = [
            (self.shared.is_some(), Part::Companions),
            (self.shared.is_some(), Part::SongCompanions),
            (self.dates.is_some(), Part::Date),
            (self.popularity.is_some(), Part::Popularity),
            (self.eras.is_some(), Part::Era),
            (self.genres.is_some(), Part::Genre),
            (self.seed_tracks.is_some(), Part::SeedTracks),
            (self.seed_artists.is_some(), Part::SeedArtists),
            (self.seed_genres.is_some(), Part::SeedGenres),
        ];
        let optional = optional.into_iter().filter(|(is_present, _)| *is_present);
        let exploration = self.drawn.is_some().then_some(Part::Exploration);
        [Part::Base]
            .into_iter()
            .chain(features)
            .chain([Part::Artist, Part::Album, Part::Near])
            .chain(optional.map(|(_, part)| part))
            .chain(targets)
            .chain(exploration)
            .collect()
    }

    /// What a part is called in a playlist.
    pub(super) fn name(&self, part: Part) -> String {
        let name = match part {
            Part::Base => "base",
            Part::Feature(feature) => &self.catalogue.schema().features[feature].name,
            Part::Artist => "artist",
            Part::Album => "album",
            Part::Near => "near",
            Part::Companions => "companions",
            Part::SongCompanions => "song_companions",
            Part::Date => "date",
            Part::Popularity => "popularity",
            Part::Era => "era",
            Part::Genre => "genre",
            Part::SeedTracks => "seed_tracks",
            Part::SeedArtists => "seed_artists",
            Part::SeedGenres => "seed_genres",
            Part::Target(target) => return format!("target:{}", self.targets[target].0),
            Part::Exploration => "exploration",
        };
        name.to_owned()
    }

    /// What a part adds for a track; 0 where the request does not have it.
    pub(super) fn of(&self, part: Part, track: u32) -> f64 {
        let catalogue = self.catalogue;
        match part {
            Part::Base => self.base,
            Part::Feature(feature) => self.features[feature].at(self.z(feature, track)),
            Part::Artist => self.by_artist(track, |artist| self.artists[artist as usize]),
            Part::Album => self.known.album(catalogue, track),
            Part::Near => self.known.near(catalogue, track),
            Part::Companions => told(&self.shared, |shared| {
                self.by_artist(track, |artist| shared.of_artist(artist))
            }),
            Part::SongCompanions => told(&self.shared, |shared| shared.of_track(track)),
            Part::Date => from(self.dates.as_deref(), catalogue.release_date_of(track) as usize),
            Part::Popularity => {
                let popularity = catalogue.popularity(track).map(usize::from);
                from(self.popularity.as_deref(), popularity.unwrap_or(usize::MAX))
            }
            Part::Era => {
                let cell = catalogue.statistics().cells[track as usize];
                from(self.eras.as_deref(), usize::from(cell))
            }
            Part::Genre => told(&self.genres, |genres| genres.of_track(catalogue, track)),
            Part::SeedTracks => told(&self.seed_tracks, |forms| self.quadratic(forms, track)),
            Part::SeedArtists => told(&self.seed_artists, |seeds| {
                let mut own = catalogue.artists_of(track).iter();
                given(own.any(|artist| seeds.contains(artist)), SEED_ARTIST)
            }),
            Part::SeedGenres => told(&self.seed_genres, |seeds| {
                given(seeds.contains(&catalogue.genres()[track as usize]), SEED_GENRE)
            }),
            Part::Target(target) => {
                let (_, feature, form) = &self.targets[target];
                form.at(self.z(*feature, track))
            }
            Part::Exploration => self.explored(track),
        }
    }

    fn z(&self, feature: usize, track: u32) -> f64 {
        f64::from(self.catalogue.column(feature)[track as usize])
    }
}

/// What evidence says, where there is any.
fn told<T>(evidence: &Option<T>, of: impl FnOnce(&T) -> f64) -> f64 {
    evidence.as_ref().map_or(0.0, of)
}

/// The table's value; 0 beyond it, which stands for "not known".
fn from(table: Option<&[f64]>, index: usize) -> f64 {
    let value = table.and_then(|table| table.get(index));
    value.copied().unwrap_or(0.0)
}

fn given(is_given: bool, value: f64) -> f64 {
    if is_given { value } else { 0.0 }
}
