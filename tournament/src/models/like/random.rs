//! Chance: what any contestant must beat.

use super::{Contestant, LikeModel, World};
use crate::models::Setting;
use crate::random::Chance;

pub(super) const CONTESTANT: Contestant = Contestant {
    name: "random",
    what: "draws a number for each track",
    grid: Setting::NONE,
    parts: &[],
    build: |world, _, _| Box::new(Random { world }),
};

struct Random<'a> {
    world: World<'a>,
}

impl LikeModel for Random<'_> {
    fn fit(&mut self, _: &[(u32, bool)]) {}

    fn score(&self, track: u32) -> f64 {
        Chance::of(self.world.seed, &format!("random {track}")).uniform()
    }
}
