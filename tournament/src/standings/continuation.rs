//! The standing of the contest of continuing playlists.

use std::collections::{BTreeMap, BTreeSet};

use classifier::Catalogue;
use serde::Serialize;

use super::ranked::{Against, against};
use crate::contest::Held;
use crate::continuation::{Continuing, Ranked};
use crate::data::Collection;
use crate::metrics::{gini, largest_share};
use crate::models::continuation::{CONTESTANTS, registry};
use crate::splits::Protocol;
use crate::stats::{Estimate, bootstrap, mean};

/// Both protocols, and what they stand on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ContinuationStanding {
    /// The digest of the catalogue's and the memberships' files.
    pub digest: String,
    /// Tracks that were ranked.
    pub tracks: usize,
    /// Playlists that contestants knew and were tuned on.
    pub known: usize,
    /// Playlists that judged.
    pub judged: usize,
    /// Four fifths shown, then five songs shown.
    pub protocols: Vec<ProtocolStanding>,
}

/// One protocol.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProtocolStanding {
    /// Which.
    pub protocol: Protocol,
    /// The contestants, the highest gain first.
    pub rows: Vec<ContinuationRow>,
}

/// One contestant.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ContinuationRow {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub what: &'static str,
    /// The setting chosen on the known half.
    pub setting: String,
    /// Playlists are made with it.
    pub used: bool,
    /// Whose ablation it is.
    pub ablates: Option<&'static str>,
    /// The share of the hidden songs found in as many places.
    pub r_precision: Estimate,
    /// The normalised discounted cumulative gain in 500 places.
    pub ndcg: Estimate,
    /// Pages of ten before the first hit, 51 for none.
    pub clicks: Estimate,
    /// Against the used one, in [`ContinuationRow::ndcg`].
    pub against: Option<Against>,
    /// The share of the most frequent artist in the first 50 places, on the average.
    pub artist_share: f64,
    /// The share of the catalogue's songs that stand in any first 50 places.
    pub coverage: f64,
    /// How unequally artists share all first 50 places: 0 equally, 1 one has all.
    pub artist_gini: f64,
}

/// A contestant's outcomes by playlist.
type ByPlaylist<'a> = BTreeMap<&'a str, Vec<&'a Ranked>>;

impl ContinuationStanding {
    pub(crate) fn of(contest: &Continuing<'_>, collection: &Collection, held: &Held, seed: u64) -> Self {
        let protocols: Vec<ProtocolStanding> = [Protocol::Most, Protocol::Few]
            .into_iter()
            .map(|protocol| ProtocolStanding::of(contest.catalogue(), held, protocol, seed))
            .collect();
        let judged: BTreeSet<&str> = held
            .outcomes
            .iter()
            .flatten()
            .map(|outcome| outcome.ranked().playlist.as_str())
            .collect();
        Self {
            digest: collection.digest.to_string(),
            tracks: collection.catalogue.len(),
            known: contest.halves.known.len(),
            judged: judged.len(),
            protocols,
        }
    }
}

impl ProtocolStanding {
    fn of(catalogue: &Catalogue, held: &Held, protocol: Protocol, seed: u64) -> Self {
        let by_playlist: Vec<ByPlaylist<'_>> = held
            .outcomes
            .iter()
            .map(|outcomes| {
                let mut playlists = ByPlaylist::new();
                let ranked = outcomes.iter().map(|outcome| outcome.ranked());
                for ranked in ranked.filter(|ranked| ranked.protocol == protocol) {
                    playlists.entry(&ranked.playlist).or_default().push(ranked);
                }
                playlists
            })
            .collect();
        let values: Vec<Vec<f64>> = by_playlist
            .iter()
            .map(|playlists| each(playlists, |ranked| ranked.ndcg))
            .collect();
        let used = CONTESTANTS
            .iter()
            .position(|c| c.name == registry::USED)
            .expect("the used one takes part");
        let against = against(&values, used, seed);
        let exposure = Exposure::of(catalogue);
        let mut rows: Vec<ContinuationRow> = (0..CONTESTANTS.len())
            .map(|index| {
                row(
                    index,
                    held.settings[index],
                    &by_playlist[index],
                    against[index],
                    &exposure,
                    seed,
                )
            })
            .collect();
        rows.sort_by(|a, b| b.ndcg.mean.total_cmp(&a.ndcg.mean));
        Self { protocol, rows }
    }

