//! The same wish twice.

use serde_json::json;

use crate::common::{App, PASSWORD};

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_with_a_key_has_one_effect_and_the_same_bytes() {
    let app = App::new().await;
    let ada = app.listener("ada").await;
    let ask = || {
        app.call("POST /v1/playlists")
            .by(&ada.token)
            .key("k1")
            .json(json!({"limit": 3}))
    };
    let first = ask().send().await.expect(202);
    let head = app.log.head().await.unwrap();
    for _ in 0..3 {
        let again = ask().send().await.expect(202);
        assert_eq!((&first.body, &first.headers), (&again.body, &again.headers));
    }
    assert_eq!(app.log.head().await.unwrap(), head);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_with_one_key_have_one_effect() {
    let app = App::new().await;
    let ada = app.listener("ada").await;
    let head = app.log.head().await.unwrap();
    let ask = || {
        app.call("POST /v1/playlists")
            .by(&ada.token)
            .key("k1")
            .json(json!({"limit": 3}))
            .send()
    };
    let replies = futures::future::join_all((0..20).map(|_| ask())).await;
    assert!(
        replies
            .iter()
            .all(|reply| reply.status == 202 || reply.status == 409)
    );
    assert_eq!(app.log.head().await.unwrap().0, head.0 + 1);
    ask().await.expect(202);
    assert_eq!(app.log.head().await.unwrap().0, head.0 + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_belongs_to_one_method_path_and_body() {
    let app = App::new().await;
    app.import().await;
    let ada = app.listener("ada").await;
    let like = json!({"rating": "like"});
    let rate = |track: &str, body: &serde_json::Value| {
        let call = app
            .call("PUT /v1/me/ratings/{track}")
            .with("track", track)
            .by(&ada.token)
            .key("k1");
        call.json(body.clone()).send()
    };
    rate("t1", &like).await.expect(204);
    rate("t1", &like).await.expect(204);
    rate("t2", &like).await.problem(422, "idempotency-key-reused");
    rate("t1", &json!({"rating": "dislike"}))
        .await
        .problem(422, "idempotency-key-reused");
    let call = app
        .call("DELETE /v1/me/ratings/{track}")
        .with("track", "t1")
        .by(&ada.token)
        .key("k1");
    call.send().await.problem(422, "idempotency-key-reused");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_counts_for_one_person() {
    let app = App::new().await;
    let (ada, bob) = (app.listener("ada").await, app.listener("bob").await);
    let ask = |token: &str| {
        app.call("POST /v1/playlists")
            .by(token)
            .key("k1")
            .json(json!({}))
            .send()
    };
    let (first, second) = (
        ask(&ada.token).await.expect(202),
        ask(&bob.token).await.expect(202),
    );
    assert_ne!(first.json()["id"], second.json()["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejection_is_given_again_even_when_it_would_go_well_now() {
    let app = App::new().await;
    let ada = app.listener("ada").await;
    let body = json!({"username": "ada", "password": PASSWORD});
    let register = || app.call("POST /v1/accounts").key("k1").json(body.clone());
    let first = register().send().await.problem(409, "username-taken");
    app.call("DELETE /v1/me").by(&ada.token).send().await.expect(204);
    let again = register().send().await.problem(409, "username-taken");
    assert_eq!((&first.body, &first.headers), (&again.body, &again.headers));
    app.call("POST /v1/accounts")
        .key("k2")
        .json(body)
        .send()
        .await
        .expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_with_a_key_is_not_hashed_again() {
    let app = App::new().await;
    let body = json!({"username": "ada", "password": PASSWORD});
    let register = || app.call("POST /v1/accounts").key("k1").json(body.clone()).send();
    let first = register().await.expect(201);
    let hashes = app.api.passwords().hashes();
    assert_eq!(register().await.expect(201).body, first.body);
    assert_eq!(app.api.passwords().hashes(), hashes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_never_stored() {
    let app = App::new().await;
    app.register("ada").await;
    let body = json!({"username": "ada", "password": PASSWORD});
    let sign_in = || app.call("POST /v1/sessions").key("k1").json(body.clone()).send();
    let (first, second) = (sign_in().await.expect(201), sign_in().await.expect(201));
    assert_ne!(first.json()["token"], second.json()["token"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_again_with_the_key_is_answered_though_the_session_is_over() {
    let app = App::new().await;
    let ada = app.listener("ada").await;
    for route in ["DELETE /v1/sessions/current", "DELETE /v1/sessions"] {
        let token = app.sign_in("ada").await;
        let sign_out = || app.call(route).by(&token).key("k1").send();
        let first = sign_out().await.expect(204);
        assert_eq!(sign_out().await.expect(204).headers, first.headers);
    }
    app.call("GET /v1/me")
        .by(&ada.token)
        .send()
        .await
        .problem(401, "unauthenticated");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_key_is_refused_on_every_write() {
    let app = App::new().await;
    let ada = app.listener("ada").await;
    let long = "k".repeat(256);
    for key in ["", "a b", &long] {
        let call = app.call("POST /v1/playlists").by(&ada.token).json(json!({}));
        let reply = call
            .header("idempotency-key", key)
            .send()
            .await
            .problem(400, "invalid-header");
        assert_eq!(reply.json()["errors"][0]["field"], "Idempotency-Key");
    }
    let call = app
        .call("POST /v1/sessions")
        .header("idempotency-key", "a b")
        .json(json!({}));
    call.send().await.problem(400, "invalid-header");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_ratings_with_a_key_give_the_same_results_again() {
    let app = App::new().await;
    app.import().await;
    let ada = app.listener("ada").await;
    for track in ["t1", "t9"] {
        let ratings = json!({"ratings": [{"track": track, "rating": "like"}]});
        let rate = || {
            app.call("POST /v1/me/ratings")
                .by(&ada.token)
                .key(track)
                .json(ratings.clone())
                .send()
        };
        let first = rate().await.expect(200);
        assert_eq!(rate().await.expect(200).body, first.body, "{track}");
    }
}
