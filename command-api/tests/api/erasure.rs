//! A person is forgotten.

use std::time::Duration;

use domain::AccountCommand;
use serde_json::json;

use crate::common::{App, PASSWORD, config, now};

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_person_is_gone_from_every_view_and_their_name_is_free() {
    let app = App::new().await;
    app.import().await;
    let ada = app.listener("ada").await;
    let call = app
        .call("PUT /v1/me/ratings/{track}")
        .with("track", "t1")
        .by(&ada.token);
    call.json(json!({"rating": "like"})).send().await.expect(204);
    let asked = app
        .call("POST /v1/playlists")
        .by(&ada.token)
        .json(json!({}))
        .send()
        .await
        .expect(202);
    let playlist = asked.json()["id"].as_str().unwrap().parse().unwrap();
    app.settle().await;
    app.call("DELETE /v1/me").by(&ada.token).send().await.expect(204);
    app.call("GET /v1/me")
        .by(&ada.token)
        .send()
        .await
        .problem(401, "unauthenticated");
    app.settle().await;
    assert!(app.views.account(ada.id).await.unwrap().is_none());
    assert_eq!(app.views.taste(ada.id).await.unwrap().view.likes, 0);
    assert!(app.views.playlist(playlist).await.unwrap().is_none());
    app.listener("ada").await;
    let auditor = app.auditor().await;
    let call = app
        .call("GET /v1/events")
        .query("type=listener.")
        .by(&auditor.token);
    let events = call.send().await.expect(200).json();
    assert_eq!(
        (&events["items"][0]["datastate"], events["items"][0].get("data")),
        (&json!("erased"), None)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_erasure_again_has_the_same_answer() {
    let app = App::new().await;
    let ada = app.listener("ada").await;
    let erase = || app.call("DELETE /v1/me").by(&ada.token).key("forget-me");
    let first = erase().send().await.expect(204);
    let again = erase().send().await.expect(204);
    assert_eq!(first.position(), again.position());
    app.call("DELETE /v1/me")
        .by(&ada.token)
        .send()
        .await
        .problem(401, "unauthenticated");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_that_a_crash_cut_short_is_finished_at_the_next_start() {
    let app = App::new().await;
    let ada = app.listener("ada").await;
    // The fact is in the log, and the process dies before the key is destroyed.
    app.order_account(ada.id, AccountCommand::Erase { at: now() })
        .await;
    let erased = app.log.read_after(eventing::Position(0), 1).await.unwrap();
    assert!(matches!(
        app.keys.open_event(&erased[0]).await.unwrap(),
        eventing::Payload::Open(_)
    ));
    let dir = app.dir.clone();
    drop(app);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let app = App::in_dir(dir, config(), true).await;
    assert!(matches!(
        app.keys.open_event(&erased[0]).await.unwrap(),
        eventing::Payload::Erased
    ));
    let body = json!({"username": "ada", "password": PASSWORD});
    app.call("POST /v1/sessions")
        .json(body)
        .send()
        .await
        .problem(401, "wrong-credentials");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_answer_goes_with_its_person() {
    let app = App::new().await;
    let body = json!({"username": "ada", "password": PASSWORD});
    let register = || app.call("POST /v1/accounts").key("once").json(body.clone());
    let id = register().send().await.expect(201).json()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let token = app.sign_in("ada").await;
    app.call("DELETE /v1/me").by(&token).send().await.expect(204);
    let again = register().send().await;
    assert!(!String::from_utf8_lossy(&again.body).contains(&id));
    assert!(!again.headers.contains_key("location"));
}
