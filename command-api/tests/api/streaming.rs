//! Events as they come: `GET /v1/events/stream` and `GET /v1/me/events`.

use std::time::Duration;

use axum::body::Body;
use command_api::ApiConfig;
use domain::{AccountCommand, PlaylistId, Role};
use eventing::Position;
use http::StatusCode;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::common::{App, Call, Listener, PASSWORD, config};

/// Nothing here takes long; a test that waits longer has found a fault.
const PATIENCE: Duration = Duration::from_secs(20);
const HISTORY: &str = "GET /v1/events/stream";
const MINE: &str = "GET /v1/me/events";

/// The reader's end of a stream.
struct Stream {
    body: Body,
    text: String,
    /// Everything that was received.
    all: String,
}

/// One event, as it was received.
#[derive(Debug, Default, PartialEq)]
struct Received {
    id: u64,
    event: String,
    data: Value,
}

impl Stream {
    async fn open(call: Call<'_>) -> Self {
        let response = call.respond().await;
        assert_eq!(response.status(), StatusCode::OK);
        let headers = response.headers();
        assert_eq!(headers["content-type"], "text/event-stream");
        assert_eq!(headers["cache-control"], "private, no-store");
        Self {
            body: response.into_body(),
            text: String::new(),
            all: String::new(),
        }
    }

    /// The next block, up to an empty line; none when the stream is over.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                return Some(block);
            }
            let frame = timeout(PATIENCE, self.body.frame()).await.expect("nothing comes");
            let data = frame?.expect("a whole frame").into_data().expect("data");
            let text = String::from_utf8(data.to_vec()).unwrap();
            self.all.push_str(&text);
            self.text.push_str(&text);
        }
    }

    /// The next event; none when the stream is over. What tells of none is passed over, as readers do.
    async fn next(&mut self) -> Option<Received> {
        loop {
            let block = self.block().await?;
            let mut received = Received::default();
            for line in block.lines() {
                match line.split_once(": ") {
                    Some(("id", id)) => received.id = id.parse().unwrap(),
                    Some(("event", event)) => received.event = event.to_owned(),
                    Some(("data", data)) => received.data = serde_json::from_str(data).unwrap(),
                    _ => {}
                }
            }
            if !received.data.is_null() {
                return Some(received);
            }
        }
    }

    async fn next_types(&mut self, count: usize) -> Vec<String> {
        let mut types = Vec::new();
        for _ in 0..count {
            types.push(self.next().await.expect("the stream goes on").event);
        }
        types
    }
}

