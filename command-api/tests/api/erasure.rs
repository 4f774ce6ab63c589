//! A person is forgotten.

use std::time::Duration;

use command_api::erasure;
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

/// A duplicate of a registration that comes late, over whatever way, must not open the account once more; and what the key
/// was for is gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_stored_answer_goes_with_its_person_and_its_key_is_spent() {
    let app = App::new().await;
    let body = json!({"username": "ada", "password": PASSWORD});
    let register = || app.call("POST /v1/accounts").key("once").json(body.clone());
    let registered = register().send().await.expect(201).json();
    let id = registered["id"].as_str().unwrap().to_owned();
    let token = app.sign_in("ada").await;
    let subject = id.parse::<domain::AccountId>().unwrap().uuid().into();
    let asked = json!({"ratings": [{"track": "nowhere", "rating": "like"}]});
    app.call("POST /v1/me/ratings")
        .by(&token)
        .key("twice")
        .json(asked)
        .send()
        .await
        .expect(200);
    assert_eq!(app.log.receipts_about(subject).await.unwrap(), 2);
    app.call("DELETE /v1/me").by(&token).send().await.expect(204);
    assert_eq!(app.log.receipts_about(subject).await.unwrap(), 0);
    let again = register().send().await;
    assert!(!String::from_utf8_lossy(&again.body).contains(&id));
    again.problem(422, "idempotency-key-reused");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_by_another_process_leaves_nothing_in_this_ones_memory() {
    let app = App::new().await;
    let ada = app.listener("ada").await;
    let call = app.call("GET /v1/me").by(&ada.token);
    call.send().await.expect(200);
    let stream = command_api::sessions::account_stream(ada.id);
    let held = || {
        app.executor
            .held::<domain::Account>(&stream, eventing::Version::NONE)
    };
    assert!(held().is_some(), "signing in has put it there");
    let elsewhere = eventing::EventLog::open(eventing::LogConfig::new(app.dir.path())).await;
    let master = eventing::MasterKey::load_or_create(app.dir.path()).unwrap();
    let keys = eventing::Keys::open(app.dir.path(), master).await.unwrap();
    let elsewhere = projectors::DomainExecutor::new(elsewhere.unwrap(), keys);
    erasure::record(&elsewhere, ada.id, now()).await.unwrap();
    erasure::clear(&elsewhere, ada.id).await.unwrap();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while held().is_some() && tokio::time::Instant::now() < deadline {
        tokio::task::yield_now().await;
    }
    assert!(held().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_from_before_an_erasure_forgets_again_and_gives_the_name_free() {
    let app = App::new().await;
    let ada = app.listener("ada").await;
    // The keys know of the erasure, and the log does not: as when it was put back.
    app.keys.destroy(ada.id.uuid().into()).await.unwrap();
    let finished = erasure::finish(&app.log, &app.keys).await.unwrap();
    assert_eq!((finished.recorded_again, finished.keys_destroyed), (1, 0));
    let erased = app
        .log
        .last_of_type_before("account.erased", eventing::Position(u64::MAX))
        .await
        .unwrap()
        .expect("it is recorded again");
    assert_eq!(erased.subject, Some(ada.id.uuid().into()));
    app.settle().await;
    assert!(app.views.account(ada.id).await.unwrap().is_none());
    app.listener("ada").await;
    let finished = erasure::finish(&app.log, &app.keys).await.unwrap();
    assert_eq!(finished, erasure::Finished::default(), "once is enough");
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_of_a_person_go_with_them_and_others_stay() {
    let app = App::new().await;
    let (ada, bob) = (app.listener("ada").await, app.listener("bob").await);
    let letter = |of: domain::AccountId, state| eventing::DeadLetterRow {
        key: eventing::DeadLetterKey {
            consumer: "somebody".to_owned(),
            stream: command_api::sessions::account_stream(of),
            version: eventing::Version(1),
        },
        position: eventing::Position(1),
        reason: "poison".to_owned(),
        attempts: 3,
        last_error: "it cannot be read".to_owned(),
        first_at: now(),
        state,
    };
    for row in [
        letter(ada.id, eventing::DeadLetterState::Skipped),
        letter(bob.id, eventing::DeadLetterState::Parked),
    ] {
        app.log.put_dead_letter(row).await.unwrap();
    }
    app.call("DELETE /v1/me").by(&ada.token).send().await.expect(204);
    let left = app.log.dead_letters(None, 10).await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].key.stream, command_api::sessions::account_stream(bob.id));
}