    /// The one that playlists are made with.
    ///
    /// # Panics
    /// Never: it takes part.
    #[must_use]
    pub fn used(&self) -> &ContinuationRow {
        self.rows
            .iter()
            .find(|row| row.used)
            .expect("the used one takes part")
    }
}

fn each(playlists: &ByPlaylist<'_>, of: impl Fn(&Ranked) -> f64) -> Vec<f64> {
    playlists
        .values()
        .map(|cuts| mean(&cuts.iter().map(|ranked| of(ranked)).collect::<Vec<_>>()))
        .collect()
}

fn row(
    index: usize,
    setting: usize,
    playlists: &ByPlaylist<'_>,
    against: Option<Against>,
    exposure: &Exposure<'_>,
    seed: u64,
) -> ContinuationRow {
    let contestant = &CONTESTANTS[index];
    let estimate = |of: fn(&Ranked) -> f64| bootstrap(&each(playlists, of), seed);
    let lists: Vec<&[u32]> = playlists
        .values()
        .flatten()
        .map(|ranked| ranked.first.as_slice())
        .collect();
    ContinuationRow {
        name: contestant.name,
        what: contestant.what,
        setting: contestant.grid[setting].text(),
        used: contestant.name == registry::USED,
        ablates: contestant.ablates,
        r_precision: estimate(|ranked| ranked.r_precision),
        ndcg: estimate(|ranked| ranked.ndcg),
        clicks: estimate(|ranked| ranked.clicks),
        against,
        artist_share: exposure.artist_share(&lists),
        coverage: exposure.coverage(&lists),
        artist_gini: exposure.artist_gini(&lists),
    }
}

/// Who is shown in many lists.
struct Exposure<'a> {
    catalogue: &'a Catalogue,
    songs: usize,
}

impl<'a> Exposure<'a> {
    fn of(catalogue: &'a Catalogue) -> Self {
        let songs: BTreeSet<u32> = (0..catalogue.len() as u32)
            .map(|track| catalogue.song(track))
            .collect();
        Self {
            catalogue,
            songs: songs.len(),
        }
    }

    /// The first artist of each track.
    fn artists(&self, list: &[u32]) -> Vec<u32> {
        list.iter()
            .map(|&track| self.catalogue.artists_of(track)[0])
            .collect()
    }

    fn artist_share(&self, lists: &[&[u32]]) -> f64 {
        mean(
            &lists
                .iter()
                .map(|list| largest_share(&self.artists(list)))
                .collect::<Vec<_>>(),
        )
    }

    fn coverage(&self, lists: &[&[u32]]) -> f64 {
        let shown: BTreeSet<u32> = lists
            .iter()
            .copied()
            .flatten()
            .map(|&track| self.catalogue.song(track))
            .collect();
        shown.len() as f64 / self.songs.max(1) as f64
    }

    fn artist_gini(&self, lists: &[&[u32]]) -> f64 {
        let mut counts = vec![0; self.catalogue.artist_count()];
        for artist in lists.iter().flat_map(|list| self.artists(list)) {
            counts[artist as usize] += 1;
        }
        gini(&counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn exposure_against_numbers_worked_out_by_hand() {
        let catalogue = testing::catalogue(&[
            ("a", "X", "One"),
            ("b", "X", "Two"),
            ("c", "Y", "Three"),
            ("d", "Z", "Four"),
        ]);
        let exposure = Exposure::of(&catalogue);
        let lists: [&[u32]; 2] = [&[0, 1, 2, 2], &[0, 0]];
        assert_eq!(exposure.artist_share(&lists), (0.5 + 1.0) / 2.0);
        assert_eq!(exposure.coverage(&lists), 0.75);
        // X 4, Y 2, Z 0.
        assert!((exposure.artist_gini(&lists) - 4.0 / 9.0).abs() < 1e-12);
    }
}
