//! What a smooth order saves against the greedy one, how long it takes, and how long the choice with diversity takes.
//!
//! `cargo run --release -p classifier --example arrangement -- [DATA/spotify]`
//!
//! Random playlists of 50, 100 and 500 tracks, at most 3 of an artist, from the made-up catalogue, and with a folder from that
//! one, as well as the real playlists in it (their songs, once each, the first 50). The data judge and train nothing.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use classifier::v2::diversity::diversify;
use classifier::v2::sequence::arrange;
use classifier::{Catalogue, catalogue, generator};
use domain::{Arc, Order, TrackId};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

const PLAYLISTS: usize = 60;
const PER_ARTIST_MAX: usize = 3;
const REAL_TRACKS: std::ops::RangeInclusive<usize> = 20..=50;

type Failed = Box<dyn std::error::Error>;

fn main() -> Result<(), Failed> {
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "playlists, arc: saved against greedy (median, worst); time (fastest, median)"
    )?;
    let made_up = generator::catalogue(20_000, 42);
    for tracks in [50, 100, 500] {
        let playlists: Vec<_> = (0..PLAYLISTS as u64)
            .map(|seed| drawn(&made_up, tracks, seed))
            .collect();
        report(&mut out, &format!("{tracks} made up"), &made_up, &playlists)?;
    }
    choices(&mut out, &made_up)?;
    if let Some(folder) = std::env::args().nth(1) {
        let folder = Path::new(&folder);
        let file = File::open(folder.join("catalogue.csv.gz"))?;
        let catalogue = catalogue::read_csv(file, None, &mut |_| {})?.catalogue;
        report(&mut out, "real, up to 50", &catalogue, &real(folder, &catalogue)?)?;
        for tracks in [50, 500] {
            let playlists: Vec<_> = (0..PLAYLISTS as u64)
                .map(|seed| drawn(&catalogue, tracks, seed))
                .collect();
            report(
                &mut out,
                &format!("{tracks} of the real catalogue"),
                &catalogue,
                &playlists,
            )?;
        }
    }
    Ok(())
}

/// Random tracks, one per song and at most so many of an artist.
fn drawn(catalogue: &Catalogue, tracks: usize, seed: u64) -> Vec<u32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut counts = BTreeMap::new();
    let mut songs = HashSet::new();
    let mut chosen = Vec::new();
    while chosen.len() < tracks {
        let track = (rng.next_u64() % catalogue.len() as u64) as u32;
        let count = counts.entry(catalogue.artists_of(track)[0]).or_insert(0);
        if *count < PER_ARTIST_MAX && songs.insert(catalogue.song(track)) {
            *count += 1;
            chosen.push(track);
        }
    }
    chosen
}

fn real(folder: &Path, catalogue: &Catalogue) -> Result<Vec<Vec<u32>>, Failed> {
    let file = flate2::read::GzDecoder::new(File::open(folder.join("playlist_tracks.csv.gz"))?);
    let mut members: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for record in csv::Reader::from_reader(file).deserialize() {
        let (playlist, track): (String, String) = record?;
        members
            .entry(playlist)
            .or_default()
            .extend(catalogue.index_of(&TrackId::parse(track)?));
    }
    let mut playlists: Vec<Vec<u32>> = members.into_values().collect();
    for tracks in &mut playlists {
        let mut songs = HashSet::new();
        tracks.retain(|&track| songs.insert(catalogue.song(track)));
        tracks.truncate(*REAL_TRACKS.end());
    }
    playlists.retain(|tracks| REAL_TRACKS.contains(&tracks.len()));
    Ok(playlists)
}

#[expect(clippy::disallowed_methods, reason = "a measurement needs a clock")]
fn report(out: &mut impl Write, name: &str, catalogue: &Catalogue, playlists: &[Vec<u32>]) -> io::Result<()> {
    for arc in [None, Some(Arc::Flat), Some(Arc::Rise), Some(Arc::Peak)] {
        let mut saved = Vec::new();
        let mut times = Vec::new();
        for playlist in playlists {
            let mut tracks: Vec<(u32, f64)> = playlist.iter().map(|&track| (track, 0.0)).collect();
            let started = Instant::now();
            let arrangement = arrange(catalogue, Order::Smooth, arc, 0, &mut tracks);
            times.push(started.elapsed());
            saved.extend(arrangement.map(|it| 1.0 - it.objective / it.greedy));
        }
        saved.sort_unstable_by(f64::total_cmp);
        times.sort_unstable();
        let arc = arc.map_or("none".to_owned(), |arc| format!("{arc:?}").to_lowercase());
        writeln!(
            out,
            "{:>3} x {name}, {arc}: {:.1}%, {:.1}%; {:.2} ms, {:.2} ms",
            playlists.len(),
            100.0 * saved[saved.len() / 2],
            100.0 * saved[0],
            ms(times[0]),
            ms(times[times.len() / 2]),
        )?;
    }
    Ok(())
}

/// Times the choice of 500 among 2,000.
#[expect(clippy::disallowed_methods, reason = "a measurement needs a clock")]
fn choices(out: &mut impl Write, catalogue: &Catalogue) -> io::Result<()> {
    let mut times = Vec::new();
    for seed in 0..PLAYLISTS as u64 {
        let scores = (0u32..).map(|place| -f64::from(place) / 1_000.0);
        let candidates: Vec<(u32, f64)> = drawn(catalogue, 2_000, seed).into_iter().zip(scores).collect();
        let started = Instant::now();
        let chosen = diversify(catalogue, &candidates, 500, 3);
        times.push(started.elapsed());
        assert_eq!(chosen.len(), 500);
    }
    times.sort_unstable();
    let (fastest, median) = (ms(times[0]), ms(times[times.len() / 2]));
    writeln!(out, "500 chosen of 2,000: {fastest:.2} ms, {median:.2} ms")
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
