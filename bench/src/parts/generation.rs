//! Making a playlist in memory, on one thread: scores, filters, selection, order, and what a rating costs.

use std::hint::black_box;
use std::time::Instant;

use anyhow::{Result, ensure};
use classifier::{
    BaseModel, Catalogue, Evidence, GeneratorVersion, Rated, TasteInput, TasteState, generate_playlist,
    generator,
};
use domain::{Order, PlaylistRequest, Rating};

use super::Setting;
use crate::cpu::CpuWatch;
use crate::numbers::{Latencies, thousands};
use crate::report::Row;

/// Ratings of the listener.
const RATED: u32 = 200;

/// Runs the part.
///
/// # Errors
/// When a playlist comes out too short.
pub fn run(setting: &Setting) -> Result<Vec<Row>> {
    let catalogue = generator::catalogue(setting.pick(50_000, 1_000_000), 1);
    let listener = listener(&catalogue);
    let rounds = setting.pick(5, 100);
    let mut rows = Vec::new();
    for (limit, order) in [(500, Order::Score), (50, Order::Score), (50, Order::Smooth)] {
        let request = PlaylistRequest {
            limit,
            order,
            ..PlaylistRequest::default()
        };
        let watch = CpuWatch::start();
        let latencies = generate(&catalogue, &listener, &request, rounds)?;
        let tracks = thousands(catalogue.len() as f64);
        let order = if order == Order::Smooth {
            "smooth"
        } else {
            "by score"
        };
        let what = format!(
            "{tracks} tracks scored, filtered, {limit} selected, {order}; {RATED} ratings, one thread"
        );
        let row = Row::new(what, latencies.p50_p99(), watch.others());
        rows.push(if limit == 500 {
            row.reach("p99 < 25 ms")
        } else {
            row
        });
    }
    rows.push(rating(&catalogue, setting.pick(1_000, 100_000)));
    Ok(rows)
}

fn listener(catalogue: &Catalogue) -> TasteInput {
    let mut listener = TasteInput::default();
    for number in 0..RATED {
        // Spread over the whole catalogue.
        let track = number * (catalogue.len() as u32 / RATED);
        let rating = if number % 3 == 0 {
            Rating::Dislike
        } else {
            Rating::Like
        };
        listener.taste.add(&catalogue.describe(track), rating);
        listener.ratings.insert(
            catalogue.id(track),
            Rated {
                rating,
                at_ms: i64::from(number),
            },
        );
    }
    listener
}

fn generate(
    catalogue: &Catalogue,
    listener: &TasteInput,
    request: &PlaylistRequest,
    rounds: usize,
) -> Result<Latencies> {
    let base = BaseModel::neutral(catalogue.schema());
    let evidence = Evidence {
        catalogue,
        base: &base,
        companions: None,
        listener,
        listener_version: 1,
    };
    let mut latencies = Latencies::default();
    for _ in 0..rounds {
        let began = Instant::now();
        let playlist = black_box(generate_playlist(GeneratorVersion::CURRENT, &evidence, request)?);
        latencies.push(began.elapsed());
        ensure!(
            playlist.returned == request.limit,
            "only {} tracks",
            playlist.returned
        );
    }
    Ok(latencies)
}

/// Ratings counted into the sums, each of another track.
fn rating(catalogue: &Catalogue, ratings: u32) -> Row {
    let described: Vec<_> = (0..1_000).map(|track| catalogue.describe(track)).collect();
    let watch = CpuWatch::start();
    let mut taste = TasteState::default();
    let mut latencies = Latencies::default();
    for number in 0..ratings {
        let began = Instant::now();
        taste.add(&described[number as usize % described.len()], Rating::Like);
        latencies.push(began.elapsed());
    }
    black_box(&taste);
    Row::new(
        "a rating counted into the listener's sums",
        latencies.p50_p99(),
        watch.others(),
    )
    .reach("< 1 ms")
}
