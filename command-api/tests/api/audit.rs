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
