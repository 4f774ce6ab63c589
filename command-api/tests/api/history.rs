//! The history in pages, and one request with all that it caused.

use command_api::record_read;
use domain::{AccessCall, Asked, HistoryRead};
use domain::{Listener as Listening, ListenerCommand, Playlist, PlaylistCommand, PlaylistId, TrackId};
use eventing::{CorrelationId, Metadata, Order, Position, RecordedEvent, StreamId, SubjectId};
use serde_json::{Value, json};

use crate::common::{App, Listener, Reply, now};

const LIST: &str = "GET /v1/events";

async fn read(app: &App, by: &Listener, query: &str) -> Reply {
    let call = app.call(LIST).query(query).by(&by.token);
    call.send().await.expect(200)
}

fn positions(page: &Value) -> Vec<u64> {
    let items = page["items"].as_array().unwrap().iter();
    items.map(|item| item["position"].as_u64().unwrap()).collect()
}

async fn all(app: &App) -> Vec<RecordedEvent> {
    app.log.read_after(Position::START, 1_000).await.unwrap()
}

async fn rate(app: &App, by: &Listener, track: &str) {
    let call = app
        .call("PUT /v1/me/ratings/{track}")
        .with("track", track)
        .by(&by.token);
    call.json(json!({"rating": "like"})).send().await.expect(204);
}

