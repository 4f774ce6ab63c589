//! Asking for playlists and reading them.

use std::time::Duration;

use domain::PlaylistId;
use serde_json::{Value, json};

use crate::common::{App, Listener, Reply, catalogue};

async fn ask(app: &App, who: &Listener, wish: Value) -> (PlaylistId, Reply) {
    let reply = app
        .call("POST /v1/playlists")
        .by(&who.token)
        .json(wish)
        .send()
        .await
        .expect(202);
    (reply.json()["id"].as_str().unwrap().parse().unwrap(), reply)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_playlist_is_pending_then_ready_with_tracks_and_reasons() {
    let app = App::new().await;
    app.import().await;
    let ada = app.listener("ada").await;
    let (id, reply) = ask(
        &app,
        &ada,
        json!({"name": "Sunday", "limit": 2, "random_seed": 7}),
    )
    .await;
    assert_eq!(reply.header("location"), format!("/v1/playlists/{id}"));
    assert_eq!(reply.header("retry-after"), "1");
    let read = || app.call("GET /v1/playlists/{id}").with("id", id).by(&ada.token);
    let pending = read().send().await.expect(200);
    assert_eq!(pending.json()["status"], "pending");
    app.generate(id, &["t1", "t4"]).await;
    app.settle().await;
    let ready = read().send().await.expect(200);
    assert_ne!(pending.header("etag"), ready.header("etag"));
    let body = ready.json();
    assert_eq!(
        (&body["status"], &body["name"]),
        (&json!("ready"), &json!("Sunday"))
    );
    assert_eq!(body["items"][1]["position"], 2);
    assert_eq!(body["items"][1]["track"]["artists"], json!(["Zoë Lindt"]));
    assert_eq!(
        body["items"][0]["explanation"][1],
        json!({"feature": "valence", "contribution": 0.25})
    );
    let reason = body["items"][0]["reason"].as_str().unwrap();
    assert!(reason.ends_with("than you usually skip"), "{reason}");
    assert_eq!(
        (&body["items"][1]["rank"], &body["items"][1]["propensity"]),
        (&json!(2), &json!(0.5))
    );
    assert_eq!(
        body["generation"]["arrangement"],
        json!({"objective": 3.5, "greedy": 5.25})
    );
    assert_eq!(body["generation"]["random_seed"], 7);
    assert_eq!(body["generation"]["pool"]["after_caps"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_playlist_that_the_view_does_not_have_yet_is_pending_and_not_missing() {
    let app = App::new().await;
    let ada = app.listener("ada").await;
    let bob = app.listener("bob").await;
    app.stop_projecting().await;
    let (id, _) = ask(&app, &ada, json!({})).await;
    let read = |who: &Listener| {
        app.call("GET /v1/playlists/{id}")
            .with("id", id)
            .by(&who.token)
            .send()
    };
    let reply = read(&ada).await.expect(200);
    assert_eq!(reply.json()["status"], "pending");
    read(&bob).await.problem(404, "not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_ends_when_the_playlist_is_ready() {
    let app = App::new().await;
    app.import().await;
    let ada = app.listener("ada").await;
    let (id, _) = ask(&app, &ada, json!({})).await;
    let started = tokio::time::Instant::now();
    let read = app
        .call("GET /v1/playlists/{id}")
        .with("id", id)
        .by(&ada.token)
        .header("prefer", "wait=20")
        .send();
    let make = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        app.generate(id, &["t1"]).await;
    };
    let (reply, ()) = tokio::join!(read, make);
    assert_eq!(reply.expect(200).json()["status"], "ready");
    assert!(started.elapsed() < Duration::from_secs(15));
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_is_bounded() {
    let app = App::new().await;
    let ada = app.listener("ada").await;
    let (id, _) = ask(&app, &ada, json!({})).await;
    let read = app
        .call("GET /v1/playlists/{id}")
        .with("id", id)
        .by(&ada.token)
        .header("prefer", "wait=1");
    let reply = read.send().await.expect(200);
    assert_eq!(reply.json()["status"], "pending");
    assert_eq!(reply.header("preference-applied"), "wait=1");
    assert_eq!(reply.header("retry-after"), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_the_playlist_gets_304() {
    let app = App::new().await;
    let ada = app.listener("ada").await;
    let (id, _) = ask(&app, &ada, json!({})).await;
    app.settle().await;
    let read = || app.call("GET /v1/playlists/{id}").with("id", id).by(&ada.token);
    let etag = read().send().await.expect(200).header("etag").to_owned();
    for value in [
        etag.clone(),
        format!("W/{etag}"),
        format!("\"other\", {etag}"),
        "*".to_owned(),
    ] {
        let reply = read().header("if-none-match", &value).send().await.expect(304);
        assert!(reply.body.is_empty());
        assert_eq!(reply.header("etag"), etag);
    }
    read()
        .header("if-none-match", "\"other\"")
        .send()
        .await
        .expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_playlist_is_there_for_its_owner_alone() {
    let app = App::new().await;
    let (ada, bob) = (app.listener("ada").await, app.listener("bob").await);
    let (id, _) = ask(&app, &ada, json!({})).await;
    app.settle().await;
    let call = app.call("GET /v1/playlists/{id}").with("id", id).by(&bob.token);
    call.send().await.problem(404, "not-found");
    let list = app
        .call("GET /v1/playlists")
        .by(&bob.token)
        .send()
        .await
        .expect(200);
    assert_eq!(list.json(), json!({"items": []}));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_json_is_offered() {
    let app = App::new().await;
    let ada = app.listener("ada").await;
    let (id, _) = ask(&app, &ada, json!({})).await;
    let call = app
        .call("GET /v1/playlists/{id}")
        .with("id", id)
        .by(&ada.token)
        .header("accept", "application/jspf+json");
    call.send().await.problem(406, "not-acceptable");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_that_breaks_a_rule_is_named() {
    let app = App::new().await;
    let ada = app.listener("ada").await;
    let wish = json!({"limit": 501, "exploration": 2, "arc": "rise", "seed_artists": ["1", "2", "3", "4", "5", "6"], "name": "", "min_tempo": 2, "max_tempo": 1});
    let call = app.call("POST /v1/playlists").by(&ada.token).json(wish);
    let reply = call.send().await.problem(422, "invalid-playlist-request");
    let fields: Vec<_> = reply.json()["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["field"].clone())
        .collect();
    for field in ["limit", "exploration", "arc", "seed_artists", "name", "min_tempo"] {
        assert!(fields.contains(&json!(field)), "{field} is not in {fields:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_of_features_reads_back_as_it_was_asked() {
    let app = App::new().await;
    let ada = app.listener("ada").await;
    let wish =
        json!({"target_energy": 0.9, "min_tempo": 90, "max_tempo": 130.5, "order": "smooth", "arc": "peak"});
    let (id, _) = ask(&app, &ada, wish).await;
    app.settle().await;
    let call = app.call("GET /v1/playlists/{id}").with("id", id).by(&ada.token);
    let body = call.send().await.expect(200).json();
    let request = &body["request"];
    assert_eq!(
        (
            &request["target_energy"],
            &request["min_tempo"],
            &request["max_tempo"],
            &request["order"],
            &request["arc"]
        ),
        (
            &json!(0.9),
            &json!(90.0),
            &json!(130.5),
            &json!("smooth"),
            &json!("peak")
        )
    );
    assert!(request.get("others").is_none() && request.get("targets").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_that_is_not_known_or_no_number_is_named() {
    let app = App::new().await;
    let ada = app.listener("ada").await;
    let wish = json!({"energy": 1, "target_energy": "hunter2", "targets": {"energy": 1}});
    let call = app.call("POST /v1/playlists").by(&ada.token).json(wish);
    let reply = call.send().await.problem(400, "invalid-body");
    assert_eq!(
        reply.json()["errors"],
        json!([
            {"field": "energy", "detail": "is not known here"},
            {"field": "target_energy", "detail": "expected a number"},
            {"field": "targets", "detail": "is not known here"},
        ])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seed_is_drawn_when_none_is_given() {
    let app = App::new().await;
    let ada = app.listener("ada").await;
    let mut seeds = Vec::new();
    for _ in 0..2 {
        let (id, _) = ask(&app, &ada, json!({})).await;
        app.settle().await;
        let body = app
            .call("GET /v1/playlists/{id}")
            .with("id", id)
            .by(&ada.token)
            .send()
            .await
            .expect(200)
            .json();
        seeds.push(body["request"]["random_seed"].as_u64().unwrap());
    }
    assert_ne!(seeds[0], seeds[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn playlists_are_listed_the_newest_first() {
    let app = App::new().await;
    let ada = app.listener("ada").await;
    let mut asked = Vec::new();
    for _ in 0..3 {
        asked.push(ask(&app, &ada, json!({})).await.0);
    }
    let head = app.log.head().await.unwrap();
    let list = |query: String| {
        let call = app.call("GET /v1/playlists").query(&query).by(&ada.token);
        call.header("segue-min-position", head)
            .header("prefer", "wait=10")
            .send()
    };
    let page = list("limit=2".to_owned()).await.expect(200).json();
    assert_eq!(page["items"][0]["id"], asked[2].to_string());
    assert_eq!(page["items"][1]["id"], asked[1].to_string());
    let page = list(format!(
        "limit=2&cursor={}",
        page["next_cursor"].as_str().unwrap()
    ))
    .await
    .expect(200)
    .json();
    assert_eq!(page["items"][0]["id"], asked[0].to_string());
    assert!(page.get("next_cursor").is_none());
    let call = app.call("GET /v1/playlists").query("cursor=x").by(&ada.token);
    call.send().await.problem(400, "invalid-query");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_playlist_of_a_former_catalogue_still_names_its_tracks() {
    let app = App::new().await;
    app.import().await;
    let ada = app.listener("ada").await;
    let (id, _) = ask(&app, &ada, json!({})).await;
    app.generate(id, &["t1"]).await;
    app.import_this(&catalogue::of(&[
        ("t1", "Renamed", "Other"),
        ("t7", "New", "Other"),
    ]))
    .await;
    let body = app
        .call("GET /v1/playlists/{id}")
        .with("id", id)
        .by(&ada.token)
        .send()
        .await
        .expect(200)
        .json();
    assert_eq!(body["items"][0]["track"]["name"], "Morning Tide");
}
