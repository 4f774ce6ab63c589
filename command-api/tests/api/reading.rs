//! Reading what was just written.

use serde_json::json;

use crate::common::App;

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_cannot_be_recent_enough_says_so() {
    let app = App::new().await;
    app.import().await;
    let ada = app.listener("ada").await;
    app.settle().await;
    app.stop_projecting().await;
    let call = app
        .call("PUT /v1/me/ratings/{track}")
        .with("track", "t1")
        .by(&ada.token);
    let position = call
        .json(json!({"rating": "like"}))
        .send()
        .await
        .expect(204)
        .position();
    let read = |wait: &str| {
        let call = app
            .call("GET /v1/me/taste")
            .by(&ada.token)
            .header("segue-min-position", position);
        call.header("prefer", wait).send()
    };
    let reply = read("wait=1").await.problem(503, "behind");
    assert_eq!(reply.header("retry-after"), "1");
    assert_eq!(reply.header("preference-applied"), "wait=1");
    let (reply, ()) = tokio::join!(read("wait=20"), app.project());
    let reply = reply.expect(200);
    assert_eq!(reply.json()["likes"], 1);
    assert!(reply.position() >= position);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_nothing_happened_to_is_current() {
    let app = App::new().await;
    let (ada, bob) = (app.listener("ada").await, app.listener("bob").await);
    app.settle().await;
    app.stop_projecting().await;
    let position = app
        .call("POST /v1/playlists")
        .by(&bob.token)
        .json(json!({}))
        .send()
        .await
        .expect(202)
        .position();
    for route in [
        "GET /v1/me",
        "GET /v1/sessions",
        "GET /v1/me/ratings",
        "GET /v1/playlists",
        "GET /v1/tracks",
    ] {
        let reply = app
            .call(route)
            .by(&ada.token)
            .header("segue-min-position", position)
            .send()
            .await
            .expect(200);
        assert!(reply.position() >= position, "{route}");
    }
    let call = app
        .call("GET /v1/playlists")
        .by(&bob.token)
        .header("segue-min-position", position);
    call.send().await.problem(503, "behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_that_does_not_exist_yet_is_waited_for_and_then_refused() {
    let app = App::new().await;
    let ada = app.listener("ada").await;
    app.settle().await;
    let call = app
        .call("GET /v1/me")
        .by(&ada.token)
        .header("segue-min-position", 1_000)
        .header("prefer", "wait=1");
    call.send().await.problem(503, "behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_position_is_refused() {
    let app = App::new().await;
    let ada = app.listener("ada").await;
    for position in ["", "x", "-1", "1.5", "99999999999999999999999"] {
        let call = app
            .call("GET /v1/me")
            .by(&ada.token)
            .header("segue-min-position", position);
        let reply = call.send().await.problem(400, "invalid-header");
        assert_eq!(reply.json()["errors"][0]["field"], "Segue-Min-Position");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_read_tells_what_it_reflects() {
    let app = App::new().await;
    app.import().await;
    let auditor = app.auditor().await;
    app.settle().await;
    for route in [
        "GET /v1/me",
        "GET /v1/me/export",
        "GET /v1/me/ratings",
        "GET /v1/me/taste",
        "GET /v1/sessions",
        "GET /v1/tracks",
        "GET /v1/tracks/t1",
        "GET /v1/playlists",
        "GET /v1/events",
    ] {
        assert!(
            app.call(route)
                .by(&auditor.token)
                .send()
                .await
                .expect(200)
                .position()
                > 0,
            "{route}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callers_trace_stands_in_the_record() {
    let app = App::new().await;
    let ada = app.listener("ada").await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    for header in [trace, "nonsense"] {
        let call = app
            .call("POST /v1/playlists")
            .by(&ada.token)
            .header("traceparent", header)
            .json(json!({}));
        let position = call.send().await.expect(202).position();
        let event = app
            .log
            .read_after(eventing::Position(position - 1), 1)
            .await
            .unwrap()
            .remove(0);
        assert_eq!(
            event.traceparent.as_deref(),
            Some(header).filter(|header| *header == trace)
        );
    }
}
