//! Segue's own: what a listener likes the sound of, as generator version 2 learns it ([`classifier::learner`]).

use classifier::BaseModel;
use classifier::learner::blend::Blend;
use classifier::learner::{Example, relevance};
use classifier::model::Quadratic;

use super::{Contestant, LikeModel, Model, World, hierarchical_nb, registry};
use crate::models::Setting;

pub(super) const CONTESTANT: Contestant = Contestant {
    name: registry::USED,
    what: "Gaussian process regression with a rational quadratic kernel of the Manhattan distance, a quarter of a Bayesian \
    linear regression on features and their squares, and a calibration fitted to left-out labels (Segue's learner); `prior` is how much of what other people have in common it begins with",
    grid: &[
        Setting(&[("population", 0.0), ("kappa", 5.0), ("prior", 0.0)]),
        Setting(&[("population", 1.0), ("kappa", 0.0), ("prior", 0.5)]),
        Setting(&[("population", 1.0), ("kappa", 0.0), ("prior", 1.0)]),
        Setting(&[("population", 1.0), ("kappa", 0.0), ("prior", 2.0)]),
    ],
    parts: &[],
    build: |world, setting, _| {
        let common = hierarchical_nb::base(world, setting).expected();
        let share = setting.get("prior");
        listener(world, common.iter().map(|form| form.times(share)).collect())
    },
};

pub(super) const NEUTRAL: Contestant = Contestant {
    name: registry::NEUTRAL,
    what: "the same learner, beginning with nothing of other people, as it does where no base model was published",
    grid: Setting::NONE,
    parts: &[],
    build: |world, _, _| {
        let schema = world.ratings.catalogue.schema();
        listener(world, BaseModel::neutral(schema).expected())
    },
};

fn listener(world: World<'_>, prior: Vec<Quadratic>) -> Model<'_> {
    let relevance = relevance(world.ratings.catalogue.schema());
    Box::new(Listener {
        learned: Blend::learn(&relevance, &prior, &[]),
        relevance,
        prior,
        world,
    })
}

struct Listener<'a> {
    world: World<'a>,
    relevance: Vec<f64>,
    prior: Vec<Quadratic>,
    learned: Blend,
}

impl LikeModel for Listener<'_> {
    fn fit(&mut self, rated: &[(u32, bool)]) {
        // In the order of the catalogue, as the generator takes them.
        let mut rated = rated.to_vec();
        rated.sort_unstable_by_key(|(track, _)| *track);
        let example = |&(track, liked): &(u32, bool)| Example {
            z: self.world.z(track).into_iter().collect(),
            value: if liked { 1.0 } else { -1.0 },
            weight: 1.0,
        };
        let examples: Vec<Example> = rated.iter().map(example).collect();
        self.learned = Blend::learn(&self.relevance, &self.prior, &examples);
    }

    fn score(&self, track: u32) -> f64 {
        self.learned.score(&self.z(track))
    }

    fn probability(&self, track: u32) -> Option<f64> {
        Some(self.learned.probability(&self.z(track)))
    }
}

impl Listener<'_> {
    fn z(&self, track: u32) -> Vec<f64> {
        self.world.z(track).into_iter().collect()
    }
}
