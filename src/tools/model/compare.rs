//! `segue model compare`: holds a tournament of models on a person's own data and writes the report.
//!
//! Needs no server and no data folder. What was computed stands in a state file line by line, so that a run that is
//! interrupted goes on when it is started again.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::Context;
use tournament::data::{Collection, Ratings};
use tournament::{Extent, Inputs, compare, report};

use crate::cli::CompareArguments;
use crate::output::{Bar, Output, remark, table};

pub(super) fn run(output: Output, arguments: &CompareArguments) -> anyhow::Result<()> {
    let collection = arguments.playlists.as_deref().map(Collection::read).transpose()?;
    let schema = collection
        .as_ref()
        .map(|collection| collection.catalogue.schema());
    let ratings = arguments
        .ratings
        .as_deref()
        .map(|file| Ratings::read(file, schema))
        .transpose()?;
    let inputs = Inputs {
        ratings: ratings.as_ref(),
        collection: collection.as_ref(),
    };
    let extent = if arguments.quick {
        Extent::Quick
    } else {
        Extent::Full
    };
    let state = arguments
        .resume
        .clone()
        .unwrap_or_else(|| state_beside(&arguments.out));
    make_folder(&state)?;
    let bar = Mutex::new(Bar::of("cells"));
    let tell = |done, total| {
        // A bar that a panic left behind is still a bar.
        bar.lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .at(done, total);
    };
    let comparison = compare(inputs, extent, arguments.seed, &state, &tell)?;
    report::write(&comparison, &arguments.out)?;
    remark(&format!("the report is {}", arguments.out.display()));
    if arguments.resume.is_none() {
        std::fs::remove_file(&state).with_context(|| format!("{} cannot be removed", state.display()))?;
    }
    output.print(&comparison, text)
}

/// Where results stand until the report is written, unless `--resume` names a file, which is then kept.
fn state_beside(out: &Path) -> PathBuf {
    out.with_extension("state.jsonl")
}

fn make_folder(file: &Path) -> anyhow::Result<()> {
    match file.parent() {
        Some(folder) => {
            std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))
        }
        None => Ok(()),
    }
}

fn text(comparison: &tournament::standings::Comparison) -> String {
    let likes = comparison.likes.iter().map(|likes| {
        let row = |row: &tournament::standings::LikeRow| {
            let loss = row
                .log_loss
                .map_or_else(|| "-".to_owned(), |loss| format!("{:.3}", loss.mean));
            vec![marked(row.name, row.used), format!("{:.3}", row.auc.mean), loss]
        };
        let rows: Vec<Vec<String>> = likes.rows.iter().map(row).collect();
        table(&["like or dislike", "area under the curve", "log-loss"], &rows)
    });
    let playlists = comparison
        .continuation
        .iter()
        .flat_map(|continuation| &continuation.protocols);
    let playlists = playlists.map(|standing| {
        let row = |row: &tournament::standings::ContinuationRow| {
            let numbers = [row.r_precision.mean, row.ndcg.mean].map(|value| format!("{value:.3}"));
            let [r_precision, ndcg] = numbers;
            vec![
                marked(row.name, row.used),
                r_precision,
                ndcg,
                format!("{:.1}", row.clicks.mean),
            ]
        };
        let rows: Vec<Vec<String>> = standing.rows.iter().map(row).collect();
        let shown = match standing.protocol {
            tournament::splits::Protocol::Most => "four fifths shown",
            tournament::splits::Protocol::Few => "five songs shown",
        };
        table(&[shown, "R-precision", "NDCG@500", "clicks"], &rows)
    });
    likes.chain(playlists).collect::<Vec<_>>().join("\n\n")
}

fn marked(name: &str, used: bool) -> String {
    if used {
        format!("{name} (used)")
    } else {
        name.to_owned()
    }
}
