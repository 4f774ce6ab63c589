//! Songs that stand in the same playlists (item-based collaborative filtering, Sarwar et al. 2001).

use super::neighbours::neighbours;
use super::{Contestant, Continuation, Shown, World};
use crate::models::Setting;

pub(super) const CONTESTANT: Contestant = Contestant {
    name: "item co-occurrence",
    what: "ranks by the cosine with the shown songs over other people's playlists, then by popularity",
    grid: &[
        Setting(&[("shrink", 0.0), ("popularity", 0.001)]),
        Setting(&[("shrink", 1.0), ("popularity", 0.001)]),
        Setting(&[("shrink", 3.0), ("popularity", 0.001)]),
        Setting(&[("shrink", 10.0), ("popularity", 0.001)]),
        Setting(&[("shrink", 0.0), ("popularity", 0.1)]),
        Setting(&[("shrink", 1.0), ("popularity", 0.1)]),
        Setting(&[("shrink", 3.0), ("popularity", 0.1)]),
        Setting(&[("shrink", 10.0), ("popularity", 0.1)]),
    ],
    parts: &[],
    ablates: None,
    build: |world, setting, _| {
        Box::new(CoOccurrence {
            world,
            shrink: setting.get("shrink"),
            popularity: setting.get("popularity"),
        })
    },
};

struct CoOccurrence<'a> {
    world: World<'a>,
    shrink: f64,
    popularity: f64,
}

impl Continuation for CoOccurrence<'_> {
    fn rank(&self, shown: Shown<'_>) -> Vec<f32> {
        let catalogue = self.world.catalogue;
        let mut weights = vec![0.0; catalogue.len()];
        shown
            .liked
            .iter()
            .for_each(|&track| weights[catalogue.song(track) as usize] = 1.0);
        let sets: Vec<&[u32]> = self.world.songs().collect();
        let near = neighbours(sets.into_iter(), catalogue.len(), &weights, self.shrink);
        let popularity = self.world.popularity();
        let score =
            |track: u32| near[catalogue.song(track) as usize] + self.popularity * popularity[track as usize];
        (0..catalogue.len() as u32)
            .map(|track| score(track) as f32)
            .collect()
    }
}
