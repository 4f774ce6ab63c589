//! The contest of telling likes from dislikes: learning curves, and prequential loss.

use classifier::evaluate::auc;
use serde::{Deserialize, Serialize};

use crate::data::{Collection, Listener, Playlist, Ratings};
use crate::discipline::{Chosen, Discipline, Entrant, Outcome, Phase, TakesPart, build, entrants};
use crate::extent::Extent;
use crate::metrics::{Calibration, log_loss};
use crate::models::Setting;
use crate::models::like::{CONTESTANTS, Contestant, LikeModel, Model, Person, World};
use crate::random::Chance;
use crate::splits::{Course, PlaylistHalves, RatingHalves, Unit};
use crate::stats::mean;

/// After so many ratings a contestant is judged.
pub(crate) const SIZES: [usize; 9] = [0, 1, 2, 5, 10, 20, 50, 100, 200];
/// The area under the curve is compared over these: before, nobody knows anything.
pub(crate) const COMPARED: [usize; 6] = [5, 10, 20, 50, 100, 200];

/// What a contestant reached on one course.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Learned {
    /// One for each of [`SIZES`] that the course has ratings for.
    pub(crate) curve: Vec<Point>,
    /// The mean log-loss of predicting each rating before it is learned; absent from those who only rank.
    pub(crate) prequential: Option<f64>,
}

/// What was reached after so many ratings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Point {
    pub(crate) ratings: usize,
    /// Absent when everything judged was liked, or nothing.
    pub(crate) auc: Option<f64>,
    /// Absent from those who only rank.
    pub(crate) calibration: Option<Calibration>,
}

/// Ratings, cut, and other people.
pub(crate) struct LikeDislike<'a> {
    ratings: &'a Ratings,
    pub(crate) halves: RatingHalves,
    population: Vec<Person>,
    extent: Extent,
    seed: u64,
}

impl<'a> LikeDislike<'a> {
    /// The other people are the listeners of the tuning half; of a file with few listeners, the known playlists of
    /// `collection`, each as someone who likes its tracks and dislikes as many random others.
    pub(crate) fn new(
        ratings: &'a Ratings,
        collection: Option<&Collection>,
        extent: Extent,
        seed: u64,
    ) -> Self {
        let halves = RatingHalves::split(ratings, seed);
        let population = if halves.by_listener {
            halves
                .tuning
                .iter()
                .map(|listener| person(ratings, listener))
                .collect()
        } else {
            let like_schema = |collection: &&Collection| {
                collection.catalogue.schema_digest() == ratings.catalogue.schema_digest()
            };
            collection
                .filter(like_schema)
                .map_or_else(Vec::new, |collection| owners(collection, seed))
        };
        Self {
            ratings,
            halves,
            population,
            extent,
            seed,
        }
    }

    fn half(&self, phase: Phase) -> &[Listener] {
        match phase {
            Phase::Tune => &self.halves.tuning,
            Phase::Judge => &self.halves.judging,
        }
    }

    fn unit_list(&self, phase: Phase) -> Vec<Unit> {
        let listeners = self.half(phase).len();
        let draws = self.extent.draws(phase, listeners);
        let all = (0..listeners).flat_map(|listener| (0..draws).map(move |draw| Unit { listener, draw }));
        all.collect()
    }

    fn world(&self, phase: Phase, listener: usize) -> World<'_> {
        let is_among = self.halves.by_listener && phase == Phase::Tune;
        World {
            ratings: self.ratings,
            population: &self.population,
            except: is_among.then_some(listener),
            seed: self.seed,
        }
    }
}

fn person(ratings: &Ratings, listener: &Listener) -> Person {
    listener
        .rated
        .iter()
        .map(|&(track, liked)| (ratings.catalogue.describe(track), liked))
        .collect()
}

