//! Artists that stand in the same playlists.

use super::neighbours::neighbours;
use super::same_artist::over_size;
use super::{Contestant, Continuation, Shown, World};
use crate::models::Setting;

pub(super) const CONTESTANT: Contestant = Contestant {
    name: "artist-kNN",
    what: "ranks by the cosine of the track's artists with the shown ones over other people's playlists, the shown ones themselves `own` times as much, over a power of their size, then by popularity",
    grid: &[
        Setting(&[("shrink", 3.0), ("own", 3.0), ("size", 1.0), ("popularity", 0.05)]),
        Setting(&[("shrink", 3.0), ("own", 3.0), ("size", 1.0), ("popularity", 0.1)]),
        Setting(&[
            ("shrink", 10.0),
            ("own", 3.0),
            ("size", 1.0),
            ("popularity", 0.05),
        ]),
        Setting(&[
            ("shrink", 10.0),
            ("own", 1.0),
            ("size", 1.0),
            ("popularity", 0.05),
        ]),
        Setting(&[
            ("shrink", 10.0),
            ("own", 10.0),
            ("size", 1.0),
            ("popularity", 0.05),
        ]),
        Setting(&[("shrink", 3.0), ("own", 1.0), ("size", 0.75), ("popularity", 0.1)]),
        Setting(&[
            ("shrink", 10.0),
            ("own", 3.0),
            ("size", 0.75),
            ("popularity", 0.1),
        ]),
        Setting(&[("shrink", 10.0), ("own", 3.0), ("size", 0.5), ("popularity", 0.2)]),
    ],
    parts: &[],
    ablates: None,
    build: |world, setting, _| {
        Box::new(ArtistKnn {
            world,
            shrink: setting.get("shrink"),
            own: setting.get("own"),
            size: setting.get("size"),
            popularity: setting.get("popularity"),
        })
    },
};

struct ArtistKnn<'a> {
    world: World<'a>,
    shrink: f64,
    own: f64,
    size: f64,
    popularity: f64,
}

impl Continuation for ArtistKnn<'_> {
    fn rank(&self, shown: Shown<'_>) -> Vec<f32> {
        let counts = self.world.artist_counts(shown.liked);
        let sets: Vec<&[u32]> = self.world.artists().collect();
        let mut near = neighbours(sets.into_iter(), counts.len(), &counts, self.shrink);
        near.iter_mut()
            .zip(&counts)
            .for_each(|(near, count)| *near += self.own * count);
        over_size(self.world, &mut near, self.size);
        let by_artists = self.world.by_artists(&near).into_iter();
        let popularity = self.world.popularity().into_iter();
        by_artists
            .zip(popularity)
            .map(|(artists, popularity)| (artists + self.popularity * popularity) as f32)
            .collect()
    }
}
