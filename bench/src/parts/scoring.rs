//! Scoring a whole catalogue on one thread, beside the machine's memory and linfa's `predict_proba`.

use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Result;
use classifier::model::Quadratic;
use classifier::score::score_columns;
use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_bayes::{GaussianNb, NaiveBayes};
use ndarray::{Array1, Array2, Axis};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Setting;
use super::limits::read_bytes_per_second;
use crate::cpu::CpuWatch;
use crate::numbers::{millis, thousands};
use crate::report::Row;

const FEATURES: usize = 12;
/// Rows a block: small enough for the cache, which is the kinder way to run linfa.
const BLOCK: usize = 4_096;
/// Rows the model is fitted to.
const FITTED: usize = 2_000;

/// Runs the part.
///
/// # Errors
/// When linfa refuses the data.
pub fn run(setting: &Setting) -> Result<Vec<Row>> {
    let tracks = setting.pick(200_000, 1_000_000);
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let columns: Vec<f32> = (0..tracks * FEATURES)
        .map(|_| random.random_range(-4.0..4.0))
        .collect();
    let watch = CpuWatch::start();
    let took = score(&columns, tracks, setting.pick(5, 30));
    let rate = size_of_val(columns.as_slice()) as f64 / took.as_secs_f64();
    let memory = read_bytes_per_second(&columns, setting.pick(5, 30));
    let what = format!(
        "scoring {} tracks x {FEATURES} features, one thread",
        thousands(tracks as f64)
    );
    let row = Row::new(
        what.clone(),
        format!("{} ({:.1} GB/s)", millis(took), rate / 1e9),
        watch.others(),
    );
    let mut rows = vec![
        row.beside(format!("memory read: {:.1} GB/s", memory / 1e9), rate / memory)
            .reach("ratio >= 0.6"),
    ];

    let watch = CpuWatch::start();
    let (blocks, whole) = linfa(&columns, tracks)?;
    for (peer, took_by, reach) in [("in blocks of 4,096 rows", blocks, 20), ("run whole", whole, 50)] {
        let row = Row::new(what.clone(), millis(took), watch.others());
        let ratio = took_by.as_secs_f64() / took.as_secs_f64();
        let peer = format!("linfa predict_proba {peer}: {}", millis(took_by));
        rows.push(row.beside(peer, ratio).reach(format!(">= {reach} times as fast")));
    }
    rows.extend(scikit_learn(tracks, took, what)?);
    Ok(rows)
}

/// scikit-learn's `GaussianNB.predict_proba`, where the Python that `SEGUE_BENCH_PYTHON` names (or `python3`) has it.
#[expect(clippy::print_stdout, reason = "tells which row is missing")]
fn scikit_learn(tracks: usize, took: Duration, what: String) -> Result<Vec<Row>> {
    let python = std::env::var("SEGUE_BENCH_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/scikit-learn/gaussian_nb.py");
    let watch = CpuWatch::start();
    let arguments = [
        script.to_owned(),
        tracks.to_string(),
        FEATURES.to_string(),
        "3".to_owned(),
    ];
    let one_thread = [("OMP_NUM_THREADS", "1"), ("OPENBLAS_NUM_THREADS", "1")];
    let ran = Command::new(python).args(arguments).envs(one_thread).output();
    let Some(output) = ran.ok().filter(|output| output.status.success()) else {
        println!("scikit-learn is not installed: its row is left out");
        return Ok(Vec::new());
    };
    let text = String::from_utf8(output.stdout)?;
    let times = text.split_whitespace().map(str::parse::<f64>);
    let times = times.collect::<Result<Vec<_>, _>>()?;
    let rows = ["in blocks of 4,096 rows", "run whole"]
        .iter()
        .zip(times)
        .map(|(how, milliseconds)| {
            let ratio = milliseconds / 1_000.0 / took.as_secs_f64();
            let peer = format!("scikit-learn predict_proba {how}: {milliseconds:.0} ms");
            Row::new(what.clone(), millis(took), watch.others()).beside(peer, ratio)
        });
    Ok(rows.collect())
}

/// The best of several rounds.
fn score(columns: &[f32], tracks: usize, rounds: usize) -> Duration {
    let terms: Vec<Quadratic> = (0..FEATURES)
        .map(|j| Quadratic {
            constant: 0.0,
            linear: 0.3 - 0.05 * j as f64,
            quadratic: 0.02 * j as f64 - 0.1,
        })
        .collect();
    let mut scores = vec![0.0; tracks];
    let rounds = (0..rounds).map(|_| {
        let began = Instant::now();
        score_columns(black_box(columns), &terms, &mut scores);
        black_box(&scores);
        began.elapsed()
    });
    rounds.min().unwrap_or_default()
}

/// How long linfa takes in blocks and whole.
fn linfa(columns: &[f32], tracks: usize) -> Result<(Duration, Duration)> {
    let rows = Array2::from_shape_fn((tracks, FEATURES), |(i, j)| f64::from(columns[j * tracks + i]));
    let fitted = rows.slice(ndarray::s![..FITTED, ..]).to_owned();
    let labels: Array1<usize> = (0..FITTED).map(|i| usize::from(fitted[[i, 0]] > 0.0)).collect();
    let model = GaussianNb::<f64, usize>::params().fit(&DatasetBase::new(fitted, labels))?;
    let began = Instant::now();
    for block in rows.axis_chunks_iter(Axis(0), BLOCK) {
        black_box(model.predict_proba(block));
    }
    let blocks = began.elapsed();
    let began = Instant::now();
    black_box(model.predict_proba(rows.view()));
    Ok((blocks, began.elapsed()))
}
