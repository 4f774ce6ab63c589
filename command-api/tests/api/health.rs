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
    assert_eq!(names, ["process", "log", "accounts"]);
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
