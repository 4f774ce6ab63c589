//! Measures Segue and prints a table.
//!
//! `cargo run --release -p bench` runs everything; `--quick` runs small versions of all parts in a few minutes, to
//! see whether they run; naming parts runs only those. Results are printed and, with `--write`, kept; never asserted.

#![expect(clippy::print_stdout, reason = "a command prints its result")]

use std::path::PathBuf;

use anyhow::{Context, Result};
use bench::parts::{self, Setting};
use bench::report::{Row, TABLE_HEAD, machine, page};
use bench::server::release_binary;
use clap::{Parser, ValueEnum};

/// Measures Segue on this machine.
#[derive(Debug, Parser)]
struct Arguments {
    /// What to measure; everything when absent.
    #[arg(value_enum)]
    parts: Vec<Part>,
    /// Small and short: to see whether everything runs, not to judge anything.
    #[arg(long)]
    quick: bool,
    /// Writes the table to this file, for example docs/benchmarks.md.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Where data folders are made: the disk that is measured.
    #[arg(long, value_name = "DIR", default_value_os_t = std::env::temp_dir())]
    folder: PathBuf,
    /// The folder of real data; absent, what needs it is left out.
    #[arg(long, value_name = "DIR", default_value = "../shared/data")]
    data: PathBuf,
    /// Events of the long log; 10,000,000 take about 6 GB of disk and a quarter of an hour.
    #[arg(long, value_name = "N")]
    long: Option<u64>,
    /// Serves an echo of so many bytes: the peer that other parts start.
    #[arg(long, hide = true)]
    echo: Option<usize>,
}

/// A part of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Durable commands through HTTP.
    Commands,
    /// The same with the log on PostgreSQL, beside a plain cqrs-es service.
    Postgres,
    /// How soon views show what was acknowledged, with the log on PostgreSQL and all else in one process.
    PostgresLag,
    /// Events appended by the log alone.
    Appends,
    /// What the log's Merkle tree costs appends, and how long a proof takes.
    Audit,
    /// Playlists, requested to ready.
    Playlists,
    /// Rebuild of all views.
    Rebuild,
    /// An export and the live log verified.
    Verify,
    /// Cost of a command on a long log.
    Growth,
    /// Sign-ins beside Argon2 alone.
    Signins,
    /// Reads beside an echo.
    Reads,
    /// Scoring beside memory, linfa and scikit-learn.
    Scoring,
    /// A playlist made in memory, on one thread.
    Generation,
    /// Smooth orders beside greedy ones.
    Arrangement,
    /// Durable commands through HTTP on the whole production stack.
    ClusterCommands,
    /// Playlists, requested to ready, on the whole production stack.
    ClusterPlaylists,
    /// Messages from the log to the broker and from there to the views.
    ClusterFlow,
    /// The same as `postgres-lag` on the whole production stack.
    ClusterLag,
    /// Playlists a second with 1, 2 and 4 classifiers.
    ClusterReplicas,
    /// Starts, idle processes, and the program's size.
    Operations,
    /// The whole production stack while it is scaled and each process is replaced.
    Scale,
}

/// Events of the long log.
const LONG: u64 = 10_000_000;
const LONG_QUICK: u64 = 50_000;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let Some(bytes) = arguments.echo {
        return parts::limits::serve_echo(bytes).await;
    }
    let setting = Setting {
        binary: release_binary()?,
        folder: arguments.folder.clone(),
        data: arguments.data.clone(),
        quick: arguments.quick,
    };
    println!("{}\nbinary: {}", machine(), setting.binary.display());
    if cfg!(debug_assertions) {
        println!("NOTE: built without optimisation; the numbers say nothing");
    }
    let rows = measure(&arguments, &setting).await?;
    let command = format!(
        "cargo run --release -p bench --{}",
        std::env::args()
            .skip(1)
            .map(|a| format!(" {a}"))
            .collect::<String>()
    );
    let page = page(
        &chrono::Utc::now().format("%Y-%m-%d").to_string(),
        &command,
        &rows,
    );
    println!("\n{page}");
    if let Some(path) = arguments.write {
        std::fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Runs the parts one after the other and prints each row as soon as it is there.
async fn measure(arguments: &Arguments, setting: &Setting) -> Result<Vec<Row>> {
    let chosen = if arguments.parts.is_empty() {
        Part::value_variants()
    } else {
        &arguments.parts
    };
    let long = arguments.long.unwrap_or(setting.pick(LONG_QUICK, LONG));
    let mut rows = Vec::new();
    for part in chosen {
        println!("\n== {part:?}");
        let measured = run(*part, setting, long)
            .await
            .with_context(|| format!("{part:?}"))?;
        println!("{TABLE_HEAD}");
        for row in &measured {
            println!("{}", row.markdown());
        }
        rows.extend(measured);
    }
    Ok(rows)
}

async fn run(part: Part, setting: &Setting, long: u64) -> Result<Vec<Row>> {
    match part {
        Part::Commands => parts::commands::run(setting).await,
        Part::Postgres => parts::postgres::run(setting).await,
        Part::PostgresLag => parts::lag::run(setting).await,
        Part::Appends => parts::appends::run(setting).await,
        Part::Audit => parts::audit::run(setting).await,
        Part::Playlists => parts::playlists::run(setting).await,
        Part::Rebuild => parts::rebuild::run(setting).await,
        Part::Verify => parts::verify::run(setting).await,
        Part::Growth => parts::growth::run(setting, long).await,
        Part::Signins => parts::signins::run(setting).await,
        Part::Reads => parts::reads::run(setting).await,
        Part::Scoring => parts::scoring::run(setting),
        Part::Generation => parts::generation::run(setting),
        Part::Arrangement => parts::arrangement::run(setting),
        Part::ClusterCommands => parts::cluster::commands::run(setting).await,
        Part::ClusterPlaylists => parts::cluster::playlists::run(setting).await,
        Part::ClusterFlow => parts::cluster::flow::run(setting).await,
        Part::ClusterLag => parts::cluster::lag::run(setting).await,
        Part::ClusterReplicas => parts::cluster::replicas::run(setting).await,
        Part::Operations => parts::operations::run(setting).await,
        Part::Scale => parts::scale::run(setting).await,
    }
}
