//! The mean rank of several contestants: which of the catalogue's tracks each of them likes less.

use super::{Contestant, LikeModel, Model, World};
use crate::models::Setting;

pub(super) const CONTESTANT: Contestant = Contestant {
    name: "mean rank",
    what: "the mean of the ranks that Gaussian process, forest and Bayesian logistic regression give a track among a sample of all",
    grid: Setting::NONE,
    parts: &[
        "Gaussian process",
        "random forest",
        "Bayesian logistic, quadratic",
    ],
    build: |world, _, parts| {
        Box::new(MeanRank {
            sample: sample(world),
            parts: parts.into_iter().map(Ranked::of).collect(),
        })
    },
};

/// So many tracks tell a rank to half a percent.
const SAMPLE: usize = 200;

struct MeanRank<'a> {
    sample: Vec<u32>,
    parts: Vec<Ranked<'a>>,
}

/// A contestant, and its scores of the sample in rising order.
struct Ranked<'a> {
    model: Model<'a>,
    scores: Vec<f64>,
}

impl<'a> Ranked<'a> {
    fn of(model: Model<'a>) -> Self {
        Self {
            model,
            scores: Vec::new(),
        }
    }

    /// How many of the sample have a lower score; equal ones count half.
    fn rank(&self, track: u32) -> f64 {
        let score = self.model.score(track);
        let below = self.scores.partition_point(|other| *other < score);
        let up_to = self.scores.partition_point(|other| *other <= score);
        f64::midpoint(below as f64, up_to as f64)
    }
}

/// Evenly over the catalogue, whose tracks stand in the order of their ids: in none that says anything of them.
fn sample(world: World<'_>) -> Vec<u32> {
    let tracks = world.ratings.catalogue.len();
    let step = tracks.div_ceil(SAMPLE).max(1);
    (0..tracks as u32).step_by(step).collect()
}

impl LikeModel for MeanRank<'_> {
    fn fit(&mut self, rated: &[(u32, bool)]) {
        for part in &mut self.parts {
            part.model.fit(rated);
            part.scores = self.sample.iter().map(|&track| part.model.score(track)).collect();
            part.scores.sort_by(f64::total_cmp);
        }
    }

    fn score(&self, track: u32) -> f64 {
        self.parts.iter().map(|part| part.rank(track)).sum()
    }
}
