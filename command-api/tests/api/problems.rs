//! Everything that is not a success.

use serde_json::json;

use crate::common::App;

/// Stable for callers: a change here is a change of the API.
#[test]
fn the_list_of_problem_types_is_what_it_was() {
    let listed: Vec<_> = command_api::ProblemType::ALL
        .iter()
        .map(|kind| format!("{} {} {}", kind.status().as_u16(), kind.slug(), kind.title()))
        .collect();
    let expected = include_str!("problems.txt");
    assert_eq!(listed.join("\n"), expected.trim_end());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_path_is_a_problem() {
    let app = App::new().await;
    for route in [
        "GET /",
        "GET /v1",
        "POST /v1/nothing",
        "GET /v1/me/",
        "GET /problems/not-found",
    ] {
        app.call(route).send().await.problem(404, "not-found");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_method_says_which_are_right() {
    let app = App::new().await;
    let reply = app
        .call("PATCH /v1/sessions")
        .send()
        .await
        .problem(405, "method-not-allowed");
    let mut allowed: Vec<_> = reply.header("allow").split(',').map(str::trim).collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["DELETE", "GET", "HEAD", "POST"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_another_kind_is_refused() {
    let app = App::new().await;
    let call = app
        .call("POST /v1/accounts")
        .header("content-type", "text/plain")
        .body("x");
    call.send().await.problem(415, "unsupported-media-type");
    app.call("POST /v1/accounts")
        .send()
        .await
        .problem(415, "unsupported-media-type");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_body_is_refused_and_the_largest_is_taken() {
    let app = App::new().await;
    let call = |bytes| {
        app.call("POST /v1/accounts")
            .header("content-type", "application/json")
            .body(vec![b' '; bytes])
    };
    call((1 << 20) + 1).send().await.problem(413, "body-too-large");
    call(1 << 20).send().await.problem(400, "invalid-body");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_body_names_the_field_and_repeats_no_value() {
    let app = App::new().await;
    for (body, field, detail) in [
        (json!({"username": "ada"}), "password", "is missing"),
        (
            json!({"username": "ada", "password": ["hunter2"]}),
            "password",
            "expected a string",
        ),
        (
            json!({"username": "ada", "password": "x", "role": "operator"}),
            "role",
            "is not known here",
        ),
    ] {
        let reply = app
            .call("POST /v1/accounts")
            .json(body)
            .send()
            .await
            .problem(400, "invalid-body");
        assert_eq!(
            reply.json()["errors"],
            json!([{"field": field, "detail": detail}])
        );
        assert!(!String::from_utf8_lossy(&reply.body).contains("hunter2"));
    }
    let call = app
        .call("POST /v1/accounts")
        .header("content-type", "application/json; charset=utf-8")
        .body("{");
    let reply = call.send().await.problem(400, "invalid-body");
    assert_eq!(reply.json()["detail"], "not JSON at line 1, column 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_parameters_are_refused() {
    let app = App::new().await;
    let ada = app.listener("ada").await;
    for (route, query) in [
        ("GET /v1/tracks", "qq=x"),
        ("GET /v1/tracks", "limit=0"),
        ("GET /v1/tracks", "limit=1001"),
        ("GET /v1/tracks", "limit=-1"),
        ("GET /v1/me/ratings", "offset=1"),
        ("GET /v1/playlists", "limit=1&limit=2"),
    ] {
        app.call(route)
            .query(query)
            .by(&ada.token)
            .send()
            .await
            .problem(400, "invalid-query");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_id_in_the_path_is_refused() {
    let app = App::new().await;
    let ada = app.listener("ada").await;
    let call = app.call("GET /v1/playlists/{id}").with("id", "7").by(&ada.token);
    call.send().await.problem(400, "invalid-path");
    let call = app.call("GET /v1/tracks/{id}").with("id", "%20x").by(&ada.token);
    call.send().await.problem(400, "invalid-path");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_take_no_body_refuse_one() {
    let app = App::new().await;
    let ada = app.listener("ada").await;
    app.call("DELETE /v1/me")
        .by(&ada.token)
        .body("{}")
        .send()
        .await
        .problem(400, "invalid-body");
    app.call("GET /v1/me").by(&ada.token).send().await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_may_be_taken_for_something_else() {
    let app = App::new().await;
    for (call, status) in [
        ("GET /livez", 200),
        ("GET /nowhere", 404),
        ("PUT /livez", 405),
        ("GET /v1/me", 401),
    ] {
        let reply = app.call(call).send().await.expect(status);
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{call}");
    }
}
