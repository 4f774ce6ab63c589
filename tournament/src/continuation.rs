//! The contest of continuing playlists over a whole catalogue.

use std::collections::BTreeSet;

use classifier::Catalogue;
use classifier::evaluate::{DEPTH, Metrics, judge_tracks};
use classifier::topk::top_k;
use serde::{Deserialize, Serialize};

use crate::data::{Collection, Playlist};
use crate::discipline::{Chosen, Discipline, Entrant, Outcome, Phase, TakesPart, build, entrants};
use crate::extent::Extent;
use crate::models::Setting;
use crate::models::continuation::{CONTESTANTS, Contestant, Known, Ranking, Shown, World};
use crate::splits::{Challenge, PlaylistHalves, Protocol};
use crate::stats::mean;

/// Coverage and concentration are those of so many first places.
pub(crate) const LIST: usize = 50;
const PROTOCOLS: [Protocol; 2] = [Protocol::Most, Protocol::Few];

/// What a contestant reached on one playlist, cut once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ranked {
    pub(crate) playlist: String,
    pub(crate) protocol: Protocol,
    pub(crate) r_precision: f64,
    pub(crate) ndcg: f64,
    pub(crate) clicks: f64,
    /// The first [`LIST`] tracks; none while a setting is chosen.
    pub(crate) first: Vec<u32>,
}

/// Playlists, cut.
pub(crate) struct Continuing<'a> {
    catalogue: &'a Catalogue,
    pub(crate) halves: PlaylistHalves,
    known: Known,
    extent: Extent,
    seed: u64,
}

#[derive(Clone, Copy)]
struct Cut {
    playlist: usize,
    protocol: Protocol,
    draw: usize,
}

impl<'a> Continuing<'a> {
    pub(crate) fn new(collection: &'a Collection, extent: Extent, seed: u64) -> Self {
        let halves = PlaylistHalves::split(collection, seed);
        Self {
            catalogue: &collection.catalogue,
            known: Known::of(&collection.catalogue, &halves.known),
            halves,
            extent,
            seed,
        }
    }

    /// The tracks that are ranked.
    pub(crate) fn catalogue(&self) -> &'a Catalogue {
        self.catalogue
    }

    fn half(&self, phase: Phase) -> &[Playlist] {
        match phase {
            Phase::Tune => &self.halves.known,
            Phase::Judge => &self.halves.judged,
        }
    }

    fn cuts(&self, phase: Phase) -> Vec<Cut> {
        let playlists = self.half(phase).len().min(self.extent.playlists(phase));
        let mut cuts = Vec::new();
        for protocol in PROTOCOLS {
            for playlist in 0..playlists {
                cuts.extend((0..self.extent.cuts(phase)).map(|draw| Cut {
                    playlist,
                    protocol,
                    draw,
                }));
            }
        }
        cuts
    }
}

impl TakesPart for Contestant {
    type World<'a> = World<'a>;
    type Model<'a> = Ranking<'a>;

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

/// The best [`DEPTH`] songs that were not shown, one track each.
fn best(catalogue: &Catalogue, mut scores: Vec<f32>, shown: &BTreeSet<u32>) -> Vec<u32> {
    let mut is_out = vec![false; catalogue.len()];
    shown.iter().for_each(|&song| is_out[song as usize] = true);
    for (track, score) in scores.iter_mut().enumerate() {
        if is_out[catalogue.song(track as u32) as usize] {
            *score = f32::NEG_INFINITY;
        }
    }
    let mut depth = 2 * DEPTH;
    loop {
        let mut songs = BTreeSet::new();
        let mut tracks = top_k(&scores, depth);
        let is_all = tracks.len() < depth;
        tracks.retain(|&track| songs.insert(catalogue.song(track)));
        if is_all || tracks.len() >= DEPTH {
            tracks.truncate(DEPTH);
            return tracks;
        }
        depth *= 2;
    }
}

impl Discipline for Continuing<'_> {
    const NAME: &'static str = "continuation";

    fn entrants(&self) -> Vec<Entrant> {
        entrants(CONTESTANTS)
    }

    fn units(&self, phase: Phase) -> Vec<String> {
        let name = |cut: &Cut| {
            format!(
                "{} {:?} {}",
                self.half(phase)[cut.playlist].id,
                cut.protocol,
                cut.draw
            )
        };
        self.cuts(phase).iter().map(name).collect()
    }

