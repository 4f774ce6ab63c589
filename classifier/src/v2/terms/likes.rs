//! What the labels add up to: how much is liked, by artist, album, date and popularity.

use std::collections::BTreeMap;

use crate::catalogue::Catalogue;
use crate::v2::labels::Label;

/// How much of something is liked and disliked, in ratings.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Mass {
    pub(super) liked: f64,
    pub(super) disliked: f64,
}

impl Mass {
    fn add(&mut self, label: &Label) {
        let (liked, disliked) = (label.weight * label.value, -label.weight * label.value);
        self.liked += if liked > 0.0 { liked } else { 0.0 };
        self.disliked += if disliked > 0.0 { disliked } else { 0.0 };
    }
}

/// The sums of all labels, each song counted once.
#[derive(Debug, Clone, Default)]
pub(super) struct Likes {
    pub(super) all: Mass,
    pub(super) artists: BTreeMap<u32, Mass>,
    /// By artist and album title.
    pub(super) albums: BTreeMap<(u32, u32), Mass>,
    /// By the number of the release date.
    pub(super) dates: BTreeMap<u32, Mass>,
    pub(super) popularities: BTreeMap<u8, Mass>,
    pub(super) genres: BTreeMap<u32, Mass>,
    /// The labels of songs, one each.
    pub(super) songs: Vec<Label>,
}

impl Likes {
    /// `labels` stand in the order of the catalogue; of several tracks of one song the first speaks for it.
    pub(super) fn count(catalogue: &Catalogue, labels: &[Label]) -> Self {
        let mut likes = Self::default();
        let mut seen = std::collections::BTreeSet::new();
        for label in labels
            .iter()
            .filter(|label| seen.insert(catalogue.song(label.track)))
        {
            likes.add(catalogue, label);
        }
        likes
    }

    fn add(&mut self, catalogue: &Catalogue, label: &Label) {
        let track = label.track;
        self.all.add(label);
        for &artist in catalogue.artists_of(track) {
            self.artists.entry(artist).or_default().add(label);
            if let Some(album) = catalogue.album_of(track) {
                self.albums.entry((artist, album)).or_default().add(label);
            }
        }
        self.dates
            .entry(catalogue.release_date_of(track))
            .or_default()
            .add(label);
        if let Some(popularity) = catalogue.popularity(track) {
            self.popularities.entry(popularity).or_default().add(label);
        }
        self.genres
            .entry(catalogue.genres()[track as usize])
            .or_default()
            .add(label);
        self.songs.push(*label);
    }
}
