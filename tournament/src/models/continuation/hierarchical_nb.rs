//! Sound alone, as Segue's naive Bayes hears it.

use classifier::model::ListenerModel;
use classifier::score::score_columns;
use classifier::{BaseModel, TasteState};
use domain::Rating;

use super::{Contestant, Continuation, Shown, World};
use crate::models::Setting;

pub(super) const CONTESTANT: Contestant = Contestant {
    name: "audio, hierarchical naive Bayes",
    what: "the features' part of Segue's naive Bayes, no artist and no popularity",
    grid: &[
        Setting(&[("kappa", 1.0)]),
        Setting(&[("kappa", 2.0)]),
        Setting(&[("kappa", 5.0)]),
        Setting(&[("kappa", 10.0)]),
        Setting(&[("kappa", 20.0)]),
        Setting(&[("kappa", 50.0)]),
    ],
    parts: &[],
    ablates: None,
    build: |world, setting, _| {
        let mut base = BaseModel::neutral(world.catalogue.schema());
        for class in [&mut base.like, &mut base.dislike] {
            class.kappa.fill(setting.get("kappa"));
        }
        Box::new(HierarchicalNb { world, base })
    },
};

struct HierarchicalNb<'a> {
    world: World<'a>,
    base: BaseModel,
}

impl Continuation for HierarchicalNb<'_> {
    fn rank(&self, shown: Shown<'_>) -> Vec<f32> {
        let catalogue = self.world.catalogue;
        let mut taste = TasteState::default();
        for (tracks, rating) in [(shown.liked, Rating::Like), (shown.disliked, Rating::Dislike)] {
            tracks
                .iter()
                .for_each(|&track| taste.add(&catalogue.describe(track), rating));
        }
        let terms = ListenerModel::learn(&self.base, &taste).quadratics();
        let mut scores = vec![0.0; catalogue.len()];
        score_columns(catalogue.columns(), &terms, &mut scores);
        scores
    }
}