async fn rate(app: &App, by: &Listener, track: &str) {
    let call = app
        .call("PUT /v1/me/ratings/{track}")
        .with("track", track)
        .by(&by.token);
    call.json(json!({"rating": "like"})).send().await.expect(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auditor_gets_the_history_from_where_they_were_and_what_comes() {
    let app = App::new().await;
    app.import().await;
    let ada = app.listener("ada").await;
    let auditor = app.auditor().await;
    let head = app.log.head().await.unwrap().0;
    let open = app.call("GET /v1/events/stream").by(&auditor.token);
    let mut stream = Stream::open(open.header("last-event-id", 2)).await;
    for position in 3..=head {
        let received = stream.next().await.unwrap();
        assert_eq!(
            (received.id, &received.data["position"]),
            (position, &json!(position))
        );
        assert_eq!(
            (&received.data["specversion"], &received.data["type"]),
            (&json!("1.0"), &json!(received.event))
        );
    }
    let opened = app.log.read_after(Position(head), 10).await.unwrap();
    let opened: Vec<_> = opened.iter().map(|event| event.event_type.as_str()).collect();
    assert_eq!(opened, ["access.history_read"], "the opening is recorded, once");
    rate(&app, &ada, "t1").await;
    let rated = stream.next().await.unwrap();
    assert_eq!(
        (rated.id, rated.event.as_str(), &rated.data["data"]["track"]),
        (head + 2, "listener.track_rated", &json!("t1")),
        "one's own access record is passed over"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_filtered_and_begins_now_when_nothing_is_said() {
    let app = App::new().await;
    app.import().await;
    let (ada, ben) = (app.listener("ada").await, app.listener("ben").await);
    let auditor = app.auditor().await;
    rate(&app, &ada, "t1").await;
    let of_ada = app
        .call(HISTORY)
        .query(&format!("subject={}&type=listener.", ada.id));
    let mut of_ada = Stream::open(of_ada.by(&auditor.token)).await;
    let access = app.call(HISTORY).query("type=access.").by(&auditor.token);
    let mut access = Stream::open(access.header("last-event-id", 0)).await;
    rate(&app, &ben, "t2").await;
    rate(&app, &ada, "t3").await;
    let rated = of_ada.next().await.unwrap();
    assert_eq!(rated.data["data"]["track"], "t3");
    assert_eq!(access.next_types(2).await, ["access.history_read"; 2]);
    for (query, field) in [("type=nonsense", "type"), ("subject=ada", "subject")] {
        let refused = app.call(HISTORY).query(query).by(&auditor.token).send().await;
        let refused = refused.problem(400, "invalid-query").json();
        assert_eq!(refused["errors"][0]["field"], field);
    }
    for value in ["", "-1", "x"] {
        for (route, by) in [(HISTORY, &auditor), (MINE, &ada)] {
            let call = app.call(route).by(&by.token).header("last-event-id", value);
            call.send().await.problem(400, "invalid-header");
        }
    }
    app.call(HISTORY)
        .by(&ada.token)
        .send()
        .await
        .problem(403, "forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_hears_of_themselves_and_of_nobody_else_and_no_secret() {
    let app = App::new().await;
    app.import().await;
    let (ada, ben) = (app.listener("ada").await, app.listener("ben").await);
    let open = app.call("GET /v1/me/events").by(&ada.token);
    let mut stream = Stream::open(open.header("last-event-id", 0)).await;
    rate(&app, &ben, "t2").await;
    rate(&app, &ada, "t1").await;
    let asked = app
        .call("POST /v1/playlists")
        .by(&ada.token)
        .json(json!({"name": "Rain"}));
    let id: PlaylistId = asked.send().await.expect(202).json()["id"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    app.generate(id, &["t1", "t3"]).await;
    let types = stream.next_types(4).await;
    assert_eq!(
        types,
        [
            "account.registered",
            "account.signed_in",
            "listener.track_rated",
            "playlist.requested"
        ]
    );
    let ready = stream.next().await.unwrap();
    assert_eq!(ready.event, "playlist.generated");
    let data = &ready.data["data"];
    assert_eq!(
        (&data["playlist"], &data["status"], &data["returned"]),
        (&json!(id), &json!("ready"), &json!(2))
    );
    let body = json!({"current_password": PASSWORD, "new_password": "another violet harbour fork"});
    let call = app.call("PUT /v1/me/password").by(&ada.token).json(body);
    call.send().await.expect(204);
    assert_eq!(stream.next_types(1).await, ["account.password_changed"]);
    let session = domain::SessionHash::of(&ada.token).to_string();
    for secret in ["argon2", session.as_str(), &ben.id.to_string(), "t2"] {
        assert!(!stream.all.contains(secret), "{secret} in {}", stream.all);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_its_session() {
    let app = App::new().await;
    let ada = app.listener("ada").await;
    let mut stream = Stream::open(app.call(MINE).by(&ada.token)).await;
    let call = app.call("DELETE /v1/sessions").by(&ada.token);
    call.send().await.expect(204);
    let ends_by = Instant::now() + PATIENCE;
    while stream.next().await.is_some() {
        assert!(Instant::now() < ends_by);
    }
    assert!(
        !stream.all.contains("all_signed_out"),
        "nothing is told after the session"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auditors_stream_ends_with_the_role() {
    let app = App::new().await;
    let auditor = app.auditor().await;
    let mut stream = Stream::open(app.call(HISTORY).by(&auditor.token)).await;
    let command = AccountCommand::GrantRole {
        role: Role::Listener,
        granted_by: None,
    };
    app.order_account(auditor.id, command).await;
    assert_eq!(stream.next().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_end_when_the_server_is_asked_to_stop() {
    let app = App::new().await;
    let ada = app.listener("ada").await;
    let mut stream = Stream::open(app.call(MINE).by(&ada.token)).await;
    app.api.begin_drain();
    assert_eq!(stream.next().await, None);
    app.call(MINE)
        .by(&ada.token)
        .send()
        .await
        .problem(503, "not-ready");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_stream_gives_signs_of_life_that_carry_on() {
    let app = App::with_config(ApiConfig {
        stream_keep_alive: Duration::from_millis(50),
        ..config()
    })
    .await;
    let (ada, ben) = (app.listener("ada").await, app.listener("ben").await);
    let mut stream = Stream::open(app.call(MINE).by(&ada.token)).await;
    assert_eq!(stream.block().await.unwrap(), "retry: 1000");
    app.sign_in("ben").await;
    let head = app.log.head().await.unwrap();
    let expected = format!(":\nid: {head}");
    let by = Instant::now() + PATIENCE;
    while stream.block().await.unwrap() != expected {
        assert!(
            Instant::now() < by,
            "no sign of life up to {head}: {}",
            stream.all
        );
    }
    assert!(!stream.all.contains(&ben.id.to_string()));
}

/// A reader who takes nothing holds a bounded part of the log for a bounded time, and then their place is free.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_who_takes_nothing_is_cut_off() {
    let app = App::with_config(ApiConfig {
        streams_max: 1,
        stream_patience: Duration::from_millis(100),
        ..config()
    })
    .await;
    app.import().await;
    let ada = app.listener("ada").await;
    let before = app.log.head().await.unwrap().0;
    let mut idle = Stream::open(app.call(MINE).by(&ada.token)).await;
    app.call(MINE)
        .by(&ada.token)
        .send()
        .await
        .problem(503, "overloaded");
    for _ in 0..10 {
        for rating in ["like", "dislike"] {
            let rated = ["t1", "t2", "t3", "t4"].map(|track| json!({"track": track, "rating": rating}));
            let call = app.call("POST /v1/me/ratings").by(&ada.token);
            call.json(json!({"ratings": rated})).send().await.expect(200);
        }
    }
    let by = Instant::now() + PATIENCE;
    let again = loop {
        let response = app.call(MINE).by(&ada.token).respond().await;
        if response.status() == StatusCode::OK {
            break response;
        }
        assert!(Instant::now() < by, "the idle reader holds their place");
        tokio::task::yield_now().await;
    };
    drop(again);
    let mut last = before;
    while let Some(received) = idle.next().await {
        assert!(received.id > last);
        last = received.id;
    }
    assert!(
        last < app.log.head().await.unwrap().0,
        "they were given everything"
    );
}