/// Known playlists as people.
fn owners(collection: &Collection, seed: u64) -> Vec<Person> {
    let mut chance = Chance::of(seed, "owners of playlists");
    let mut owner = |playlist: &Playlist| {
        let liked: Vec<(u32, bool)> = playlist.tracks.iter().map(|&track| (track, true)).collect();
        let others = liked
            .iter()
            .map(|_| (chance.below(collection.catalogue.len()) as u32, false));
        let all = liked.iter().copied().chain(others).collect::<Vec<_>>();
        all.into_iter()
            .map(|(track, liked)| (collection.catalogue.describe(track), liked))
            .collect()
    };
    PlaylistHalves::split(collection, seed)
        .known
        .iter()
        .map(&mut owner)
        .collect()
}

impl TakesPart for Contestant {
    type World<'a> = World<'a>;
    type Model<'a> = Model<'a>;

    fn entrant(&self) -> Entrant {
        Entrant {
            name: self.name,
            grid: self.grid,
            parts: self.parts,
        }
    }

    fn made<'a>(
        &self,
        world: Self::World<'a>,
        setting: Setting,
        parts: Vec<Self::Model<'a>>,
    ) -> Self::Model<'a> {
        (self.build)(world, setting, parts)
    }
}

fn point(model: &dyn LikeModel, course: &Course, ratings: usize) -> Point {
    let scored: Vec<(f64, bool)> = course
        .judge
        .iter()
        .map(|&(track, liked)| (model.score(track), liked))
        .collect();
    let predicted: Option<Vec<(f64, bool)>> = course
        .judge
        .iter()
        .map(|&(track, liked)| Some((model.probability(track)?, liked)))
        .collect();
    Point {
        ratings,
        auc: auc(&scored),
        calibration: predicted.as_deref().and_then(Calibration::of),
    }
}

/// Learns again before the ratings at these places: before each of the first, then in growing steps.
fn is_learned_before(place: usize) -> bool {
    match place {
        0..20 => true,
        20..50 => place.is_multiple_of(5),
        _ => place.is_multiple_of(25),
    }
}

fn prequential(model: &mut dyn LikeModel, course: &Course) -> Option<f64> {
    let most = SIZES[SIZES.len() - 1].min(course.prequential.len());
    let mut losses = Vec::with_capacity(most);
    for (place, &(track, liked)) in course.prequential[..most].iter().enumerate() {
        if is_learned_before(place) {
            model.fit(&course.prequential[..place]);
        }
        losses.push(log_loss(model.probability(track)?, liked));
    }
    Some(mean(&losses))
}

impl Discipline for LikeDislike<'_> {
    const NAME: &'static str = "like or dislike";

    fn entrants(&self) -> Vec<Entrant> {
        entrants(CONTESTANTS)
    }

    fn units(&self, phase: Phase) -> Vec<String> {
        let name = |unit: &Unit| format!("{} {}", self.half(phase)[unit.listener].name, unit.draw);
        self.unit_list(phase).iter().map(name).collect()
    }

    fn judge(&self, phase: Phase, entrant: usize, setting: usize, chosen: &Chosen, unit: usize) -> Outcome {
        let unit = self.unit_list(phase)[unit];
        let course = Course::draw(
            &self.ratings.catalogue,
            &self.half(phase)[unit.listener],
            unit,
            self.seed,
        );
        let mut model = build(
            CONTESTANTS,
            self.world(phase, unit.listener),
            entrant,
            setting,
            chosen,
        );
        let sizes: &[usize] = if phase == Phase::Tune { &COMPARED } else { &SIZES };
        let mut curve = Vec::new();
        for &size in sizes.iter().filter(|&&size| size <= course.learn.len()) {
            model.fit(&course.learn[..size]);
            curve.push(point(model.as_ref(), &course, size));
        }
        let prequential = match phase {
            Phase::Tune => None,
            Phase::Judge => prequential(model.as_mut(), &course),
        };
        Outcome::Learned(Learned { curve, prequential })
    }

    /// The area under the curve; between equals the log-loss.
    fn value(&self, outcomes: &[Outcome]) -> (f64, f64) {
        let points: Vec<&Point> = outcomes
            .iter()
            .flat_map(|outcome| outcome.learned().curve.iter())
            .collect();
        let aucs: Vec<f64> = points.iter().filter_map(|point| point.auc).collect();
        let losses: Vec<f64> = points
            .iter()
            .filter_map(|point| Some(point.calibration.as_ref()?.log_loss))
            .collect();
        // Sums of the same numbers in another order differ in their last bits and are equal all the same.
        ((mean(&aucs) * 1e9).round(), -mean(&losses))
    }
}

