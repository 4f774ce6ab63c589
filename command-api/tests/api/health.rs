//! Whether the process lives, and whether it can serve.

use serde_json::json;

use crate::common::App;

#[tokio::test(flavor = "multi_thread")]
async fn readiness_tells_what_it_looked_at() {
    let app = App::new().await;
    app.settle().await;
    app.call("GET /livez").send().await.expect(200);
    let brief = app.call("GET /readyz").send().await.expect(200);
    assert_eq!(brief.json(), json!({"status": "ready"}));
    let verbose = app
        .call("GET /readyz")
        .query("verbose")
        .send()
        .await
        .expect(200)
        .json();
    let names: Vec<_> = verbose["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|check| check["name"].clone())
        .collect();
    assert_eq!(names, ["process", "log", "sessions"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_tell_the_same_in_numbers() {
    let app = App::new().await;
    app.settle().await;
    let reply = app.call("GET /metrics").send().await.expect(200);
    assert_eq!(
        reply.header("content-type"),
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    let text = String::from_utf8(reply.body.to_vec()).unwrap();
    for line in [
        r#"segue_ready{part="log"} 1"#,
        r#"segue_ready{part="sessions"} 1"#,
        "# EOF",
    ] {
        assert!(text.lines().any(|found| found == line), "no {line} in {text}");
    }
    let head = app.log.head().await.unwrap();
    assert!(
        text.contains(&format!("segue_log_head_position{{part=\"log\"}} {head}\n")),
        "{text}"
    );
    app.api.begin_drain();
    let text = app.call("GET /metrics").send().await.expect(200);
    let text = String::from_utf8(text.body.to_vec()).unwrap();
    assert!(text.contains(r#"segue_ready{part="process"} 0"#), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_process_lives_and_is_not_ready() {
    let app = App::new().await;
    app.settle().await;
    app.api.begin_drain();
    app.call("GET /livez").send().await.expect(200);
    let reply = app.call("GET /readyz").send().await.problem(503, "not-ready");
    assert_eq!(
        reply.json()["errors"],
        json!([{"field": "process", "detail": "is stopping"}])
    );
    assert_eq!(reply.header("retry-after"), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_counted_by_route_and_never_by_what_a_client_chose() {
    let app = App::new().await;
    app.settle().await;
    app.call("GET /livez").send().await.expect(200);
    let track = app.call("GET /v1/tracks/{id}").with("id", "a-track-of-somebody");
    track.send().await.expect(401);
    app.call("GET /a-path-of-somebody").send().await.expect(404);
    app.call("MADEUP /livez").send().await.expect(405);
    let text = app.call("GET /metrics").send().await.expect(200);
    let text = String::from_utf8(text.body.to_vec()).unwrap();
    for line in [
        r#"segue_http_requests_total{route="/livez",method="GET",status="200"} 1"#,
        r#"segue_http_requests_total{route="/v1/tracks/{id}",method="GET",status="401"} 1"#,
        r#"segue_http_requests_total{route="none",method="GET",status="404"} 1"#,
        r#"segue_http_requests_total{route="/livez",method="other",status="405"} 1"#,
        r#"segue_http_request_duration_seconds_count{route="/livez",method="GET"} 1"#,
        "segue_catalogue_tracks 0",
        "segue_password_evaluations_running 0",
        "segue_password_evaluations_waiting 0",
    ] {
        assert!(text.lines().any(|found| found == line), "no {line} in {text}");
    }
    assert!(!text.contains("somebody") && !text.contains("MADEUP"), "{text}");
}