    fn judge(&self, phase: Phase, entrant: usize, setting: usize, chosen: &Chosen, unit: usize) -> Outcome {
        let Cut {
            playlist,
            protocol,
            draw,
        } = self.cuts(phase)[unit];
        let world = World {
            catalogue: self.catalogue,
            known: &self.known,
            except: (phase == Phase::Tune).then_some(playlist),
            seed: self.seed,
        };
        let playlist = &self.half(phase)[playlist];
        let challenge = Challenge::draw(self.catalogue, playlist, protocol, draw, self.seed);
        let shown = Shown {
            liked: &challenge.liked,
            disliked: &challenge.disliked,
        };
        let scores = build(CONTESTANTS, world, entrant, setting, chosen).rank(shown);
        let ranking = best(self.catalogue, scores, &challenge.shown_songs(self.catalogue));
        let Metrics {
            r_precision,
            ndcg,
            clicks,
        } = judge_tracks(self.catalogue, &ranking, &challenge.hidden);
        let first = if phase == Phase::Tune { 0 } else { LIST };
        Outcome::Ranked(Ranked {
            playlist: playlist.id.clone(),
            protocol,
            r_precision,
            ndcg,
            clicks,
            first: ranking.into_iter().take(first).collect(),
        })
    }

    /// The gain over both protocols; between equals the share found.
    fn value(&self, outcomes: &[Outcome]) -> (f64, f64) {
        let of = |pick: fn(&Ranked) -> f64| {
            mean(
                &outcomes
                    .iter()
                    .map(|outcome| pick(outcome.ranked()))
                    .collect::<Vec<_>>(),
            )
        };
        (
            (of(|ranked| ranked.ndcg) * 1e9).round(),
            of(|ranked| ranked.r_precision),
        )
    }
}

impl Outcome {
    /// What was ranked.
    pub(crate) fn ranked(&self) -> &Ranked {
        match self {
            Self::Ranked(ranked) => ranked,
            Self::Learned(_) => unreachable!("a contest keeps its own outcomes"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::GRID_MAX;
    use crate::testing;

    #[test]
    fn every_ranking_is_over_the_whole_catalogue_and_has_no_nan() {
        let collection = testing::collection(12);
        let contest = Continuing::new(&collection, Extent::Quick, 1);
        let world = World {
            catalogue: contest.catalogue,
            known: &contest.known,
            except: None,
            seed: 1,
        };
        let liked = &collection.playlists[0].tracks[..5];
        for (number, contestant) in CONTESTANTS.iter().enumerate() {
            assert!(
                (1..=GRID_MAX).contains(&contestant.grid.len()),
                "{}",
                contestant.name
            );
            for setting in 0..contestant.grid.len() {
                for shown in [
                    Shown {
                        liked,
                        disliked: &[1, 2, 3],
                    },
                    Shown { liked, disliked: &[] },
                ] {
                    let scores = build(CONTESTANTS, world, number, setting, &Chosen::new()).rank(shown);
                    assert_eq!(scores.len(), collection.catalogue.len());
                    assert!(scores.iter().all(|score| !score.is_nan()), "{}", contestant.name);
                    assert!(
                        scores.iter().any(|score| score.is_finite()),
                        "{}",
                        contestant.name
                    );
                }
            }
        }
    }

    #[test]
    fn whoever_knows_artists_beats_chance() {
        let collection = testing::collection(12);
        let contest = Continuing::new(&collection, Extent::Quick, 1);
        let units: Vec<usize> = (0..contest.units(Phase::Judge).len()).collect();
        let gain = |name: &str| {
            let entrant = CONTESTANTS
                .iter()
                .position(|contestant| contestant.name == name)
                .unwrap();
            let judged = |&unit: &usize| {
                contest
                    .judge(Phase::Judge, entrant, 0, &Chosen::new(), unit)
                    .ranked()
                    .ndcg
            };
            mean(&units.iter().map(judged).collect::<Vec<_>>())
        };
        let chance = gain("random");
        for name in [
            "Segue, generator 1",
            "artist-kNN",
            "same artist + popularity",
            "blend",
        ] {
            assert!(gain(name) > 2.0 * chance, "{name}: {} {chance}", gain(name));
        }
    }

    #[test]
    fn a_judged_playlist_is_not_known() {
        let collection = testing::collection(12);
        let contest = Continuing::new(&collection, Extent::Quick, 1);
        let world = |except| World {
            catalogue: contest.catalogue,
            known: &contest.known,
            except,
            seed: 1,
        };
        let known = contest.halves.known.len();
        assert_eq!(world(Some(0)).songs().count(), known - 1);
        assert_eq!(world(Some(0)).artists().count(), known - 1);
        let own: BTreeSet<Vec<u32>> = Known::of(contest.catalogue, &contest.halves.judged)
            .songs
            .into_iter()
            .collect();
        assert!(world(None).songs().all(|songs| !own.contains(songs)));
    }

    #[test]
    fn a_ranking_has_each_song_once_and_none_that_was_shown() {
        let catalogue = testing::catalogue(&[
            ("a", "X", "One"),
            ("b", "X", "One"),
            ("c", "X", "Two"),
            ("d", "X", "Three"),
        ]);
        let shown = BTreeSet::from([catalogue.song(3)]);
        assert_eq!(best(&catalogue, vec![1.0, 2.0, 0.5, 9.0], &shown), [1, 2]);
    }
}
