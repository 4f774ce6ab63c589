//! Registration, the own account, and its password.

use serde_json::json;

use crate::common::{App, PASSWORD};

#[tokio::test(flavor = "multi_thread")]
async fn a_new_account_is_there_and_a_listener() {
    let app = App::new().await;
    let body = json!({"username": "Ada", "password": PASSWORD});
    let reply = app.call("POST /v1/accounts").json(body).send().await.expect(201);
    assert_eq!(reply.header("location"), "/v1/me");
    assert_eq!(reply.position(), 1);
    assert_eq!(reply.json()["role"], "listener");
    let token = app.sign_in("ada").await;
    let me = app.call("GET /v1/me").by(&token).send().await.expect(200);
    assert_eq!(
        (&me.json()["username"], &me.json()["id"]),
        (&json!("Ada"), &reply.json()["id"])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_taken_in_every_spelling() {
    let app = App::new().await;
    app.register("Ada").await;
    for name in ["Ada", "ADA", "ada", "\u{ff21}da"] {
        let body = json!({"username": name, "password": PASSWORD});
        app.call("POST /v1/accounts")
            .json(body)
            .send()
            .await
            .problem(409, "username-taken");
    }
    assert_eq!(app.log.head().await.unwrap().0, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_want_a_name_at_once_one_gets_it() {
    let app = App::new().await;
    let body = json!({"username": "ada", "password": PASSWORD});
    let tries = (0..8).map(|_| app.call("POST /v1/accounts").json(body.clone()).send());
    let replies = futures::future::join_all(tries).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 201).count(), 1);
    assert_eq!(replies.iter().filter(|reply| reply.status == 409).count(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn weak_passwords_and_bad_names_are_refused_with_the_field() {
    let app = App::new().await;
    for password in [
        "short",
        "passwordpassword",
        "ada-ada-ada-ada-ada",
        &"x1!Y".repeat(40),
    ] {
        let body = json!({"username": "ada", "password": password});
        let reply = app
            .call("POST /v1/accounts")
            .json(body)
            .send()
            .await
            .problem(422, "weak-password");
        assert_eq!(reply.json()["errors"][0]["field"], "password");
    }
    for username in ["ab", "with space", "tab\tbed", &"x".repeat(65)] {
        let body = json!({"username": username, "password": PASSWORD});
        let reply = app
            .call("POST /v1/accounts")
            .json(body)
            .send()
            .await
            .problem(422, "invalid-username");
        assert_eq!(reply.json()["errors"][0]["field"], "username");
    }
    assert_eq!(app.log.head().await.unwrap().0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_password_ends_every_other_session() {
    let app = App::new().await;
    let ada = app.listener("ada").await;
    let elsewhere = app.sign_in("ada").await;
    let new = "quartz lantern seven rivers";
    let body = json!({"current_password": PASSWORD, "new_password": new});
    app.call("PUT /v1/me/password")
        .by(&ada.token)
        .json(body)
        .send()
        .await
        .expect(204);
    app.call("GET /v1/me")
        .by(&elsewhere)
        .send()
        .await
        .problem(401, "unauthenticated");
    app.call("GET /v1/me").by(&ada.token).send().await.expect(200);
    let old = json!({"username": "ada", "password": PASSWORD});
    app.call("POST /v1/sessions")
        .json(old)
        .send()
        .await
        .problem(401, "wrong-credentials");
    let now = json!({"username": "ada", "password": new});
    app.call("POST /v1/sessions").json(now).send().await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_not_changed_without_the_current_one() {
    let app = App::new().await;
    let ada = app.listener("ada").await;
    let head = app.log.head().await.unwrap();
    let body =
        json!({"current_password": "not it at all, no", "new_password": "quartz lantern seven rivers"});
    app.call("PUT /v1/me/password")
        .by(&ada.token)
        .json(body)
        .send()
        .await
        .problem(403, "wrong-password");
    let weak = json!({"current_password": PASSWORD, "new_password": "short"});
    app.call("PUT /v1/me/password")
        .by(&ada.token)
        .json(weak)
        .send()
        .await
        .problem(422, "weak-password");
    assert_eq!(app.log.head().await.unwrap(), head);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_holds_everything_about_a_person_and_no_secret() {
    let app = App::new().await;
    app.import().await;
    let ada = app.listener("ada").await;
    let like = json!({"rating": "like"});
    app.call("PUT /v1/me/ratings/{track}")
        .with("track", "t1")
        .by(&ada.token)
        .json(like)
        .send()
        .await
        .expect(204);
    app.call("DELETE /v1/me/ratings/{track}")
        .with("track", "t1")
        .by(&ada.token)
        .send()
        .await
        .expect(204);
    let play = json!({"track": "t2", "duration_played_ms": 1000});
    app.call("POST /v1/me/plays")
        .by(&ada.token)
        .json(play)
        .send()
        .await
        .expect(204);
    let asked = app
        .call("POST /v1/playlists")
        .by(&ada.token)
        .key("once")
        .json(json!({"name": "Mine"}))
        .send()
        .await
        .expect(202);
    app.generate(
        asked.json()["id"].as_str().unwrap().parse().unwrap(),
        &["t1", "t3"],
    )
    .await;
    app.settle().await;
    let export = app
        .call("GET /v1/me/export")
        .by(&ada.token)
        .send()
        .await
        .expect(200);
    let body = export.json();
    assert_eq!(body["account"]["username"], "ada");
    assert_eq!(body["sessions"].as_array().unwrap().len(), 1);
    assert_eq!(body["ratings"].as_array().unwrap().len(), 2);
    assert_eq!(body["plays"][0]["track"], "t2");
    assert_eq!(body["playlists"][0]["items"][1]["track"]["name"], "Glass Garden");
    let history: Vec<_> = body["account_history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|happened| happened["what"].as_str().unwrap())
        .collect();
    assert_eq!(history, ["registered", "signed_in"]);
    assert_eq!(body["taste"]["plays"], 1);
    assert_eq!(body["held_besides"]["stored_answers"], 1);
    let text = String::from_utf8(export.body.to_vec()).unwrap();
    assert!(!text.contains("argon2") && !text.contains(&ada.token));
}
