//! More by the artists that were shown, the popular first.

use super::{Contestant, Continuation, Shown, World};
use crate::models::Setting;

pub(super) const CONTESTANT: Contestant = Contestant {
    name: "same artist + popularity",
    what: "ranks by how often the track's artists were shown, over a power of how many tracks they have, then by popularity",
    grid: &[
        Setting(&[("size", 0.0), ("popularity", 0.01)]),
        Setting(&[("size", 0.0), ("popularity", 1.0)]),
        Setting(&[("size", 0.25), ("popularity", 0.1)]),
        Setting(&[("size", 0.25), ("popularity", 1.0)]),
        Setting(&[("size", 0.5), ("popularity", 0.1)]),
        Setting(&[("size", 0.5), ("popularity", 0.5)]),
        Setting(&[("size", 1.0), ("popularity", 0.05)]),
        Setting(&[("size", 1.0), ("popularity", 0.2)]),
    ],
    parts: &[],
    ablates: None,
    build: |world, setting, _| {
        Box::new(SameArtist {
            world,
            size: setting.get("size"),
            popularity: setting.get("popularity"),
        })
    },
};

struct SameArtist<'a> {
    world: World<'a>,
    size: f64,
    popularity: f64,
}

/// Values of artists, each over a power of how many tracks the artist has: who has many is less often meant with each.
pub(super) fn over_size(world: World<'_>, values: &mut [f64], power: f64) {
    for (artist, value) in values.iter_mut().enumerate() {
        *value /= (world.catalogue.tracks_of(artist as u32).len().max(1) as f64).powf(power);
    }
}

impl Continuation for SameArtist<'_> {
    fn rank(&self, shown: Shown<'_>) -> Vec<f32> {
        let mut counts = self.world.artist_counts(shown.liked);
        over_size(self.world, &mut counts, self.size);
        let by_artists = self.world.by_artists(&counts).into_iter();
        let popularity = self.world.popularity().into_iter();
        by_artists
            .zip(popularity)
            .map(|(artists, popularity)| (artists + self.popularity * popularity) as f32)
            .collect()
    }
}
