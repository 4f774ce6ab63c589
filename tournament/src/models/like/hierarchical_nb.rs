//! Segue's own: Gaussian naive Bayes whose every mean and variance has a prior ([`classifier::model`]).

use classifier::model::{ListenerModel, Quadratic};
use classifier::{BaseModel, TasteState};
use domain::Rating;

use super::{Contestant, LikeModel, World};
use crate::linear::sigmoid;
use crate::models::Setting;

pub(super) const CONTESTANT: Contestant = Contestant {
    name: "hierarchical naive Bayes",
    what: "Gaussian naive Bayes with a prior on every mean and variance (Segue's base model), its log-odds times `temper`",
    grid: &[
        Setting(&[("population", 0.0), ("kappa", 5.0), ("temper", 1.0)]),
        Setting(&[("population", 0.0), ("kappa", 5.0), ("temper", 0.5)]),
        Setting(&[("population", 0.0), ("kappa", 5.0), ("temper", 0.25)]),
        Setting(&[("population", 0.0), ("kappa", 20.0), ("temper", 0.5)]),
        Setting(&[("population", 0.0), ("kappa", 1.0), ("temper", 0.25)]),
        Setting(&[("population", 1.0), ("kappa", 0.0), ("temper", 1.0)]),
        Setting(&[("population", 1.0), ("kappa", 0.0), ("temper", 0.5)]),
        Setting(&[("population", 1.0), ("kappa", 0.0), ("temper", 0.25)]),
    ],
    parts: &[],
    build: |world, setting, _| {
        Box::new(HierarchicalNb {
            base: base(world, setting),
            temper: setting.get("temper"),
            world,
            prior: 0.0,
            terms: Vec::new(),
        })
    },
};

struct HierarchicalNb<'a> {
    world: World<'a>,
    base: BaseModel,
    temper: f64,
    prior: f64,
    terms: Vec<Quadratic>,
}

/// Fitted to other people where the setting says so and there are enough of them; otherwise the neutral one.
pub(super) fn base(world: World<'_>, setting: Setting) -> BaseModel {
    let schema = world.ratings.catalogue.schema();
    let mut neutral = BaseModel::neutral(schema);
    if setting.get("population") > 0.0 {
        let rated = |liked| if liked { Rating::Like } else { Rating::Dislike };
        let people: Vec<Vec<_>> = world
            .people()
            .map(|person| {
                person
                    .iter()
                    .map(|(track, liked)| (track.clone(), rated(*liked)))
                    .collect()
            })
            .collect();
        return BaseModel::fit(schema, "other people", &people).unwrap_or(neutral);
    }
    for class in [&mut neutral.like, &mut neutral.dislike] {
        class.kappa.fill(setting.get("kappa"));
    }
    neutral
}

impl LikeModel for HierarchicalNb<'_> {
    fn fit(&mut self, rated: &[(u32, bool)]) {
        let mut taste = TasteState::default();
        for &(track, liked) in rated {
            let rating = if liked { Rating::Like } else { Rating::Dislike };
            taste.add(&self.world.ratings.catalogue.describe(track), rating);
        }
        let model = ListenerModel::learn(&self.base, &taste);
        self.prior = model.prior_log_odds;
        self.terms = model.quadratics();
    }

    fn score(&self, track: u32) -> f64 {
        let z = self.world.z(track);
        let odds: f64 = self.terms.iter().zip(z).map(|(term, z)| term.at(z)).sum();
        self.prior + self.temper * odds
    }

    fn probability(&self, track: u32) -> Option<f64> {
        Some(sigmoid(self.score(track)))
    }
}
