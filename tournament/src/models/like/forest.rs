//! A random forest (Breiman 2001): trees on bootstrap samples, each split the best of a few features drawn at random.

use super::like_rate::like_rate;
use super::{Contestant, LikeModel, World};
use crate::models::Setting;
use crate::random::Chance;

pub(super) const CONTESTANT: Contestant = Contestant {
    name: "random forest",
    what: "60 trees on bootstrap samples, each split the best of `tried` features, leaves of at least `leaf` ratings",
    grid: &[
        Setting(&[("tried", 2.0), ("leaf", 1.0)]),
        Setting(&[("tried", 2.0), ("leaf", 3.0)]),
        Setting(&[("tried", 2.0), ("leaf", 6.0)]),
        Setting(&[("tried", 4.0), ("leaf", 1.0)]),
        Setting(&[("tried", 4.0), ("leaf", 3.0)]),
        Setting(&[("tried", 4.0), ("leaf", 6.0)]),
        Setting(&[("tried", 1.0), ("leaf", 2.0)]),
    ],
    parts: &[],
    build: |world, setting, _| {
        Box::new(Forest {
            world,
            tried: setting.get("tried") as usize,
            leaf: setting.get("leaf") as usize,
            rate: 0.5,
            trees: Vec::new(),
        })
    },
};

const TREES: usize = 60;
/// Pseudo-ratings in each leaf, liked as often as all.
const PRIOR: f64 = 1.0;

struct Forest<'a> {
    world: World<'a>,
    tried: usize,
    leaf: usize,
    rate: f64,
    trees: Vec<Node>,
}

enum Node {
    Leaf(f64),
    Split {
        feature: usize,
        at: f64,
        below: Box<Node>,
        above: Box<Node>,
    },
}

type Row = (Vec<f64>, bool);

impl Forest<'_> {
    fn grow(&self, mut rows: Vec<&Row>, chance: &mut Chance) -> Node {
        let likes = likes(&rows);
        if likes == 0 || likes == rows.len() || rows.len() < 2 * self.leaf {
            return self.leaf_of(&rows);
        }
        let features = rows[0].0.len();
        let mut best: Option<(f64, usize, f64)> = None;
        for _ in 0..self.tried {
            let feature = chance.below(features);
            let found = self.best_cut(&mut rows, feature);
            best = found.into_iter().chain(best).min_by(|a, b| a.0.total_cmp(&b.0));
        }
        let Some((_, feature, at)) = best else {
            return self.leaf_of(&rows);
        };
        let (below, above) = rows.into_iter().partition(|row| row.0[feature] < at);
        Node::Split {
            feature,
            at,
            below: Box::new(self.grow(below, chance)),
            above: Box::new(self.grow(above, chance)),
        }
    }

    /// The cut with the least Gini impurity: (impurity, feature, place).
    fn best_cut(&self, rows: &mut [&Row], feature: usize) -> Option<(f64, usize, f64)> {
        rows.sort_by(|a, b| a.0[feature].total_cmp(&b.0[feature]));
        let (count, all) = (rows.len(), likes(rows));
        let mut below = 0;
        let mut best = None;
        for cut in 1..count {
            below += usize::from(rows[cut - 1].1);
            let (left, right) = (rows[cut - 1].0[feature], rows[cut].0[feature]);
            if left == right || cut < self.leaf || count - cut < self.leaf {
                continue;
            }
            let impurity = impurity(below, cut) + impurity(all - below, count - cut);
            if best.is_none_or(|(least, _, _)| impurity < least) {
                best = Some((impurity, feature, f64::midpoint(left, right)));
            }
        }
        best
    }

    fn leaf_of(&self, rows: &[&Row]) -> Node {
        Node::Leaf((likes(rows) as f64 + PRIOR * self.rate) / (rows.len() as f64 + PRIOR))
    }
}

fn likes(rows: &[&Row]) -> usize {
    rows.iter().filter(|row| row.1).count()
}

fn impurity(likes: usize, count: usize) -> f64 {
    let share = likes as f64 / count as f64;
    2.0 * share * (1.0 - share) * count as f64
}

impl Node {
    fn at(&self, z: &[f64]) -> f64 {
        match self {
            Self::Leaf(share) => *share,
            Self::Split {
                feature,
                at,
                below,
                above,
            } => {
                if z[*feature] < *at {
                    below.at(z)
                } else {
                    above.at(z)
                }
            }
        }
    }
}

impl LikeModel for Forest<'_> {
    fn fit(&mut self, rated: &[(u32, bool)]) {
        self.rate = like_rate(rated);
        let rows: Vec<Row> = rated
            .iter()
            .map(|&(track, liked)| (self.world.z(track), liked))
            .collect();
        if rows.is_empty() {
            self.trees.clear();
            return;
        }
        let mut chance = Chance::of(self.world.seed, "forest");
        let tree = |_| {
            let sample = (0..rows.len()).map(|_| &rows[chance.below(rows.len())]).collect();
            self.grow(sample, &mut chance)
        };
        self.trees = (0..TREES).map(tree).collect();
    }

    fn score(&self, track: u32) -> f64 {
        let z = self.world.z(track);
        let sum: f64 = self.trees.iter().map(|tree| tree.at(&z)).sum();
        if self.trees.is_empty() {
            self.rate
        } else {
            sum / TREES as f64
        }
    }

    fn probability(&self, track: u32) -> Option<f64> {
        Some(self.score(track))
    }
}
