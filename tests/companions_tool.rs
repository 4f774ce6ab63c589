//! `segue model companions`: what listeners like together, as a person sees it.

use anyhow::{Context, Result};
use bench::server::Program;
use classifier::Companions;
use classifier::companions::Likes;
use domain::listener::TrackRated;
use domain::{AccountId, CompanionsCommand, CompanionsId, Described, Digest, Rating, TrackId};
use eventing::{EventLog, Keys, LogConfig, MasterKey, Metadata, Order, StreamId};
use projectors::DomainExecutor;
use serde_json::Value;
use tempfile::TempDir;
use uuid::Uuid;

/// Three like Nova and Orbit, one of them Comet as well.
fn companions() -> Result<Companions> {
    let mut likes = Likes::default();
    for (listener, artist) in [
        (1, "Nova"),
        (1, "Orbit"),
        (2, "Nova"),
        (2, "Orbit"),
        (3, "Nova"),
        (3, "Orbit"),
        (3, "Comet"),
    ] {
        let described = Described {
            schema: Digest::of("schema"),
            z: vec![],
            artists: vec![artist.to_owned()],
        };
        let rated = TrackRated {
            track: TrackId::parse(artist)?,
            rating: Rating::Like,
            rated_at: chrono::DateTime::UNIX_EPOCH,
            described,
        };
        likes.apply(AccountId::new(Uuid::from_u128(listener)), &rated.into());
    }
    Ok(Companions::count(&likes))
}

async fn publish(program: &Program, companions: &Companions) -> Result<()> {
    let log = EventLog::open(LogConfig::new(program.data())).await?;
    let keys = Keys::open(program.data(), MasterKey::load_or_create(program.data())?).await?;
    let blob = Digest::from_bytes(log.put_blob(companions.to_bytes()).await?);
    let command = CompanionsCommand::Publish {
        digest: companions.digest(),
        blob,
        as_of: 7,
        listeners: companions.listeners().into(),
        likes: companions.likes(),
        at: chrono::DateTime::UNIX_EPOCH,
    };
    let stream = StreamId::parse(&CompanionsId::MAIN.stream_name())?;
    let order = Order::<domain::Companions>::new(stream, command, Metadata::new());
    DomainExecutor::new(log, keys).execute(order).await?;
    Ok(())
}

async fn json(program: &Program, arguments: &[&str]) -> Result<Value> {
    let printed = program
        .tool(&[arguments, &["--format", "json"]].concat(), "")
        .await?;
    Ok(serde_json::from_str(&printed)?)
}

#[tokio::test(flavor = "multi_thread")]
async fn current_companions_and_those_of_an_artist_are_shown() -> Result<()> {
    let folder = TempDir::with_prefix("segue-companions-")?;
    let program = Program::new(env!("CARGO_BIN_EXE_segue"), folder.path().join("data"));
    let (status, _, said) = program.run(&["model", "companions"], "").await?;
    assert!(
        !status.success() && said.contains("no companions are published yet"),
        "{said}"
    );

    let companions = companions()?;
    publish(&program, &companions).await?;
    let shown = json(&program, &["model", "companions"]).await?;
    assert_eq!(shown["digest"], companions.digest().to_string());
    assert_eq!(
        (&shown["as_of"], &shown["listeners"], &shown["likes"]),
        (&7.into(), &3.into(), &7.into())
    );
    assert_eq!(
        (&shown["artists"]["count"], &shown["artists"]["pairs"]),
        (&3.into(), &6.into())
    );
    let text = program.tool(&["model", "companions"], "").await?;
    assert!(text.contains("3 artists with 6 companions"), "{text}");

    let nova = json(&program, &["model", "companions", "--artist", "Nova"]).await?;
    let first = nova["companions"].get(0).context("a companion")?;
    assert_eq!(
        (&nova["liked_by"], &first["artist"], &first["both"]),
        (&3.into(), &"Orbit".into(), &3.into())
    );
    assert_eq!(first["cosine"], 1.0);
    let text = program
        .tool(&["model", "companions", "--artist", "Nova"], "")
        .await?;
    assert!(
        text.contains("Nova, liked by 3 listeners") && text.contains("0.577"),
        "{text}"
    );
    let (status, _, said) = program
        .run(&["model", "companions", "--artist", "Nobody"], "")
        .await?;
    assert!(!status.success() && said.contains("Nobody"), "{said}");
    Ok(())
}
