//! `segue audit replay | as-of | explain | diff`, beside a working instance and on a stopped one.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bench::client::{Client, Request, Session};
use bench::server::Program;
use domain::{AccountId, Generated, Playlist, PlaylistCommand, PlaylistId, PlaylistRequest};
use eventing::record::seal_context;
use eventing::{
    Append, Body, EventLog, ExpectedVersion, Keys, LogConfig, MasterKey, Metadata, NewEvent, Order,
    SchemaVersion, StreamId, SubjectId, Version,
};
use projectors::DomainExecutor;
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;
use workers::Registry;

const PATIENCE: Duration = Duration::from_secs(60);

/// A listener who rated eight tracks and has a playlist.
struct Story {
    ada: Session,
    account: String,
    playlist: String,
    ready: Value,
}

async fn tell(client: &Client) -> Result<Story> {
    let registered = client.register("ada-lovelace").await?;
    let ada = client.sign_in("ada-lovelace").await?;
    let account = registered.json()?["id"].as_str().context("an id")?.to_owned();
    let page = ada
        .send(&Request::get("/v1/tracks?limit=8"))
        .await?
        .expect(200)?
        .json()?;
    let tracks = page["items"].as_array().context("tracks")?;
    let ids: Vec<&str> = tracks.iter().filter_map(|track| track["id"].as_str()).collect();
    let ratings = ids.iter().enumerate();
    let ratings: Vec<_> = ratings
        .map(|(at, id)| (*id, if at % 3 == 0 { "dislike" } else { "like" }))
        .collect();
    ada.rate(&ratings).await?;
    let path = ada
        .request_playlist(&json!({"name": "Evening", "limit": 5, "exploration": 0.2}))
        .await?;
    let ready = ada.ready_playlist(&path, PATIENCE).await?;
    let playlist = ready["id"].as_str().context("an id")?.to_owned();
    Ok(Story {
        ada,
        account,
        playlist,
        ready,
    })
}

async fn json_of(program: &Program, arguments: &[&str]) -> Result<Value> {
    let arguments = [arguments, &["--format", "json"]].concat();
    Ok(serde_json::from_str(&program.tool(&arguments, "").await?)?)
}

async fn as_of_is_what_http_tells(program: &Program, client: &Client, story: &Story) -> Result<()> {
    let auditor = client.sign_in("the-auditor").await?;
    let status = story.ada.send(&Request::get("/v1/me")).await?.expect(200)?;
    let head = status.position.context("a position")?.to_string();
    for stream in [
        format!("playlist-{}", story.playlist),
        format!("listener-{}", story.account),
        format!("account-{}", story.account),
    ] {
        let path = format!("/v1/streams/{stream}?at={head}");
        let told = auditor.send(&Request::get(path)).await?.expect(200)?.json()?;
        let tool = json_of(program, &["audit", "as-of", &stream, "--at", &head]).await?;
        assert_eq!(told, tool, "{stream}");
        let text = program
            .tool(&["audit", "as-of", &stream, "--at", &head], "")
            .await?;
        assert!(
            text.starts_with(&format!("{stream} as of position {head}")),
            "{text}"
        );
    }
    let wrong = program
        .run(&["audit", "as-of", "nonsense", "--at", "1"], "")
        .await?;
    assert_eq!(wrong.0.code(), Some(2), "{}", wrong.2);
    let stream = format!("account-{}", story.account);
    let beyond = program
        .run(&["audit", "as-of", &stream, "--at", "999999"], "")
        .await?;
    assert_eq!(beyond.0.code(), Some(1));
    assert!(
        beyond.2.contains("--at") && beyond.2.contains("beyond the end of the log"),
        "{}",
        beyond.2
    );
    Ok(())
}

