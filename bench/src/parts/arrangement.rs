//! What a smooth order saves against the greedy one, and how long it takes, on made-up and on real playlists.

use std::collections::HashSet;
use std::fs::File;
use std::time::Instant;

use anyhow::Result;
use classifier::v2::sequence::arrange;
use classifier::{Catalogue, catalogue, generator};
use domain::{Arc, Order, TrackId};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::Setting;
use crate::cpu::CpuWatch;
use crate::numbers::Latencies;
use crate::playlists::RealData;
use crate::report::Row;

/// The length of made-up playlists, and the most that is taken of a real one.
const TRACKS: usize = 50;
/// Shorter real playlists are left out: they are solved exactly.
const TRACKS_MIN: usize = 20;

/// Runs the part. Without a folder of real data there are rows of made-up playlists only.
///
/// # Errors
/// When the real data cannot be read.
pub fn run(setting: &Setting) -> Result<Vec<Row>> {
    let made_up = generator::catalogue(20_000, 42);
    let playlists = drawn(&made_up, setting.pick(5, 100));
    let mut rows = rows("50 made-up tracks", &made_up, &playlists);
    if let Some(data) = RealData::read(&setting.data)? {
        let catalogue = catalogue::read_csv(File::open(&data.catalogue_file)?, None, &mut |_| {})?.catalogue;
        let mut playlists = real(&data, &catalogue)?;
        playlists.truncate(setting.pick(5, usize::MAX));
        rows.extend(self::rows(
            "real playlists, 20 to 50 tracks",
            &catalogue,
            &playlists,
        ));
    }
    Ok(rows)
}

fn rows(name: &str, catalogue: &Catalogue, playlists: &[Vec<u32>]) -> Vec<Row> {
    [None, Some(Arc::Rise), Some(Arc::Peak)]
        .map(|arc| row(name, catalogue, playlists, arc))
        .into()
}

fn row(name: &str, catalogue: &Catalogue, playlists: &[Vec<u32>], arc: Option<Arc>) -> Row {
    let watch = CpuWatch::start();
    let mut latencies = Latencies::default();
    let mut ratios = Vec::with_capacity(playlists.len());
    for playlist in playlists {
        let mut tracks: Vec<(u32, f64)> = playlist.iter().map(|&track| (track, 0.0)).collect();
        let began = Instant::now();
        let arrangement = arrange(catalogue, Order::Smooth, arc, 0, &mut tracks);
        latencies.push(began.elapsed());
        ratios.extend(arrangement.map(|arrangement| arrangement.objective / arrangement.greedy));
    }
    ratios.sort_unstable_by(f64::total_cmp);
    let median = ratios.get(ratios.len() / 2).copied().unwrap_or(1.0);
    let arc = arc.map_or("no arc".to_owned(), |arc| {
        format!("arc {}", format!("{arc:?}").to_lowercase())
    });
    Row::new(
        format!(
            "{name} brought into a smooth order, {arc}; {} playlists",
            ratios.len()
        ),
        latencies.p50_p99(),
        watch.others(),
    )
    .beside("the greedy order's objective, on the median", median)
    .reach("< 10 ms; ratio <= 0.8")
}

/// Random playlists, a song once each.
fn drawn(catalogue: &Catalogue, count: usize) -> Vec<Vec<u32>> {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut tracks: Vec<u32> = (0..catalogue.len() as u32).collect();
    let mut draw = || {
        tracks.shuffle(&mut random);
        first_songs(catalogue, tracks.iter().copied())
    };
    (0..count).map(|_| draw()).collect()
}

/// The first songs of each playlist, which stand in the order of their ids.
fn real(data: &RealData, catalogue: &Catalogue) -> Result<Vec<Vec<u32>>> {
    let mut playlists = Vec::new();
    for ids in data.playlists.values() {
        let ids = ids.iter().map(|id| TrackId::parse(id.as_str()));
        let ids = ids.collect::<Result<Vec<TrackId>, _>>()?;
        let tracks = ids.iter().filter_map(|id| catalogue.index_of(id));
        playlists.push(first_songs(catalogue, tracks));
    }
    playlists.retain(|tracks| tracks.len() >= TRACKS_MIN);
    Ok(playlists)
}

fn first_songs(catalogue: &Catalogue, tracks: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut songs = HashSet::new();
    let new = tracks.filter(|&track| songs.insert(catalogue.song(track)));
    new.take(TRACKS).collect()
}
