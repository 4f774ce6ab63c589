//! Who reads the history is recorded before they are answered.

use std::sync::Arc;

use eventing::{
    Append, AppendError, Body, EventLog, ExpectedVersion, LogConfig, Metadata, NewEvent, Position,
    RecordedEvent, SchemaVersion, StreamId,
};
use projectors::ViewStore;
use serde_json::{Value, json};

use crate::common::{App, Call, Listener, config};

async fn last(log: &EventLog) -> RecordedEvent {
    let head = log.head().await.unwrap();
    log.read_after(Position(head.0 - 1), 1).await.unwrap().remove(0)
}

fn payload(event: &RecordedEvent) -> Value {
    let Body::Open(payload) = &event.body else {
        panic!("{event:?} is sealed")
    };
    serde_json::from_slice(payload).unwrap()
}

/// Sends `call` and gives what it added to the log.
async fn added_by(app: &App, call: Call<'_>, status: u16) -> Vec<RecordedEvent> {
    let before = app.log.head().await.unwrap();
    call.send().await.expect(status);
    app.log.read_after(before, 10).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_of_the_history_is_recorded_with_what_was_asked_for() {
    let app = App::new().await;
    let ada = app.listener("ada").await;
    let auditor = app.auditor().await;
    let chain = uuid::Uuid::now_v7();
    let of_ada = format!("account-{}", ada.id);
    let (list, chains) = ("GET /v1/events", "GET /v1/audit/correlations/{id}");
    for (call, status, name, asked) in [
        (app.call(list), 200, "events.list", json!({})),
        (
            app.call(list)
                .query(&format!("stream={of_ada}&after=1&limit=3&until=4")),
            200,
            "events.list",
            json!({"stream": of_ada, "after": 1, "until": 4}),
        ),
        (
            app.call(list)
                .query(&format!("subject={}&type=listener.&correlation={chain}", ada.id)),
            200,
            "events.list",
            json!({"subject": ada.id, "event_type": "listener.", "correlation": chain}),
        ),
        (
            app.call(list)
                .query("since=2027-01-31T12:00:00Z&before=2027-02-01T01:00:00%2B01:00"),
            200,
            "events.list",
            json!({"since": "2027-01-31T12:00:00Z", "before": "2027-02-01T00:00:00Z"}),
        ),
        // That there is no such thing tells something too.
        (
            app.call(chains).with("id", chain),
            404,
            "correlation.read",
            json!({"correlation": chain}),
        ),
    ] {
        let added = added_by(&app, call.by(&auditor.token), status).await;
        let [record] = added.as_slice() else {
            panic!("{name} added {added:?}")
        };
        assert_eq!(
            (
                record.stream.to_string(),
                record.event_type.as_str(),
                record.subject
            ),
            (format!("access-{}", auditor.id), "access.history_read", None)
        );
        assert_eq!(
            payload(record),
            json!({"by": "account", "account": auditor.id, "call": name, "asked": asked})
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_not_recorded() {
    let app = App::new().await;
    let ada = app.listener("ada").await;
    let auditor = app.auditor().await;
    for (query, by, status) in [
        ("", &ada, 403),
        ("type=nonsense", &auditor, 400),
        ("stream=ada-lovelace", &auditor, 400),
        ("subject=ada", &auditor, 400),
        ("limit=0", &auditor, 400),
    ] {
        let call = app.call("GET /v1/events").query(query).by(&by.token);
        assert_eq!(added_by(&app, call, status).await, [], "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_an_account_makes_nothing_unknown_of_what_its_owner_read() {
    let app = App::new().await;
    let auditor = app.auditor().await;
    let call = app.call("GET /v1/events").query("limit=1").by(&auditor.token);
    call.send().await.expect(200);
    let read = last(&app.log).await;
    app.call("DELETE /v1/me")
        .by(&auditor.token)
        .send()
        .await
        .expect(204);
    let other = app.auditor_named("another-auditor").await;
    let call = app
        .call("GET /v1/events")
        .query(&format!("stream=access-{}", auditor.id))
        .by(&other.token);
    let items = call.send().await.expect(200).json()["items"].clone();
    assert_eq!(items[0]["position"], read.position.0);
    assert_eq!(
        (&items[0]["datastate"], &items[0]["data"]),
        (&json!("open"), &payload(&read))
    );
}

/// Fills a log to its last page.
async fn fill(log: &EventLog) {
    let stream = StreamId::new("companions", uuid::Uuid::now_v7());
    for length in [40_000, 4_000, 400, 1] {
        loop {
            let payload = format!(r#"{{"much":"{}"}}"#, "x".repeat(length));
            let event = NewEvent::new("companions.published", SchemaVersion(1), payload);
            let append = Append::new(stream.clone(), ExpectedVersion::Any, vec![event], Metadata::new());
            match log.append(append).await {
                Ok(_) => {}
                Err(AppendError::StorageFull) => break,
                Err(other) => panic!("{other:?}"),
            }
        }
    }
}

/// A disk without room for the record gives nothing of the history away, though all of it could be read.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_record_there_is_no_answer() {
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let store = ViewStore::open(dir.path().join("views")).unwrap();
    let log = LogConfig {
        pages_max: Some(400),
        ..LogConfig::new(dir.path())
    };
    let app = App::with_log(log, store, dir, config(), true).await;
    let auditor = app.auditor().await;
    app.settle().await;
    fill(&app.log).await;
    let head = app.log.head().await.unwrap();
    let chain = app.log.read_after(Position::START, 1).await.unwrap()[0].correlation_id;
    for call in [
        app.call("GET /v1/events"),
        app.call("GET /v1/events/stream"),
        app.call("GET /v1/audit/correlations/{id}").with("id", chain),
    ] {
        let refused = call.by(&auditor.token).send().await;
        let refused = refused.problem(507, "storage-full");
        assert!(!String::from_utf8_lossy(&refused.body).contains("account."));
    }
    assert_eq!(app.log.head().await.unwrap(), head);
}

async fn types_of(app: &App, by: &Listener, query: &str) -> Vec<(u64, String)> {
    let call = app.call("GET /v1/events").query(query).by(&by.token);
    let body = call.send().await.expect(200).json();
    let items = body["items"].as_array().unwrap().iter();
    items
        .map(|item| {
            let text = item["type"].as_str().unwrap().to_owned();
            (item["position"].as_u64().unwrap(), text)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn others_reads_are_shown_and_ones_own_where_they_are_asked_for() {
    let app = App::new().await;
    let (one, other) = (app.auditor().await, app.auditor_named("another-auditor").await);
    let head = app.log.head().await.unwrap().0;
    let after = format!("after={head}");
    assert_eq!(types_of(&app, &one, &after).await, []);
    assert_eq!(types_of(&app, &one, &after).await, []);
    let read = |position| (position, "access.history_read".to_owned());
    assert_eq!(
        types_of(&app, &other, &after).await,
        [read(head + 1), read(head + 2)]
    );
    assert_eq!(types_of(&app, &one, &after).await, [read(head + 3)]);
    let own = format!("{after}&stream=access-{}", one.id);
    assert_eq!(
        types_of(&app, &one, &own).await,
        [read(head + 1), read(head + 2), read(head + 4)]
    );
    let all = format!("{after}&type=access.");
    assert_eq!(types_of(&app, &one, &all).await.len(), 5);
    let whole = types_of(&app, &one, &format!("{after}&own=true")).await;
    let positions: Vec<_> = whole.iter().map(|(position, _)| *position).collect();
    assert_eq!(positions, (head + 1..=head + 6).collect::<Vec<_>>());
}

/// Each page adds a record to the log that it is a page of.
#[tokio::test(flavor = "multi_thread")]
async fn pages_of_one_event_come_to_an_end() {
    let app = App::new().await;
    app.listener("ada").await;
    let auditor = app.auditor().await;
    let head = app.log.head().await.unwrap().0;
    let (mut cursor, mut seen) = ("0".to_owned(), 0);
    loop {
        let query = format!("limit=1&cursor={cursor}");
        let call = app.call("GET /v1/events").query(&query).by(&auditor.token);
        let page = call.send().await.expect(200).json();
        seen += page["items"].as_array().unwrap().len() as u64;
        assert!(seen <= head, "it reads what it writes");
        match page.get("next_cursor") {
            Some(next) => cursor = next.as_str().unwrap().to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, head);
}

/// Whatever is offered to auditors, now or later.
#[tokio::test(flavor = "multi_thread")]
async fn every_route_of_auditors_is_recorded_once() {
    let app = App::new().await;
    let ada = app.listener("ada").await;
    let auditor = app.auditor().await;
    let chain = last(&app.log).await.correlation_id;
    let read_so_far = async || {
        let records = app.log.read_after(Position::START, 10_000).await.unwrap();
        let of_auditor = format!("access-{}", auditor.id);
        records
            .iter()
            .filter(|event| event.stream.as_str() == of_auditor)
            .count()
    };
    let of_auditors = ["/v1/audit/", "/v1/events", "/v1/streams/"];
    for (method, path) in command_api::ROUTES {
        if !of_auditors.iter().any(|place| path.starts_with(place)) {
            continue;
        }
        let before = read_so_far().await;
        let route: &'static str = format!("{method} {path}").leak();
        let query = match *path {
            "/v1/audit/consistency" => "from=1&to=2",
            "/v1/audit/inclusion" => "position=1",
            _ => "",
        };
        let call = app
            .call(route)
            .with("id", chain)
            .with("stream", format!("account-{}", ada.id))
            .with("level", 0)
            .with("*path", "000.p/2")
            .query(query)
            .by(&auditor.token);
        let status = call.respond().await.status();
        assert!(status.is_success(), "{path}: {status}");
        assert_eq!(read_so_far().await, before + 1, "{path}");
    }
}
