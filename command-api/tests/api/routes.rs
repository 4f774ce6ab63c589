//! Every route has a test.

const TESTS: &[&str] = &[
    include_str!("accounts.rs"),
    include_str!("audit.rs"),
    include_str!("erasure.rs"),
    include_str!("gate.rs"),
    include_str!("health.rs"),
    include_str!("history.rs"),
    include_str!("idempotency.rs"),
    include_str!("listening.rs"),
    include_str!("playlists.rs"),
    include_str!("proofs.rs"),
    include_str!("sessions.rs"),
    include_str!("streaming.rs"),
];

#[test]
fn every_route_is_called_by_a_test() {
    for (method, path) in command_api::ROUTES {
        let call = format!("call(\"{method} {path}\")");
        assert!(
            TESTS.iter().any(|test| test.contains(&call)),
            "no test does {call}"
        );
    }
}

#[test]
fn the_list_of_routes_is_sorted() {
    assert!(command_api::ROUTES.is_sorted_by_key(|(method, path)| (*path, *method)));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_listed_route_exists_and_asks_who_is_there() {
    let app = crate::common::App::new().await;
    let open = ["/livez", "/metrics", "/readyz", "/v1/accounts"];
    for (method, path) in command_api::ROUTES {
        if open.contains(path) || (*method, *path) == ("POST", "/v1/sessions") {
            continue;
        }
        let route: &'static str = format!("{method} {path}").leak();
        app.call(route)
            .with("track", "t")
            .with("id", "1")
            .with("stream", "s")
            .with("level", "0")
            .with("*path", "000")
            .send()
            .await
            .problem(401, "unauthenticated");
    }
}
