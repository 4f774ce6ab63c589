//! What everybody listens to.

use super::{Contestant, LikeModel, World};
use crate::models::Setting;

pub(super) const CONTESTANT: Contestant = Contestant {
    name: "popularity",
    what: "ranks by the catalogue's popularity",
    grid: Setting::NONE,
    parts: &[],
    build: |world, _, _| Box::new(Popularity { world }),
};

struct Popularity<'a> {
    world: World<'a>,
}

impl LikeModel for Popularity<'_> {
    fn fit(&mut self, _: &[(u32, bool)]) {}

    fn score(&self, track: u32) -> f64 {
        self.world
            .ratings
            .catalogue
            .popularity(track)
            .map_or(0.0, f64::from)
    }
}
