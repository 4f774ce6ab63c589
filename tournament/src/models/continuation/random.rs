//! Chance: what any contestant must beat.

use super::{Contestant, Continuation, Shown, World};
use crate::models::Setting;
use crate::random::Chance;

pub(super) const CONTESTANT: Contestant = Contestant {
    name: "random",
    what: "draws a number for each track",
    grid: Setting::NONE,
    parts: &[],
    ablates: None,
    build: |world, _, _| Box::new(Random { world }),
};

struct Random<'a> {
    world: World<'a>,
}

impl Continuation for Random<'_> {
    fn rank(&self, shown: Shown<'_>) -> Vec<f32> {
        let mut chance = Chance::of(self.world.seed, &format!("random {:?}", shown.liked));
        (0..self.world.catalogue.len())
            .map(|_| chance.uniform() as f32)
            .collect()
    }
}