impl Outcome {
    /// What was learned.
    pub(crate) fn learned(&self) -> &Learned {
        match self {
            Self::Learned(learned) => learned,
            Self::Ranked(_) => unreachable!("a contest keeps its own outcomes"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::GRID_MAX;
    use crate::testing;

    #[test]
    fn whatever_was_rated_every_score_is_a_number() {
        let ratings = testing::ratings(1, 600);
        let collection = testing::collection(12);
        let contest = LikeDislike::new(&ratings, Some(&collection), Extent::Quick, 1);
        let world = contest.world(Phase::Judge, 0);
        let rated = &ratings.listeners[0].rated;
        let likes: Vec<(u32, bool)> = rated
            .iter()
            .filter(|(_, liked)| *liked)
            .copied()
            .take(5)
            .collect();
        let dislikes: Vec<(u32, bool)> = rated
            .iter()
            .filter(|(_, liked)| !liked)
            .copied()
            .take(5)
            .collect();
        let one_of_each = vec![likes[0], dislikes[0]];
        let twice = vec![likes[0], likes[0], dislikes[0], dislikes[0]];
        let histories = [
            vec![],
            likes[..1].to_vec(),
            dislikes[..1].to_vec(),
            likes,
            dislikes,
            one_of_each,
            twice,
        ];
        for (number, contestant) in CONTESTANTS.iter().enumerate() {
            for setting in 0..contestant.grid.len() {
                let mut model = build(CONTESTANTS, world, number, setting, &Chosen::new());
                for history in &histories {
                    model.fit(history);
                    for track in 0..20 {
                        let (score, p) = (model.score(track), model.probability(track));
                        assert!(
                            score.is_finite(),
                            "{}: {score} after {history:?}",
                            contestant.name
                        );
                        assert!(
                            p.is_none_or(|p| (0.0..=1.0).contains(&p)),
                            "{}: {p:?}",
                            contestant.name
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn whoever_learns_beats_chance_on_a_taste_that_can_be_learned() {
        let ratings = testing::ratings(1, 600);
        let contest = LikeDislike::new(&ratings, None, Extent::Quick, 1);
        for (number, contestant) in CONTESTANTS.iter().enumerate() {
            let Outcome::Learned(learned) = contest.judge(Phase::Judge, number, 0, &Chosen::new(), 0) else {
                panic!("another contest's outcome")
            };
            let last = learned.curve.last().and_then(|point| point.auc).unwrap();
            let knows_nothing = ["random", "popularity", "like rate", "artist and genre log-odds"];
            if knows_nothing.contains(&contestant.name) {
                assert!((0.35..0.65).contains(&last), "{}: {last}", contestant.name);
            } else {
                assert!(last > 0.75, "{}: {last}", contestant.name);
            }
        }
    }

    #[test]
    fn nobody_has_more_to_choose_from_than_allowed() {
        for contestant in CONTESTANTS {
            assert!(
                (1..=GRID_MAX).contains(&contestant.grid.len()),
                "{}",
                contestant.name
            );
        }
    }

    #[test]
    fn a_prior_from_other_people_leaves_out_the_one_who_is_judged() {
        let ratings = testing::ratings(10, 60);
        let contest = LikeDislike::new(&ratings, None, Extent::Quick, 1);
        assert_eq!(contest.population.len(), 5);
        assert_eq!(contest.world(Phase::Tune, 2).people().count(), 4);
        assert_eq!(contest.world(Phase::Judge, 2).people().count(), 5);
    }
}
