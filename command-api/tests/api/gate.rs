//! A view that lags or is empty lets nobody through.

use std::time::Duration;

use command_api::ApiConfig;
use domain::AccountCommand;

use crate::common::{App, config};

fn impatient() -> ApiConfig {
    ApiConfig {
        session_wait: Duration::from_millis(200),
        ..config()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_was_ended_is_refused_although_the_view_still_has_it() {
    let app = App::with_config(impatient()).await;
    let ada = app.listener("ada").await;
    let other = app.sign_in("ada").await;
    app.stop_projecting().await;
    app.call("GET /v1/me").by(&other).send().await.expect(200);
    app.call("DELETE /v1/sessions/current")
        .by(&ada.token)
        .send()
        .await
        .expect(204);
    // The view cannot tell any more: nobody of this account is let through, not even a session that still lives.
    app.call("GET /v1/me")
        .by(&ada.token)
        .send()
        .await
        .problem(503, "not-ready");
    app.call("GET /v1/me")
        .by(&other)
        .send()
        .await
        .problem(503, "not-ready");
    app.project().await;
    app.settle().await;
    app.call("GET /v1/me")
        .by(&ada.token)
        .send()
        .await
        .problem(401, "unauthenticated");
    app.call("GET /v1/me").by(&other).send().await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_process_ended_is_refused_too() {
    let app = App::with_config(impatient()).await;
    let ada = app.listener("ada").await;
    app.stop_projecting().await;
    app.call("GET /v1/me").by(&ada.token).send().await.expect(200);
    app.order_account(ada.id, AccountCommand::SignOutEverywhere).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    app.call("GET /v1/me")
        .by(&ada.token)
        .send()
        .await
        .problem(503, "not-ready");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lagging_account_keeps_nobody_else_out() {
    let app = App::with_config(impatient()).await;
    let (ada, bob) = (app.listener("ada").await, app.listener("bob").await);
    app.stop_projecting().await;
    app.call("DELETE /v1/sessions")
        .by(&ada.token)
        .send()
        .await
        .expect(204);
    app.call("GET /v1/me").by(&bob.token).send().await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_start_nobody_passes_before_the_view_has_caught_up() {
    let app = App::new().await;
    let ada = app.listener("ada").await;
    app.settle().await;
    let dir = app.dir.clone();
    drop(app);
    tokio::time::sleep(Duration::from_millis(500)).await;
    // The views are lost, as a cache may be.
    std::fs::remove_dir_all(dir.path().join("views")).unwrap();
    let app = App::in_dir(dir, impatient(), false).await;
    app.call("GET /v1/me")
        .by(&ada.token)
        .send()
        .await
        .problem(503, "not-ready");
    app.call("GET /readyz").send().await.problem(503, "not-ready");
    app.project().await;
    app.settle().await;
    app.call("GET /v1/me").by(&ada.token).send().await.expect(200);
    app.call("GET /readyz").send().await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_was_granted_holds_at_once() {
    let app = App::new().await;
    let ada = app.listener("ada").await;
    app.call("GET /v1/events")
        .by(&ada.token)
        .send()
        .await
        .problem(403, "forbidden");
    let grant = AccountCommand::GrantRole {
        role: domain::Role::Auditor,
        granted_by: None,
    };
    app.order_account(ada.id, grant).await;
    app.settle().await;
    app.call("GET /v1/events").by(&ada.token).send().await.expect(200);
}
