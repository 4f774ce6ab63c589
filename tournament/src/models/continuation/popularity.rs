//! What everybody listens to.

use super::{Contestant, Continuation, Shown, World};
use crate::models::Setting;

pub(super) const CONTESTANT: Contestant = Contestant {
    name: "popularity",
    what: "ranks by the catalogue's popularity",
    grid: Setting::NONE,
    parts: &[],
    ablates: None,
    build: |world, _, _| Box::new(Popularity { world }),
};

struct Popularity<'a> {
    world: World<'a>,
}

impl Continuation for Popularity<'_> {
    fn rank(&self, _: Shown<'_>) -> Vec<f32> {
        self.world
            .popularity()
            .into_iter()
            .map(|popularity| popularity as f32)
            .collect()
    }
}
