//! Ratings: a tuning and a judging half, and within each what is learned from and what is judged on.
//!
//! Whole albums are rated alike, so an artist never stands on both sides of a split, and neither does a song: artists
//! who share a track, and tracks that are one song, are one *group*, and groups are what is split.

use std::collections::{BTreeMap, BTreeSet};

use classifier::Catalogue;

use crate::data::{Listener, Ratings};
use crate::random::Chance;

/// From so many listeners on the halves are of listeners; below, of each listener's artists.
const LISTENERS_MIN: usize = 8;
/// The most ratings that one draw is judged on.
const JUDGED_MAX: usize = 600;

/// Ratings that hyper-parameters are chosen on, and ratings that judge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Halves {
    /// For the choice of hyper-parameters, and for priors.
    pub tuning: Vec<Listener>,
    /// For the judgement.
    pub judging: Vec<Listener>,
    /// Whether the halves are of listeners (or of each listener's artists).
    pub by_listener: bool,
}

/// One listener's ratings and one draw of what is learned from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unit {
    /// An index into the listeners of a half.
    pub listener: usize,
    /// Which draw.
    pub draw: usize,
}

/// What is learned from, in its order, and what is judged on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course {
    /// Learned from, the first first. One track a song.
    pub learn: Vec<(u32, bool)>,
    /// Those of `learn` that are the first of their group: each is predicted before it is learned.
    pub prequential: Vec<(u32, bool)>,
    /// Judged on, of other groups than all of `learn`. One track a song.
    pub judge: Vec<(u32, bool)>,
}

impl Halves {
    /// Splits ratings by `seed`.
    #[must_use]
    pub fn split(ratings: &Ratings, seed: u64) -> Self {
        let mut chance = Chance::of(seed, "halves of ratings");
        if ratings.listeners.len() >= LISTENERS_MIN {
            return Self::of_listeners(ratings, &mut chance);
        }
        let groups = groups(&ratings.catalogue);
        let mut halves = Self {
            tuning: Vec::new(),
            judging: Vec::new(),
            by_listener: false,
        };
        for listener in &ratings.listeners {
            let (tuning, judging) = split_groups(&listener.rated, &groups, &mut chance);
            let named = |rated| Listener {
                name: listener.name.clone(),
                rated,
            };
            halves.tuning.push(named(tuning));
            halves.judging.push(named(judging));
        }
        halves
    }

    fn of_listeners(ratings: &Ratings, chance: &mut Chance) -> Self {
        let mut listeners = ratings.listeners.clone();
        chance.shuffle(&mut listeners);
        let judging = listeners.split_off(listeners.len() / 2);
        Self {
            tuning: listeners,
            judging,
            by_listener: true,
        }
    }
}

impl Course {
    /// Draws what is learned from and what is judged on.
    #[must_use]
    pub fn draw(catalogue: &Catalogue, listener: &Listener, unit: Unit, seed: u64) -> Self {
        let mut chance = Chance::of(seed, &format!("course {} {}", listener.name, unit.draw));
        let groups = groups(catalogue);
        let mut rated = once_a_song(catalogue, &listener.rated);
        chance.shuffle(&mut rated);
        let (learn, mut judge) = split_groups(&rated, &groups, &mut chance);
        judge.truncate(JUDGED_MAX);
        let mut seen = BTreeSet::new();
        let first = learn
            .iter()
            .filter(|(track, _)| seen.insert(groups[*track as usize]));
        Self {
            prequential: first.copied().collect(),
            learn,
            judge,
        }
    }
}

fn once_a_song(catalogue: &Catalogue, rated: &[(u32, bool)]) -> Vec<(u32, bool)> {
    let mut songs = BTreeSet::new();
    let mut rated = rated.to_vec();
    rated.retain(|(track, _)| songs.insert(catalogue.song(*track)));
    rated
}

type Rated = Vec<(u32, bool)>;

/// Each group to one of two sides, each kept in the order of `rated`.
fn split_groups(rated: &[(u32, bool)], groups: &[u32], chance: &mut Chance) -> (Rated, Rated) {
    let mut sides: BTreeMap<u32, bool> = rated
        .iter()
        .map(|(track, _)| (groups[*track as usize], false))
        .collect();
    for side in sides.values_mut() {
        *side = chance.coin();
    }
    rated
        .iter()
        .partition(|(track, _)| sides[&groups[*track as usize]])
}

