//! Workers follow publications without a restart, and no playlist mixes models.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use bench::client::{Client, Request, Session};
use bench::server::Program;
use classifier::BaseModel;
use classifier::catalogue::read_csv;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::mpsc;

const PATIENCE: Duration = Duration::from_secs(60);
const TRACKS: usize = 300;
const SEED: u64 = 1;
/// How many listeners ask at the same time, each for the next playlist as soon as the last is there.
const ASKERS: usize = 4;
/// Playlists between two publications: so many that every asker is between them at least once.
const BETWEEN: usize = 3 * ASKERS;

/// A playlist that is there.
struct Asked {
    /// Where its request stands in the log.
    position: u64,
    /// Which model it names.
    model: String,
}

/// A publication, and the model that later requests are answered with.
struct Published {
    position: u64,
    model: String,
}

async fn ask(session: &Session, seed: u64) -> Result<Asked> {
    let body = json!({"limit": 10, "random_seed": seed, "exploration": 0.2});
    let answer = session
        .send(&Request::post("/v1/playlists", &body))
        .await?
        .expect(202)?;
    let path = answer.location.context("no Location")?;
    let playlist = session.ready_playlist(&path, PATIENCE).await?;
    Ok(Asked {
        position: answer.position.context("no Segue-Position")?,
        model: text(&playlist["generation"]["model"])?,
    })
}

/// Asks until nobody listens any more.
async fn keep_asking(session: Session, asker: u64, playlists: mpsc::Sender<Result<Asked>>) {
    for number in 0.. {
        if playlists
            .send(ask(&session, asker * 1_000 + number).await)
            .await
            .is_err()
        {
            return;
        }
    }
}

fn text(value: &Value) -> Result<String> {
    Ok(value
        .as_str()
        .with_context(|| format!("{value} is no text"))?
        .to_owned())
}

/// Publishes a model that believes the mean of liked tracks' first feature to be `mean`.
async fn publish(program: &Program, folder: &Path, mean: f64) -> Result<Published> {
    let mut catalogue = Vec::new();
    classifier::generator::write_csv(&mut catalogue, TRACKS, SEED)?;
    let catalogue = read_csv(catalogue.as_slice(), None, &mut |_| {})?.catalogue;
    let mut model = BaseModel::neutral(catalogue.schema());
    model.like.mean[0] = mean;
    let file = folder.join("model.json");
    std::fs::write(&file, model.to_bytes())?;
    published(
        program,
        &["model", "publish", file.to_str().context("a readable path")?],
    )
    .await
}

async fn published(program: &Program, arguments: &[&str]) -> Result<Published> {
    let said = printed(program, arguments).await?;
    Ok(Published {
        position: said["position"].as_u64().context("a position")?,
        model: text(&said["model"])?,
    })
}

async fn printed(program: &Program, arguments: &[&str]) -> Result<Value> {
    let arguments = [arguments, &["--format", "json"]].concat();
    Ok(serde_json::from_str(&program.tool(&arguments, "").await?)?)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_playlist_names_the_model_that_was_published_last_before_its_request() -> Result<()> {
    let folder = TempDir::with_prefix("segue-switch-")?;
    let program = Program::new(env!("CARGO_BIN_EXE_segue"), folder.path().join("data"));
    program.furnish(TRACKS, SEED).await?;
    let mut publications = vec![publish(&program, folder.path(), 1.0).await?];
    let server = program.serve(PATIENCE).await?;
    let (sender, mut playlists) = mpsc::channel(1);
    for asker in 0..ASKERS as u64 {
        let session = Client::new(server.address())?
            .listener(&format!("asker-{asker}"))
            .await?;
        session
            .rate(&[("demo-0000001", "like"), ("demo-0000002", "dislike")])
            .await?;
        tokio::spawn(keep_asking(session, asker, sender.clone()));
    }
    drop(sender);

    let mut asked = Vec::new();
    let mut collect = async |asked: &mut Vec<Asked>| -> Result<()> {
        for _ in 0..BETWEEN {
            asked.push(playlists.recv().await.context("the askers ended")??);
        }
        Ok(())
    };
    collect(&mut asked).await?;
    publications.push(publish(&program, folder.path(), -1.0).await?);
    collect(&mut asked).await?;
    publications.push(published(&program, &["model", "rollback"]).await?);
    collect(&mut asked).await?;
    drop(playlists);

    let [first, second, back] = publications.as_slice() else {
        anyhow::bail!("three publications")
    };
    assert_eq!(first.model, back.model);
    assert_ne!(first.model, second.model);
    for Asked { position, model } in &asked {
        let last = publications
            .iter()
            .rfind(|published| published.position < *position);
        let expected = &last.context("a publication before every request")?.model;
        assert_eq!(model, expected, "asked for at position {position}");
    }
    for (from, to) in [(first, second), (second, back)] {
        let between = |asked: &&Asked| (from.position..to.position).contains(&asked.position);
        assert_ne!(
            asked.iter().filter(between).count(),
            0,
            "nothing was asked for in between"
        );
    }
    assert!(asked.iter().any(|asked| asked.position > back.position));

    server.stop().await?;
    let replay = printed(&program, &["audit", "replay"]).await?;
    assert_eq!(replay["identical"], true, "{replay}");
    let computed = replay["playlists"]["computed"].as_u64().context("a count")?;
    assert!(computed >= asked.len() as u64, "{replay}");
    Ok(())
}
