//! Signing in and out.

use std::time::Duration;

use command_api::{ApiConfig, PasswordPolicy, ThrottleConfig};
use serde_json::json;

use crate::common::{App, PASSWORD, address, config};

/// Every way in which a sign-in can be wrong.
fn wrong_ways() -> Vec<serde_json::Value> {
    let long = "x".repeat(5_000);
    vec![
        json!({"username": "nobody", "password": PASSWORD}),
        json!({"username": "ada", "password": "wrong, but long enough"}),
        json!({"username": "ada", "password": ""}),
        json!({"username": "ada", "password": long}),
        json!({"username": "", "password": PASSWORD}),
        json!({"username": "no name at all", "password": PASSWORD}),
        json!({"username": long, "password": long}),
        json!({"username": "gone", "password": PASSWORD}),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_sign_in_costs_one_evaluation_and_answers_the_same_bytes() {
    let app = App::new().await;
    app.register("ada").await;
    let gone = app.listener("gone").await;
    app.call("DELETE /v1/me").by(&gone.token).send().await.expect(204);
    let mut answers = Vec::new();
    for credentials in wrong_ways() {
        let before = app.api.passwords().checks();
        let reply = app
            .call("POST /v1/sessions")
            .json(credentials.clone())
            .send()
            .await
            .expect(401);
        assert_eq!(app.api.passwords().checks(), before + 1, "{credentials}");
        answers.push((reply.headers.clone(), reply.body.clone()));
    }
    let before = app.api.passwords().checks();
    app.sign_in("ada").await;
    assert_eq!(app.api.passwords().checks(), before + 1, "the right password");
    answers.dedup();
    assert_eq!(answers.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_when_it_is_signed_out() {
    let app = App::new().await;
    let ada = app.listener("ada").await;
    let other = app.sign_in("ada").await;
    app.call("DELETE /v1/sessions/current")
        .by(&ada.token)
        .send()
        .await
        .expect(204);
    app.call("GET /v1/me")
        .by(&ada.token)
        .send()
        .await
        .problem(401, "unauthenticated");
    app.call("GET /v1/me").by(&other).send().await.expect(200);
    app.call("DELETE /v1/sessions")
        .by(&other)
        .send()
        .await
        .expect(204);
    app.call("GET /v1/me")
        .by(&other)
        .send()
        .await
        .problem(401, "unauthenticated");
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_listed_without_their_tokens() {
    let app = App::new().await;
    let ada = app.listener("ada").await;
    app.sign_in("ada").await;
    app.settle().await;
    let reply = app
        .call("GET /v1/sessions")
        .by(&ada.token)
        .send()
        .await
        .expect(200);
    let items = reply.json()["items"].as_array().unwrap().clone();
    let current: Vec<_> = items
        .iter()
        .map(|item| item["current"].as_bool().unwrap())
        .collect();
    assert_eq!(current, [false, true]);
    assert!(!String::from_utf8_lossy(&reply.body).contains(&ada.token));
}

#[tokio::test(flavor = "multi_thread")]
async fn anything_but_a_live_token_is_unauthenticated() {
    let app = App::new().await;
    let ada = app.listener("ada").await;
    let cut = &ada.token[..ada.token.len() - 1];
    let unknown = format!("segue_{}", "A".repeat(43));
    for token in ["", "x", cut, &unknown, &ada.token.to_uppercase()] {
        let reply = app
            .call("GET /v1/me")
            .by(token)
            .send()
            .await
            .problem(401, "unauthenticated");
        assert_eq!(reply.header("www-authenticate"), "Bearer");
    }
    app.call("GET /v1/me")
        .send()
        .await
        .problem(401, "unauthenticated");
    let basic = format!("Basic {}", ada.token);
    app.call("GET /v1/me")
        .header("authorization", basic)
        .send()
        .await
        .problem(401, "unauthenticated");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_was_not_used_ends() {
    let idle = ApiConfig {
        session_idle: Duration::from_secs(1),
        ..config()
    };
    let app = App::with_config(idle).await;
    let ada = app.listener("ada").await;
    app.call("GET /v1/me").by(&ada.token).send().await.expect(200);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    app.call("GET /v1/me")
        .by(&ada.token)
        .send()
        .await
        .problem(401, "unauthenticated");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_for_good_at_its_absolute_end() {
    let short = ApiConfig {
        session_absolute: Duration::from_secs(1),
        ..config()
    };
    let app = App::with_config(short).await;
    let ada = app.listener("ada").await;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    app.call("GET /v1/me")
        .by(&ada.token)
        .send()
        .await
        .problem(401, "unauthenticated");
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_gets_slow_and_says_for_how_long() {
    let block_min = Duration::from_secs(60);
    let throttle = Some(ThrottleConfig {
        account_free: 3,
        block_min,
        ..ThrottleConfig::default()
    });
    let app = App::with_config(ApiConfig { throttle, ..config() }).await;
    let ada = app.listener("ada").await;
    let wrong = json!({"username": "ada", "password": "wrong, but long enough"});
    for _ in 0..3 {
        let call = app.call("POST /v1/sessions").from(address(9)).json(wrong.clone());
        call.send().await.problem(401, "wrong-credentials");
    }
    let checks = app.api.passwords().checks();
    let right = json!({"username": "ada", "password": PASSWORD});
    let call = app.call("POST /v1/sessions").from(address(9)).json(right.clone());
    let reply = call.send().await.problem(429, "too-many-attempts");
    assert_eq!(
        app.api.passwords().checks(),
        checks,
        "a refused attempt is not looked at"
    );
    assert!(reply.header("retry-after").parse::<u64>().unwrap() >= 1);
    assert_eq!(reply.header("ratelimit-policy"), "\"sign-in\";q=3;w=900");
    assert!(reply.header("ratelimit").starts_with("\"sign-in\";r=0;t="));
    // The owner, where she has signed in before.
    app.call("POST /v1/sessions").json(right).send().await.expect(201);
    app.call("GET /v1/me").by(&ada.token).send().await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_throttle_can_be_turned_off() {
    let app = App::with_config(ApiConfig {
        throttle: None,
        ..config()
    })
    .await;
    let wrong = json!({"username": "ada", "password": "wrong, but long enough"});
    for _ in 0..50 {
        app.call("POST /v1/sessions")
            .json(wrong.clone())
            .send()
            .await
            .problem(401, "wrong-credentials");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_of_password_checks_answers_503_at_once() {
    let passwords = PasswordPolicy {
        memory_kib: 19_456,
        iterations: 6,
        concurrency: 1,
        waiting_max: 0,
        ..PasswordPolicy::cheap()
    };
    let app = App::with_config(ApiConfig {
        passwords,
        ..config()
    })
    .await;
    let wrong = json!({"username": "ada", "password": "wrong, but long enough"});
    let tries = (0..12).map(|_| app.call("POST /v1/sessions").json(wrong.clone()).send());
    let replies = futures::future::join_all(tries).await;
    let full: Vec<_> = replies.iter().filter(|reply| reply.status == 503).collect();
    assert!(!full.is_empty());
    assert!(full.iter().all(|reply| reply.header("retry-after") == "1"));
    assert!(replies.iter().any(|reply| reply.status == 401));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_hashed_again_when_the_parameters_have_changed() {
    let app = App::new().await;
    app.register("ada").await;
    let dir = app.dir.clone();
    drop(app);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let passwords = PasswordPolicy {
        iterations: 2,
        ..PasswordPolicy::cheap()
    };
    let app = App::in_dir(
        dir,
        ApiConfig {
            passwords,
            ..config()
        },
        true,
    )
    .await;
    let checks = app.api.passwords().checks();
    let token = app.sign_in("ada").await;
    assert_eq!(app.api.passwords().checks(), checks + 1);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while app.log.head().await.unwrap().0 < 3 {
        assert!(
            tokio::time::Instant::now() < deadline,
            "the password was not hashed again"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let last = app.log.read_after(eventing::Position(2), 1).await.unwrap();
    assert_eq!(last[0].event_type, "account.password_changed");
    app.call("GET /v1/me").by(&token).send().await.expect(200);
    app.sign_in("ada").await;
}