/// A number for each track: equal for tracks that share an artist or are one song, also through others.
pub(crate) fn groups(catalogue: &Catalogue) -> Vec<u32> {
    let tracks = catalogue.len();
    let mut forest = Forest::of(tracks + catalogue.artist_count());
    let mut first_of_song = BTreeMap::new();
    for track in 0..tracks as u32 {
        for &artist in catalogue.artists_of(track) {
            forest.join(track as usize, tracks + artist as usize);
        }
        let first = *first_of_song.entry(catalogue.song(track)).or_insert(track);
        forest.join(track as usize, first as usize);
    }
    (0..tracks).map(|track| forest.root(track) as u32).collect()
}

/// Disjoint sets.
struct Forest(Vec<usize>);

impl Forest {
    fn of(members: usize) -> Self {
        Self((0..members).collect())
    }

    fn root(&mut self, member: usize) -> usize {
        let mut at = member;
        while self.0[at] != at {
            self.0[at] = self.0[self.0[at]];
            at = self.0[at];
        }
        at
    }

    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.root(one), self.root(other));
        self.0[one.max(other)] = one.min(other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn artists(ratings: &Ratings, rated: &[(u32, bool)]) -> BTreeSet<u32> {
        let of = |track: u32| ratings.catalogue.artists_of(track).iter().copied();
        rated.iter().flat_map(|(track, _)| of(*track)).collect()
    }

    fn songs(ratings: &Ratings, rated: &[(u32, bool)]) -> BTreeSet<u32> {
        rated
            .iter()
            .map(|(track, _)| ratings.catalogue.song(*track))
            .collect()
    }

    #[test]
    fn no_artist_and_no_song_stands_on_both_sides() {
        let ratings = testing::ratings(1, 600);
        let apart = |one: &[(u32, bool)], other: &[(u32, bool)]| {
            assert!(!one.is_empty() && !other.is_empty());
            assert!(artists(&ratings, one).is_disjoint(&artists(&ratings, other)));
            assert!(songs(&ratings, one).is_disjoint(&songs(&ratings, other)));
        };
        let halves = Halves::split(&ratings, 7);
        apart(&halves.tuning[0].rated, &halves.judging[0].rated);
        for draw in 0..5 {
            let unit = Unit { listener: 0, draw };
            let course = Course::draw(&ratings.catalogue, &halves.judging[0], unit, 7);
            apart(&course.learn, &course.judge);
            assert_eq!(songs(&ratings, &course.learn).len(), course.learn.len());
            let first = artists(&ratings, &course.prequential);
            assert!(course.prequential.len() <= first.len() && first == artists(&ratings, &course.learn));
        }
    }

    #[test]
    fn a_track_of_two_artists_keeps_both_on_one_side() {
        let catalogue = testing::catalogue(&[
            ("a", "X", "One"),
            ("b", "Y", "Two"),
            ("c", "X;Y", "Three"),
            ("d", "Z", "One"),
        ]);
        let groups = groups(&catalogue);
        assert_eq!([groups[0], groups[2]], [groups[1], groups[1]]);
        assert_ne!(groups[3], groups[0]);
    }

    #[test]
    fn many_listeners_are_halved_by_listener() {
        let ratings = testing::ratings(10, 60);
        let halves = Halves::split(&ratings, 7);
        assert!(halves.by_listener);
        let names = |half: &[Listener]| {
            half.iter()
                .map(|listener| listener.name.clone())
                .collect::<BTreeSet<_>>()
        };
        assert_eq!((halves.tuning.len(), halves.judging.len()), (5, 5));
        assert!(names(&halves.tuning).is_disjoint(&names(&halves.judging)));
    }

    #[test]
    fn another_seed_splits_otherwise() {
        let ratings = testing::ratings(1, 600);
        assert_eq!(Halves::split(&ratings, 7), Halves::split(&ratings, 7));
        assert_ne!(Halves::split(&ratings, 7), Halves::split(&ratings, 8));
        let draw = |draw, seed| {
            Course::draw(
                &ratings.catalogue,
                &ratings.listeners[0],
                Unit { listener: 0, draw },
                seed,
            )
        };
        assert_eq!(draw(0, 7), draw(0, 7));
        assert_ne!(draw(0, 7), draw(0, 8));
        assert_ne!(draw(0, 7), draw(1, 7));
    }
}
