//! `segue model`: a base model's way from ratings to publication.

use std::path::Path;

use anyhow::{Context, Result};
use bench::server::Program;
use classifier::BaseModel;
use domain::Digest;
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
    let model = BaseModel::from_bytes(&std::fs::read(file)?)?;
    let other = BaseModel {
        schema: Digest::of("others"),
        ..model.clone()
    };
    let save = |name: &str, bytes: &[u8]| -> Result<String> {
        let file = folder.path().join(name);
        std::fs::write(&file, bytes)?;
        Ok(file.to_str().context("a readable path")?.to_owned())
    };
    let foreign = save("other.json", &other.to_bytes())?;
    let spaced = save("spaced.json", &serde_json::to_vec_pretty(&model)?)?;
    let later = String::from_utf8(model.to_bytes())?.replacen("\"format\":2", "\"format\":3", 1);
    let later = save("later.json", later.as_bytes())?;
    let (theirs, ours) = (other.schema.to_string(), model.schema.to_string());
    for (what, reason) in [
        (foreign.as_str(), theirs.as_str()),
        (foreign.as_str(), ours.as_str()),
        (spaced.as_str(), "canonical form"),
        (later.as_str(), "format 3; this program reads formats 1 and 2"),
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

/// A data folder with a catalogue, and two files of ratings.
async fn furnished() -> Result<(TempDir, Program, [String; 2])> {
    let folder = TempDir::with_prefix("segue-model-")?;
    let program = Program::new(env!("CARGO_BIN_EXE_segue"), folder.path().join("data"));
    program
        .tool(&["catalogue", "generate", "--tracks", "60"], "")
        .await?;
    let odd = ratings(&program, &folder.path().join("odd.csv"), |number| number % 2 == 1).await?;
    let early = ratings(&program, &folder.path().join("early.csv"), |number| number < 30).await?;
    Ok((folder, program, [odd, early]))
}

/// Why a tool refused.
async fn refused(program: &Program, arguments: &[&str]) -> Result<String> {
    let (status, _, said) = program.run(arguments, "").await?;
    anyhow::ensure!(
        status.code() == Some(1),
        "{arguments:?} ended with {status}: {said}"
    );
    Ok(said)
}

/// How often a model was published, as the log says.
async fn publications(program: &Program) -> Result<u64> {
    let status = json(program, &["model", "list"]).await?;
    Ok(status
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|row| row["position"].as_u64())
        .max()
        .unwrap_or(0))
}

