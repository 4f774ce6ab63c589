//! `segue model compare`: from files to a report, without a server and without a data folder.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use bench::server::Program;
use tempfile::TempDir;

/// Ratings of 240 made-up tracks: every other group of ten is liked.
async fn ratings(program: &Program, folder: &Path) -> Result<PathBuf> {
    let file = folder.join("ratings.csv");
    let name = file.to_str().context("a readable path")?;
    program
        .tool(&["catalogue", "generate", "--tracks", "240", "--out", name], "")
        .await?;
    let tracks = std::fs::read_to_string(&file)?;
    let rated = tracks.lines().enumerate().map(|(number, line)| match number {
        0 => format!("{line},rating\n"),
        _ if number / 10 % 2 == 1 => format!("{line},like\n"),
        _ => format!("{line},dislike\n"),
    });
    std::fs::write(&file, rated.collect::<String>())?;
    Ok(file)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_written_and_goes_on_from_what_was_computed() -> Result<()> {
    let folder = TempDir::with_prefix("segue-compare-")?;
    let program = Program::new(env!("CARGO_BIN_EXE_segue"), folder.path().join("data"));
    let ratings = ratings(&program, folder.path()).await?;
    let (out, state) = (folder.path().join("report.md"), folder.path().join("state.jsonl"));
    let paths = [&ratings, &out, &state].map(|path| path.to_str().unwrap_or_default());
    let [ratings, out_name, state_name] = paths;
    let compare = [
        "model",
        "compare",
        "--quick",
        "--ratings",
        ratings,
        "--out",
        out_name,
    ];
    let kept = [&compare[..], &["--resume", state_name, "--format", "json"]].concat();
    let (status, printed, said) = program.run(&kept, "").await?;
    anyhow::ensure!(status.success(), "{said}");
    let printed: serde_json::Value = serde_json::from_str(&printed)?;
    assert_eq!(printed["likes"]["listeners"], 1);
    assert!(said.contains(" of ") && said.contains(" cells"), "{said}");
    let (report, results) = (std::fs::read_to_string(&out)?, std::fs::read_to_string(&state)?);
    assert!(
        report.starts_with("# Model report") && out.with_extension("").join("learning-curves.svg").exists()
    );

    program.tool(&kept, "").await?;
    assert_eq!(
        std::fs::read_to_string(&state)?,
        results,
        "everything was there already"
    );
    assert_eq!(std::fs::read_to_string(&out)?, report);

    let other = [&compare[..], &["--resume", state_name, "--seed", "2"]].concat();
    let (status, _, said) = program.run(&other, "").await?;
    assert!(
        !status.success() && said.contains("results of other seed"),
        "{said}"
    );
    assert!(!folder.path().join("data").exists(), "no data folder is needed");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_rating_is_named_by_file_line_and_column() -> Result<()> {
    let folder = TempDir::with_prefix("segue-compare-")?;
    let program = Program::new(env!("CARGO_BIN_EXE_segue"), folder.path().join("data"));
    let ratings = ratings(&program, folder.path()).await?;
    let wrong = std::fs::read_to_string(&ratings)?.replacen(",dislike\n", ",adore\n", 1);
    std::fs::write(&ratings, wrong)?;
    let name = ratings.to_str().context("a readable path")?;
    let (status, _, said) = program.run(&["model", "compare", "--ratings", name], "").await?;
    assert!(
        !status.success() && said.contains("ratings.csv, line 2, column rating"),
        "{said}"
    );
    Ok(())
}