/// A catalogue, a listener with two ratings, and an auditor.
async fn some_history() -> (App, Listener, Listener) {
    let app = App::new().await;
    app.import().await;
    let ada = app.listener("ada").await;
    rate(&app, &ada, "t1").await;
    rate(&app, &ada, "t2").await;
    let auditor = app.auditor().await;
    (app, ada, auditor)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_filter_lets_through_what_fits() {
    let (app, ada, auditor) = some_history().await;
    let events = all(&app).await;
    let fitting = |fits: &dyn Fn(&RecordedEvent) -> bool| -> Vec<u64> {
        let fitting = events.iter().filter(|event| fits(event));
        fitting.map(|event| event.position.0).collect()
    };
    let subject = SubjectId(ada.id.uuid());
    let rated = events
        .iter()
        .find(|event| event.event_type == "listener.track_rated")
        .unwrap();
    let time = rated
        .recorded_at
        .to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    let middle = rated.position.0;
    for (query, expected) in [
        (
            format!("subject={}", ada.id),
            fitting(&|event| event.subject == Some(subject)),
        ),
        (
            format!("subject={}&type=listener.", ada.id),
            fitting(&|event| event.event_type == "listener.track_rated"),
        ),
        (
            format!("correlation={}", rated.correlation_id),
            fitting(&|event| event.correlation_id == rated.correlation_id),
        ),
        (
            format!("until={middle}"),
            fitting(&|event| event.position.0 <= middle),
        ),
        (
            format!("since={time}"),
            fitting(&|event| event.recorded_at >= rated.recorded_at),
        ),
        (
            format!("before={time}"),
            fitting(&|event| event.recorded_at < rated.recorded_at),
        ),
        (format!("after={middle}&until={middle}"), vec![]),
    ] {
        let page = read(&app, &auditor, &query).await.json();
        assert_eq!(positions(&page), expected, "{query}");
        assert!(page.get("next_cursor").is_none(), "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_that_makes_no_sense_is_named() {
    let (app, _, auditor) = some_history().await;
    for (query, field) in [
        ("stream=ada-lovelace", "stream"),
        ("subject=ada", "subject"),
        ("type=listener", "type"),
        ("correlation=1", "correlation"),
        ("since=yesterday", "since"),
        ("before=2027-02-30T00:00:00Z", "before"),
        ("limit=1001", "limit"),
    ] {
        let refused = app.call(LIST).query(query).by(&auditor.token).send().await;
        let refused = refused.problem(400, "invalid-query").json();
        assert_eq!(refused["errors"][0]["field"], field, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_the_caller_has_is_not_sent_again() {
    let (app, ada, auditor) = some_history().await;
    let query = "after=2";
    let first = read(&app, &auditor, query).await;
    let etag = first.header("etag").to_owned();
    let again = || {
        let call = app.call(LIST).query(query).by(&auditor.token);
        call.header("if-none-match", &etag).send()
    };
    // Reading adds records to the log. They are no reason to send the page again.
    for _ in 0..2 {
        let reply = again().await.expect(304);
        assert_eq!((reply.header("etag"), reply.body.len()), (etag.as_str(), 0));
        assert_eq!(reply.header("cache-control"), "private, no-cache");
    }
    rate(&app, &ada, "t3").await;
    let changed = again().await.expect(200);
    assert_ne!(changed.header("etag"), etag);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_page_is_kept_for_good_unless_it_tells_of_a_person() {
    const FOR_GOOD: &str = "private, max-age=31536000, immutable";
    const ASK: &str = "private, no-cache";
    let (app, ada, auditor) = some_history().await;
    let head = app.log.head().await.unwrap().0;
    let beyond = head + 100;
    for (query, expected) in [
        ("type=account.&limit=1".to_owned(), FOR_GOOD),
        (format!("type=account.&until={head}"), FOR_GOOD),
        ("type=account.".to_owned(), ASK),
        (format!("type=account.&until={beyond}"), ASK),
        ("type=account.&before=2999-01-01T00:00:00Z".to_owned(), ASK),
        (
            format!("type=account.&until={beyond}&before=2999-01-01T00:00:00Z"),
            ASK,
        ),
        (
            format!("type=account.&until={head}&before=2999-01-01T00:00:00Z"),
            FOR_GOOD,
        ),
        ("type=listener.&limit=1".to_owned(), ASK),
    ] {
        let reply = read(&app, &auditor, &query).await;
        assert_eq!(reply.header("cache-control"), expected, "{query}");
        assert_eq!(reply.header("vary"), "accept, authorization");
    }
    // Why a page with opened data must be asked for again: its person may be forgotten. Then nothing is left to forget.
    let of_ada = "type=listener.&limit=1";
    let told = read(&app, &auditor, of_ada).await;
    app.call("DELETE /v1/me").by(&ada.token).send().await.expect(204);
    let asked_again = app
        .call(LIST)
        .query(of_ada)
        .by(&auditor.token)
        .header("if-none-match", told.header("etag"));
    let forgotten = asked_again.send().await.expect(200);
    assert_eq!(forgotten.json()["items"][0]["datastate"], "erased");
    assert_eq!(forgotten.header("cache-control"), FOR_GOOD);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_leads_to_the_next_page_of_the_same_events() {
    let (app, _, auditor) = some_history().await;
    let (mut query, mut seen) = ("type=account.&after=0&limit=2".to_owned(), Vec::new());
    loop {
        let page = read(&app, &auditor, &query).await;
        seen.extend(positions(&page.json()));
        if page.headers.get("link").is_none() {
            break;
        }
        let link = page.header("link");
        let target = link.strip_prefix("</v1/events?").unwrap();
        query = target.strip_suffix(">; rel=\"next\"").unwrap().to_owned();
        let next = page.json()["next_cursor"].as_str().unwrap().to_owned();
        assert_eq!(query, format!("type=account.&limit=2&cursor={next}"));
    }
    let accounts = all(&app).await;
    let accounts = accounts
        .iter()
        .filter(|event| event.event_type.starts_with("account."));
    assert_eq!(seen, accounts.map(|event| event.position.0).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_an_array_of_cloud_events() {
    let (app, _, auditor) = some_history().await;
    let list = read(&app, &auditor, "limit=3").await;
    let call = app.call(LIST).query("limit=3").by(&auditor.token);
    let batch = call
        .header("accept", "application/cloudevents-batch+json")
        .send()
        .await;
    let batch = batch.expect(200);
    assert_eq!(batch.header("content-type"), "application/cloudevents-batch+json");
    assert_eq!(batch.json(), list.json()["items"]);
    assert_ne!(batch.header("etag"), list.header("etag"));
    assert_eq!(batch.header("link"), list.header("link"));
    let call = app.call(LIST).by(&auditor.token).header("accept", "text/html");
    call.send().await.problem(406, "not-acceptable");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_is_ended_by_an_event_and_not_by_a_reading() {
    let (app, ada, auditor) = some_history().await;
    let other = app.auditor_named("another-auditor").await;
    let query = format!("after={}", app.log.head().await.unwrap());
    let waiting = app.call(LIST).query(&query).by(&auditor.token);
    let waiting = waiting.header("prefer", "wait=20").send();
    let meanwhile = async {
        // The other one's reading is in the log before the rating is; the wait goes on beyond it.
        read(&app, &other, "limit=1").await;
        rate(&app, &ada, "t3").await;
    };
    let (reply, ()) = tokio::join!(waiting, meanwhile);
    let reply = reply.expect(200);
    assert_eq!(reply.header("preference-applied"), "wait=20");
    let page = reply.json();
    let types: Vec<_> = page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| &item["type"])
        .collect();
    assert_eq!(types, ["access.history_read", "listener.track_rated"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_for_what_does_not_come_ends_in_an_empty_page() {
    let (app, _, auditor) = some_history().await;
    let query = format!("after={}&type=playlist.", app.log.head().await.unwrap());
    let call = app.call(LIST).query(&query).by(&auditor.token);
    let page = call.header("prefer", "wait=1").send().await.expect(200).json();
    assert_eq!(page, json!({"items": []}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_gives_nothing_to_a_session_that_ended_meanwhile() {
    let (app, _, auditor) = some_history().await;
    let query = format!("after={}&type=playlist.", app.log.head().await.unwrap());
    let waiting = app.call(LIST).query(&query).by(&auditor.token);
    let waiting = waiting.header("prefer", "wait=2").send();
    let meanwhile = async {
        // By then the other request has passed the gate.
        read(&app, &auditor, "limit=1").await;
        let call = app.call("DELETE /v1/sessions").by(&auditor.token);
        call.send().await.expect(204);
    };
    let (reply, ()) = tokio::join!(waiting, meanwhile);
    reply.problem(401, "unauthenticated");
}

/// A playlist's request, and what a worker makes of it: each effect names its direct cause.
#[tokio::test(flavor = "multi_thread")]
async fn a_chain_shows_what_one_request_caused() {
    let (app, ada, auditor) = some_history().await;
    let asked = app.call("POST /v1/playlists").by(&ada.token).json(json!({}));
    let id: PlaylistId = asked.send().await.expect(202).json()["id"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let requested = all(&app).await.pop().unwrap();
    let failed = PlaylistCommand::RecordFailure {
        reason: domain::FailureReason::NoCatalogue,
        detail: None,
        at: now(),
    };
    let stream = StreamId::new(PlaylistId::CATEGORY, id.uuid());
    let order = Order::<Playlist>::new(stream, failed, Metadata::caused_by(&requested));
    app.executor
        .execute(order.about(SubjectId(ada.id.uuid())))
        .await
        .unwrap();
    let failed = all(&app).await.pop().unwrap();
    let retract = ListenerCommand::Retract {
        track: TrackId::parse("t1").unwrap(),
        at: now(),
    };
    let stream = StreamId::new("listener", ada.id.uuid());
    let order = Order::<Listening>::new(stream, retract, Metadata::caused_by(&failed));
    app.executor
        .execute(order.about(SubjectId(ada.id.uuid())))
        .await
        .unwrap();
    let call = app
        .call("GET /v1/audit/correlations/{id}")
        .with("id", requested.correlation_id)
        .by(&auditor.token);
    let chain = call.send().await.expect(200).json();
    assert_eq!(
        (
            &chain["events"],
            &chain["complete"],
            chain["roots"].as_array().unwrap().len()
        ),
        (&json!(3), &json!(true), 1)
    );
    let root = &chain["roots"][0];
    let effect = &root["effects"][0];
    let last = &effect["effects"][0];
    let told = [root, effect, last].map(|link| (&link["type"], link.get("cause").cloned()));
    assert_eq!(
        told,
        [
            (&json!("playlist.requested"), None),
            (&json!("playlist.failed"), Some(root["id"].clone())),
            (&json!("listener.rating_retracted"), Some(effect["id"].clone())),
        ]
    );
    for field in ["position", "stream", "version", "recorded_at"] {
        assert!(!root[field].is_null(), "{field}");
    }
    let call = app
        .call("GET /v1/audit/correlations/{id}")
        .with("id", "nonsense")
        .by(&auditor.token);
    call.send().await.problem(400, "invalid-path");
    let call = app
        .call("GET /v1/audit/correlations/{id}")
        .with("id", requested.correlation_id)
        .by(&ada.token);
    call.send().await.problem(403, "forbidden");
}

/// Records a chain of `count` records, the first of which caused the others; others stand in between.
async fn append_chain(app: &App, chain: CorrelationId, count: usize) -> Vec<u64> {
    let read = HistoryRead::by_command_line(AccessCall::InclusionProve, Asked::position(1));
    let append = async |metadata| record_read(&app.log, &read, metadata).await.unwrap();
    let first = append(Metadata::correlated(chain)).await;
    let cause = app.log.read_after(Position(first.0 - 1), 1).await.unwrap();
    let mut positions = vec![first.0];
    for nth in 1..count {
        if nth % 400 == 0 {
            append(Metadata::new()).await;
        }
        positions.push(append(Metadata::caused_by(&cause[0])).await.0);
    }
    positions
}

/// The positions of all links, causes before effects.
fn told(links: &Value) -> Vec<u64> {
    let links = links.as_array().into_iter().flatten();
    let told = links.map(|link| {
        let effects = told(&link["effects"]);
        [vec![link["position"].as_u64().unwrap()], effects].concat()
    });
    told.flatten().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_chain_is_told_in_parts_each_of_which_goes_on_after_the_last() {
    let app = App::new().await;
    let auditor = app.auditor().await;
    let chain = CorrelationId::new();
    let positions = append_chain(&app, chain, 2_005).await;
    let ask = |query: &str| {
        let call = app.call("GET /v1/audit/correlations/{id}").with("id", chain);
        call.query(query).by(&auditor.token).send()
    };
    // Looked through at first, and then found by the index beside the tree.
    for grown in [0, app.log.head().await.unwrap().0] {
        app.log.tree().extend_to(grown).await.unwrap();
        let mut query = String::new();
        let parts = [&positions[..1_000], &positions[1_000..2_000], &positions[2_000..]];
        for (nth, part) in parts.into_iter().enumerate() {
            let page = ask(&query).await.expect(200).json();
            assert_eq!(told(&page["roots"]), part);
            assert_eq!(page["events"], part.len());
            let is_last = nth == 2;
            assert_eq!(page["complete"], is_last);
            let next = part.last().filter(|_| !is_last).map(u64::to_string);
            assert_eq!(page.get("next_cursor"), next.clone().map(Value::from).as_ref());
            // Whose cause was told before stands by itself, and still names it.
            let roots = page["roots"].as_array().unwrap();
            assert_eq!(roots.len(), if nth == 0 { 1 } else { part.len() });
            assert_eq!(roots[0].get("cause").is_some(), nth > 0);
            query = format!("cursor={}", next.unwrap_or_default());
        }
    }
    let beyond = format!("cursor={}", positions[2_004]);
    ask(&beyond).await.problem(404, "not-found");
    let refused = ask("cursor=nonsense").await.problem(400, "invalid-query").json();
    assert_eq!(refused["errors"][0]["field"], "cursor");
}