#[tokio::test(flavor = "multi_thread")]
async fn going_back_is_a_publication_that_is_made_once() -> Result<()> {
    let (_folder, program, [odd, early]) = furnished().await?;
    assert!(
        refused(&program, &["model", "rollback"])
            .await?
            .contains("no model is published yet")
    );
    let first = json(&program, &["model", "train", &odd, "--publish"]).await?["model"].clone();
    let said = refused(&program, &["model", "rollback"]).await?;
    assert!(said.contains("none to go back to"), "{said}");

    let second = json(&program, &["model", "train", &early, "--publish"]).await?["model"].clone();
    let back = json(&program, &["model", "rollback"]).await?;
    assert_eq!((&back["model"], &back["from"]), (&first, &second));
    assert_eq!(current(&json(&program, &["model", "list"]).await?), [&first]);
    let again = json(&program, &["model", "rollback"]).await?;
    assert_eq!((&again["model"], &again["from"]), (&first, &Value::Null));
    assert_eq!(
        again["position"], back["position"],
        "asking again publishes nothing"
    );
    assert_eq!(Value::from(publications(&program).await?), back["position"]);

    let digits = second.as_str().context("a fingerprint")?;
    let forth = json(&program, &["model", "rollback", "--to", &digits[..8]]).await?;
    assert_eq!((&forth["model"], &forth["from"]), (&second, &first));
    let third = json(
        &program,
        &["model", "train", &odd, "--genre-weight", "0.5", "--publish"],
    )
    .await?;
    assert_eq!(json(&program, &["model", "rollback"]).await?["model"], second);
    let list = json(&program, &["model", "list"]).await?;
    assert_eq!(current(&list), [&second]);
    let rows = list.as_array().context("rows")?;
    let pointed: Vec<_> = rows.iter().filter(|row| row["pointed"] == true).collect();
    assert_eq!(pointed.len(), 1);
    assert_eq!(
        pointed[0]["model"], second,
        "the registry's pointer went back as well"
    );

    let third = third["model"].as_str().context("a fingerprint")?;
    std::fs::remove_file(program.data().join("models").join(format!("{third}.json")))?;
    let said = refused(&program, &["model", "rollback", "--to", third]).await?;
    assert!(said.contains("not in the registry"), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_evaluated_beside_the_neutral_one() -> Result<()> {
    let (_folder, program, [odd, early]) = furnished().await?;
    let said = refused(&program, &["model", "evaluate", "--ratings", &odd]).await?;
    assert!(said.contains("no model is published yet"), "{said}");
    json(&program, &["model", "train", &early, "--publish"]).await?;
    let evaluated = json(&program, &["model", "evaluate", "--ratings", &early]).await?;
    assert_eq!(
        (&evaluated["listeners"], &evaluated["ratings"]),
        (&Value::from(3), &Value::from(60))
    );
    let learned: Vec<_> = evaluated["points"]
        .as_array()
        .context("points")?
        .iter()
        .map(|point| point["learned"].as_u64())
        .collect();
    assert_eq!(
        learned,
        [Some(0), Some(1), Some(2), Some(5)],
        "after ten ratings every artist is known"
    );
    let before = &evaluated["points"][0];
    assert_eq!(before["of_neutral"]["auc"], 0.5, "nothing is known of anybody");
    assert_ne!(before["of_model"]["auc"], 0.5);

    let drawn = ["model", "evaluate", "--ratings", &early, "--draws", "4"];
    let drawn = json(&program, &drawn).await?;
    assert_eq!(
        (&drawn["draws"], &drawn["points"][0]["sequences"]),
        (&Value::from(4), &Value::from(12))
    );
    let table = program
        .tool(&["model", "evaluate", "--ratings", &early], "")
        .await?;
    for heading in [
        "AUC",
        "log-loss",
        "Brier",
        "calibration error",
        "neutral",
        "naive Bayes",
    ] {
        assert!(table.contains(heading), "{table}");
    }
    let said = refused(&program, &["model", "evaluate", "beef", "--ratings", &early]).await?;
    assert!(said.contains("is no model"), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_genre_weight_and_a_half_life_are_part_of_the_artifact() -> Result<()> {
    let (_folder, program, [odd, _]) = furnished().await?;
    let plain = json(&program, &["model", "train", &odd]).await?["model"].clone();
    let tuned = [
        "model",
        "train",
        &odd,
        "--genre-weight",
        "0.25",
        "--half-life-days",
        "180",
    ];
    let tuned = json(&program, &tuned).await?["model"].clone();
    let show = async |model: &Value| -> Result<Value> {
        let model = model.as_str().context("a fingerprint")?;
        Ok(json(&program, &["model", "show", model]).await?["model"].clone())
    };
    let (plain, tuned) = (show(&plain).await?, show(&tuned).await?);
    assert!(plain.get("genre_weight").is_none(), "{plain}");
    let common = plain["common"]["linear"].as_array().context("what is common")?;
    assert_eq!(plain["like"]["mean"].as_array().map(Vec::len), Some(common.len()));
    assert_eq!(
        (&tuned["format"], &tuned["genre_weight"], &tuned["half_life_days"]),
        (&Value::from(2), &Value::from(0.25), &Value::from(180.0))
    );
    for (flag, number, bounds) in [
        ("--genre-weight", "11", "0 to 10"),
        ("--half-life-days", "0.5", "1 to 36500"),
    ] {
        let said = refused(&program, &["model", "train", &odd, flag, number]).await?;
        assert!(said.contains(bounds), "{said}");
    }
    assert_eq!(
        json(&program, &["model", "list"]).await?.as_array().map(Vec::len),
        Some(2)
    );
    Ok(())
}
