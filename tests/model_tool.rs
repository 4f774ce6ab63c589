//! `segue model`: a base model's way from ratings to publication.

use std::path::Path;

use anyhow::{Context, Result};
use bench::server::Program;
use serde_json::Value;
use tempfile::TempDir;

/// A catalogue of 60 tracks, and on each a rating that `is_liked` gives.
async fn ratings(program: &Program, file: &Path, is_liked: impl Fn(usize) -> bool) -> Result<String> {
    let name = file.to_str().context("a readable path")?.to_owned();
    program
        .tool(&["catalogue", "generate", "--tracks", "60", "--out", &name], "")
        .await?;
    let tracks = std::fs::read_to_string(file)?;
    let rated = tracks.lines().enumerate().map(|(number, line)| match number {
        0 => format!("{line},listener,rating\n"),
        _ if is_liked(number) => format!("{line},l{},like\n", number % 3),
        _ => format!("{line},l{},dislike\n", number % 3),
    });
    std::fs::write(file, rated.collect::<String>())?;
    Ok(name)
}

async fn json(program: &Program, arguments: &[&str]) -> Result<Value> {
    let arguments = [arguments, &["--format", "json"]].concat();
    let (status, printed, said) = program.run(&arguments, "").await?;
    anyhow::ensure!(status.success(), "{status}: {said}");
    Ok(serde_json::from_str(&printed)?)
}

fn current(list: &Value) -> Vec<&Value> {
    let rows = list.as_array().into_iter().flatten();
    rows.filter(|row| row["current"] == true)
        .map(|row| &row["model"])
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_trained_kept_published_and_taken_back_to() -> Result<()> {
    let folder = TempDir::with_prefix("segue-model-")?;
    let program = Program::new(env!("CARGO_BIN_EXE_segue"), folder.path().join("data"));
    program
        .tool(&["catalogue", "generate", "--tracks", "60"], "")
        .await?;
    let odd = ratings(&program, &folder.path().join("odd.csv"), |number| number % 2 == 1).await?;
    let early = ratings(&program, &folder.path().join("early.csv"), |number| number < 30).await?;

    let kept = json(&program, &["model", "train", &odd]).await?;
    assert!(kept["position"].is_null(), "{kept}");
    let list = json(&program, &["model", "list"]).await?;
    assert_eq!(
        (&list[0]["model"], &list[0]["registered"]),
        (&kept["model"], &Value::Bool(true))
    );
    assert!(current(&list).is_empty(), "nothing is published yet: {list}");

    let published = json(&program, &["model", "train", &early, "--publish"]).await?;
    let first = kept["model"].as_str().context("a fingerprint")?;
    for wanted in [&published["model"], &kept["model"]] {
        let wanted_digits = wanted.as_str().context("a fingerprint")?;
        json(&program, &["model", "publish", &wanted_digits[..8]]).await?;
        let list = json(&program, &["model", "list"]).await?;
        assert_eq!(current(&list), [wanted]);
        let pointed = list
            .as_array()
            .into_iter()
            .flatten()
            .filter(|row| row["pointed"] == true);
        assert_eq!(pointed.map(|row| &row["model"]).collect::<Vec<_>>(), [wanted]);
    }

    let file = folder.path().join("data/models").join(format!("{first}.json"));
    std::fs::write(&file, "{}")?;
    let shown = json(&program, &["model", "show", first]).await?;
    assert_eq!(
        (&shown["fingerprint"], &shown["current"]),
        (&kept["model"], &Value::Bool(true))
    );
    let copy = shown["registry"].as_str().context("a sentence")?;
    assert!(
        copy.contains("damaged"),
        "the log's copy is shown, and the registry's is told: {copy}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_model_of_this_catalogue_is_not_published() -> Result<()> {
    let folder = TempDir::with_prefix("segue-model-")?;
    let program = Program::new(env!("CARGO_BIN_EXE_segue"), folder.path().join("data"));
    program
        .tool(&["catalogue", "generate", "--tracks", "60"], "")
        .await?;
    let rated = ratings(&program, &folder.path().join("rated.csv"), |number| {
        number % 2 == 1
    })
    .await?;
    let model = json(&program, &["model", "train", &rated]).await?["model"].clone();
    let model = model.as_str().context("a fingerprint")?;

    let file = folder.path().join("data/models").join(format!("{model}.json"));
    let mut other: Value = serde_json::from_slice(&std::fs::read(file)?)?;
    other["schema"] = Value::from("7".repeat(64));
    let other_features = folder.path().join("other.json");
    std::fs::write(&other_features, other.to_string())?;
    let path = other_features.to_str().context("a readable path")?;
    for (what, reason) in [
        (path, "features"),
        (rated.as_str(), "no base model"),
        ("beef", "is no model"),
    ] {
        let (status, _, said) = program.run(&["model", "publish", what], "").await?;
        assert_eq!(status.code(), Some(1));
        assert!(said.contains(reason), "{said}");
    }
    assert!(current(&json(&program, &["model", "list"]).await?).is_empty());
    Ok(())
}