async fn explanation_has_the_numbers_of_the_playlist(program: &Program, story: &Story) -> Result<()> {
    let explained = json_of(program, &["audit", "explain", "playlist", &story.playlist]).await?;
    let items = story.ready["items"].as_array().context("items")?;
    let tracks = explained["tracks"].as_array().context("tracks")?;
    assert_eq!(tracks.len(), items.len());
    for (track, item) in tracks.iter().zip(items) {
        assert_eq!(
            (&track["track"], &track["name"]),
            (&item["track"]["id"], &item["track"]["name"])
        );
        assert_eq!(
            (&track["score"], &track["propensity"]),
            (&item["score"], &item["propensity"])
        );
        assert_eq!(track["contributions"], item["explanation"]);
    }
    assert_eq!(explained["recomputation"]["verdict"], "same");
    assert_eq!(explained["ratings"]["standing"], 8);
    assert_eq!(explained["rules"]["pool"], story.ready["generation"]["pool"]);
    let text = program
        .tool(&["audit", "explain", "playlist", &story.playlist], "")
        .await?;
    let name = tracks[0]["name"].as_str().context("a name")?;
    for part in [
        name,
        "\"Evening\"",
        "the same bytes",
        "exploration 0.2",
        "liked",
        "caused by",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    Ok(())
}

async fn replay_finds_no_difference(program: &Program) -> Result<()> {
    let replayed = json_of(program, &["audit", "replay"]).await?;
    assert_eq!(replayed["identical"], true, "{replayed}");
    assert_eq!(
        (
            &replayed["playlists"]["computed"],
            &replayed["playlists"]["differences"]
        ),
        (&json!(1), &json!(0))
    );
    let past = json_of(program, &["audit", "replay", "--until", "4"]).await?;
    assert_eq!((&past["identical"], &past["until"]), (&json!(true), &json!(4)));
    let reason = past["views"]["not_compared"].as_str().context("a reason")?;
    assert!(reason.contains("a view keeps no past"), "{reason}");
    assert_eq!(past["playlists"]["computed"], 0);
    let beyond = program.run(&["audit", "replay", "--until", "999999"], "").await?;
    assert_eq!(beyond.0.code(), Some(1));
    assert!(beyond.2.contains("--until"), "{}", beyond.2);
    Ok(())
}

async fn diff_tells_what_changed(program: &Program, story: &Story) -> Result<()> {
    let all = json_of(program, &["audit", "diff", "0", "4"]).await?;
    assert_eq!(
        (&all["events"], &all["from"], &all["to"]),
        (&json!(4), &json!(0), &json!(4))
    );
    let stream = format!("playlist-{}", story.playlist);
    let explained = json_of(program, &["audit", "explain", "playlist", &story.playlist]).await?;
    let position = |event: usize| explained["events"][event]["position"].to_string();
    let (requested, generated) = (position(0), position(1));
    let states = json_of(
        program,
        &["audit", "diff", &requested, &generated, "--stream", &stream],
    )
    .await?;
    assert_eq!(
        (
            &states["before"]["state"]["status"],
            &states["after"]["state"]["status"]
        ),
        (&json!("pending"), &json!("ready"))
    );
    let fields = states["fields"].as_array().context("fields")?;
    let status = fields
        .iter()
        .find(|field| field["field"] == "status")
        .context("status")?;
    assert_eq!(
        (&status["before"], &status["after"]),
        (&json!("pending"), &json!("ready"))
    );
    let text = program
        .tool(
            &["audit", "diff", &requested, &generated, "--stream", &stream],
            "",
        )
        .await?;
    assert!(text.contains("status") && text.contains("pending"), "{text}");
    let turned = program.run(&["audit", "diff", "4", "2"], "").await?;
    assert!(
        turned.0.code() == Some(1) && turned.2.contains("comes after TO"),
        "{}",
        turned.2
    );
    Ok(())
}

/// Appends a request, and by hand an answer with one wrong score.
async fn forge(program: &Program, account: &str) -> Result<PlaylistId> {
    let log = EventLog::open(LogConfig::new(program.data())).await?;
    let keys = Keys::open(program.data(), MasterKey::load_or_create(program.data())?).await?;
    let owner: AccountId = account.parse()?;
    let subject = SubjectId(owner.uuid());
    let playlist = PlaylistId::new(Uuid::from_u128(0x0198_0000_0000_7000_9000_0000_0000_0001));
    let stream = StreamId::parse(&playlist.stream_name())?;
    let command = PlaylistCommand::Request {
        playlist,
        owner,
        name: None,
        request: Box::new(PlaylistRequest::default()),
        at: chrono::DateTime::UNIX_EPOCH,
    };
    let order = Order::<Playlist>::new(stream.clone(), command, Metadata::new());
    let executor = DomainExecutor::new(log.clone(), keys.clone());
    executor.execute(order.about(subject)).await?;
    let registry = Registry::files(program.data().join("models"));
    let honest = workers::recompute(&log, &keys, &registry, playlist).await?;
    let mut forged: Generated = serde_json::from_slice(&honest)?;
    forged.tracks[0].score += 1.0;
    let payload = serde_json::to_vec(&forged)?;
    let mut event = NewEvent::new("playlist.generated", SchemaVersion(1), payload.clone());
    let context = seal_context(event.id, &stream, Version(2), &event.event_type);
    event.body = Body::Sealed(keys.seal(subject, context.as_bytes(), &payload).await?);
    let metadata = Metadata {
        subject: Some(subject),
        ..Metadata::new()
    };
    let expected = ExpectedVersion::Exactly(Version(1));
    log.append(Append::new(stream, expected, vec![event], metadata))
        .await?;
    Ok(playlist)
}

async fn a_forged_score_is_told(program: &Program, account: &str) -> Result<()> {
    let playlist = forge(program, account).await?;
    let (status, out, err) = program.run(&["audit", "replay"], "").await?;
    assert_eq!(status.code(), Some(1), "{err}");
    let place = format!("the first is playlist-{playlist} at position");
    assert!(out.contains(&place) && out.contains("the score of"), "{out}");
    let json = ["audit", "replay", "--format", "json"];
    let (_, out, _) = program.run(&json, "").await?;
    let replayed: Value = serde_json::from_str(&out)?;
    let cause = &replayed["playlists"]["first_difference"]["cause"];
    let by =
        cause["recorded"].as_f64().context("a score")? - cause["computed"].as_f64().context("a score")?;
    assert_eq!(cause["part"], "score");
    assert!((by - 1.0).abs() < 1e-9, "{cause}");
    let id = playlist.to_string();
    let (status, out, _) = program.run(&["audit", "explain", "playlist", &id], "").await?;
    assert!(
        status.code() == Some(1) && out.contains("IT DIFFERS: the score of"),
        "{out}"
    );
    Ok(())
}

/// Every tool that shows something of the history stands in the access log.
async fn reads_are_recorded(program: &Program) -> Result<()> {
    let log = EventLog::open(LogConfig::new(program.data())).await?;
    let filter = eventing::EventFilter {
        event_type: Some("access.history_read".to_owned()),
        ..eventing::EventFilter::after(eventing::Position::START, 1_000)
    };
    let mut calls = std::collections::BTreeSet::new();
    for event in log.read_filtered(filter).await? {
        let Body::Open(payload) = &event.body else {
            anyhow::bail!("the access log is open")
        };
        let read: Value = serde_json::from_slice(payload)?;
        if read["by"] == "command_line" {
            calls.insert(read["call"].as_str().context("a call")?.to_owned());
        }
    }
    let expected = [
        "history.diff",
        "history.replay",
        "playlist.explain",
        "stream.as_of",
    ];
    ensure!(calls.iter().eq(expected.iter()), "{calls:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn auditors_replay_explain_and_look_back() -> Result<()> {
    let folder = TempDir::with_prefix("segue-audit-")?;
    let program = Program::new(env!("CARGO_BIN_EXE_segue"), folder.path().join("data"));
    program.furnish(500, 1).await?;
    let server = program.serve(PATIENCE).await?;
    let client = Client::new(server.address())?;
    let story = tell(&client).await?;
    replay_finds_no_difference(&program).await?;
    as_of_is_what_http_tells(&program, &client, &story).await?;
    explanation_has_the_numbers_of_the_playlist(&program, &story).await?;
    diff_tells_what_changed(&program, &story).await?;
    server.stop().await?;
    replay_finds_no_difference(&program).await?;
    a_forged_score_is_told(&program, &story.account).await?;
    reads_are_recorded(&program).await
}
