//! What auditors see of the history.

use serde_json::{Value, json};

use crate::common::{App, Listener};

async fn some_history(app: &App) -> Listener {
    app.import().await;
    let ada = app.listener("ada").await;
    let call = app
        .call("PUT /v1/me/ratings/{track}")
        .with("track", "t1")
        .by(&ada.token);
    call.json(json!({"rating": "like"})).send().await.expect(204);
    ada
}

#[tokio::test(flavor = "multi_thread")]
async fn ratings_are_open_to_auditors_and_identity_is_sealed() {
    let app = App::new().await;
    some_history(&app).await;
    let auditor = app.auditor().await;
    let reply = app
        .call("GET /v1/events")
        .by(&auditor.token)
        .send()
        .await
        .expect(200);
    let body = reply.json();
    let items = body["items"].as_array().unwrap();
    let positions: Vec<_> = items
        .iter()
        .map(|item| item["position"].as_u64().unwrap())
        .collect();
    assert_eq!(positions, (1..=items.len() as u64).collect::<Vec<_>>());
    let of = |kind: &str| items.iter().find(|item| item["type"] == kind).unwrap().clone();
    let rated = of("listener.track_rated");
    assert_eq!(
        (&rated["data"]["track"], &rated["datastate"]),
        (&json!("t1"), &json!("open"))
    );
    assert_eq!(
        (&rated["specversion"], &rated["datacontenttype"]),
        (&json!("1.0"), &json!("application/json"))
    );
    for attribute in ["id", "source", "time", "stream", "version", "correlationid"] {
        assert!(!rated[attribute].is_null(), "{attribute}");
    }
    let registered = of("account.registered");
    assert_eq!(
        (registered.get("data"), &registered["datastate"]),
        (None, &json!("sealed"))
    );
    let text = String::from_utf8_lossy(&reply.body);
    assert!(!text.contains("argon2") && !text.contains("the-auditor"));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_read_in_pages_and_by_stream_and_type() {
    let app = App::new().await;
    let ada = some_history(&app).await;
    let auditor = app.auditor().await;
    let events = |query: &str| {
        let call = app.call("GET /v1/events").query(query).by(&auditor.token);
        async { call.send().await.expect(200).json() }
    };
    let head = app.log.head().await.unwrap().0;
    let (mut cursor, mut seen) = ("0".to_owned(), Vec::new());
    loop {
        let page = events(&format!("limit=2&cursor={cursor}")).await;
        seen.extend(
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|item| item["position"].as_u64().unwrap()),
        );
        match page.get("next_cursor") {
            Some(next) => cursor = next.as_str().unwrap().to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, (1..=head).collect::<Vec<_>>());
    let rated = events("type=listener.track_rated").await;
    assert_eq!(rated["items"].as_array().unwrap().len(), 1);
    let of_ada = events(&format!("stream=account-{}&after=2", ada.id)).await;
    assert!(
        of_ada["items"]
            .as_array()
            .unwrap()
            .iter()
            .all(|item| item["type"] == "account.signed_in")
    );
    let call = app
        .call("GET /v1/events")
        .query("stream=nonsense")
        .by(&auditor.token);
    call.send().await.problem(400, "invalid-query");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_streams_records_are_the_bytes_that_were_hashed() {
    let app = App::new().await;
    let ada = some_history(&app).await;
    let auditor = app.auditor().await;
    let stream = format!("listener-{}", ada.id);
    let call = app
        .call("GET /v1/streams/{stream}")
        .with("stream", &stream)
        .by(&auditor.token);
    let reply = call.send().await.expect(200);
    let recorded = app
        .log
        .read_stream(&stream.parse().unwrap(), eventing::Version(0), 10)
        .await
        .unwrap();
    let record = std::str::from_utf8(&recorded[0].record).unwrap();
    assert!(String::from_utf8_lossy(&reply.body).contains(record));
    let item: Value = reply.json()["items"][0].clone();
    assert_eq!(item["leaf_hash"], hex::encode(recorded[0].leaf_hash));
    assert!(item["record"].get("payload").is_none());
    let none = format!("listener-{}", uuid::Uuid::nil());
    for unknown in [none.as_str(), "nonsense"] {
        let call = app
            .call("GET /v1/streams/{stream}")
            .with("stream", unknown)
            .by(&auditor.token);
        call.send().await.problem(404, "not-found");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_told_as_it_was() {
    let app = App::new().await;
    let ada = some_history(&app).await;
    let first = app.log.head().await.unwrap();
    let play = app
        .call("PUT /v1/me/ratings/{track}")
        .with("track", "t2")
        .by(&ada.token);
    play.json(json!({"rating": "dislike"})).send().await.expect(204);
    let asked = app.call("POST /v1/playlists").by(&ada.token);
    let asked = asked.json(json!({"limit": 2})).send().await.expect(202).json();
    let list: domain::PlaylistId = asked["id"].as_str().unwrap().parse().unwrap();
    let requested = app.log.head().await.unwrap();
    let generated = app.generate(list, &["t2", "t3"]).await;
    let auditor = app.auditor().await;
    let state = async |stream: String, at: String| {
        let call = app.call("GET /v1/streams/{stream}").with("stream", &stream);
        let reply = call
            .query(&format!("at={at}"))
            .by(&auditor.token)
            .send()
            .await
            .expect(200);
        assert_eq!(
            reply.headers["segue-position"].to_str().unwrap(),
            reply.json()["at"].to_string()
        );
        reply.json()
    };

    let listener = format!("listener-{}", ada.id);
    let early = state(listener.clone(), first.to_string()).await;
    assert_eq!(
        (&early["kind"], &early["version"]),
        (&json!("listener"), &json!(1))
    );
    assert_eq!(
        (&early["state"]["likes"], &early["state"]["dislikes"]),
        (&json!(1), &json!(0))
    );
    assert!(early["state"]["features"][0]["preference"]["slope"].is_number());
    assert!(early["state"]["features"][0]["preference"]["slope_deviation"].is_number());
    let late = state(listener, generated.to_string()).await;
    assert_eq!(late["state"]["dislikes"], 1);

    let playlist = format!("playlist-{list}");
    let pending = state(playlist.clone(), requested.to_string()).await;
    assert_eq!(pending["state"]["status"], "pending");
    assert!(pending["state"].get("items").is_none());
    let ready = state(playlist, generated.to_string()).await;
    assert_eq!(ready["state"]["status"], "ready");
    assert_eq!(ready["state"]["items"][0]["track"], "t2");
    assert!(ready["state"]["items"][0]["name"].is_string());
    assert_eq!(ready["state"]["generation"]["pool"]["initial"], 5);

    let account = format!("account-{}", ada.id);
    let record = app
        .log
        .read_after(eventing::Position(first.0 - 1), 1)
        .await
        .unwrap();
    let time = record[0]
        .recorded_at
        .to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    let account = state(account, time).await;
    assert_eq!(account["at"], first.0);
    let told = &account["state"];
    assert_eq!(
        (&told["role"], &told["open"], &told["sessions"]),
        (&json!("listener"), &json!(true), &json!(1))
    );
    assert!(told.get("username").is_none() && told.get("password_hash").is_none());

    let head = app.log.head().await.unwrap();
    let last = app
        .log
        .read_after(eventing::Position(head.0 - 1), 1)
        .await
        .unwrap();
    let eventing::Body::Open(payload) = &last[0].body else {
        panic!("the access log is open")
    };
    let read: Value = serde_json::from_slice(payload).unwrap();
    assert_eq!(
        (&read["by"], &read["call"]),
        (&json!("account"), &json!("stream.as_of"))
    );
    assert_eq!(read["account"], auditor.id.to_string());
    assert_eq!(read["asked"]["stream"], format!("account-{}", ada.id));
    assert!(read["asked"]["time"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_left_is_told_as_erased_and_nothing_else() {
    let app = App::new().await;
    let ada = some_history(&app).await;
    let before = app.log.head().await.unwrap();
    let auditor = app.auditor().await;
    app.call("DELETE /v1/me").by(&ada.token).send().await.expect(204);
    for stream in [format!("account-{}", ada.id), format!("listener-{}", ada.id)] {
        let call = app.call("GET /v1/streams/{stream}").with("stream", &stream);
        let call = call.query(&format!("at={before}")).by(&auditor.token);
        let told = call.send().await.expect(200).json();
        assert_eq!(told["state"], json!({"erased": true}), "{stream}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_point_that_is_none_is_refused_by_name() {
    let app = App::new().await;
    let ada = some_history(&app).await;
    let auditor = app.auditor().await;
    let head = app.log.head().await.unwrap();
    let ask = async |stream: String, query: String| {
        let call = app.call("GET /v1/streams/{stream}").with("stream", &stream);
        call.query(&query).by(&auditor.token).send().await
    };
    let account = format!("account-{}", ada.id);
    for (query, status, kind) in [
        ("at=yesterday".to_owned(), 400, "invalid-query"),
        ("at=".to_owned(), 400, "invalid-query"),
        ("at=3&limit=2".to_owned(), 400, "invalid-query"),
        (format!("at={}", head.0 + 1), 422, "invalid-request"),
        ("at=2999-01-01T00:00:00Z".to_owned(), 422, "invalid-request"),
    ] {
        let reply = ask(account.clone(), query.clone()).await;
        assert_eq!(reply.json()["errors"][0]["field"], "at", "{query}");
        reply.problem(status, kind);
    }
    let none = format!("account-{}", uuid::Uuid::nil());
    ask(none, format!("at={head}")).await.problem(404, "not-found");
    ask("nonsense".to_owned(), "at=1".to_owned())
        .await
        .problem(404, "not-found");
    let early = ask(account, "at=0".to_owned()).await;
    assert!(
        early.json()["detail"]
            .as_str()
            .unwrap()
            .contains("did not exist yet")
    );
    early.problem(404, "not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn listeners_see_no_history() {
    let app = App::new().await;
    let ada = app.listener("ada").await;
    app.call("GET /v1/events")
        .by(&ada.token)
        .send()
        .await
        .problem(403, "forbidden");
    let call = app
        .call("GET /v1/streams/{stream}")
        .with("stream", format!("account-{}", ada.id))
        .by(&ada.token);
    call.send().await.problem(403, "forbidden");
}
