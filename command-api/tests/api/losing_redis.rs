//! Views in a Redis that loses them: nobody is let in on what is old, and nobody is told that they are a stranger.

use std::{sync::Arc, time::Duration};

use command_api::ApiConfig;
use projectors::{RedisConfig, ViewStore};
use servers::{Redis, RedisOptions};

use crate::common::{App, config};

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_neither_served_nor_denied_until_lost_views_are_folded_again() {
    let server = Redis::start(RedisOptions::default()).await.unwrap();
    let at = RedisConfig::new("127.0.0.1", server.port()).with_timeout(Duration::from_secs(5));
    let store = ViewStore::redis(at).unwrap();
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let app = App::with_views(store, dir, config(), true).await;
    let ada = app.listener("ada").await;
    let signed_out = app.sign_in("ada").await;
    let out = app.call("DELETE /v1/sessions/current").by(&signed_out);
    out.send().await.expect(204);
    let taste = async |token: &str| app.call("GET /v1/me/taste").by(token).send().await;
    taste(&ada.token).await.expect(200);
    app.stop_projecting().await;

    server.cli(&["FLUSHALL"]).unwrap();
    for token in [&ada.token, &signed_out] {
        taste(token).await.problem(503, "not-ready");
    }
    app.project().await;
    app.settle().await;
    taste(&ada.token).await.expect(200);
    taste(&signed_out).await.problem(401, "unauthenticated");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_was_let_through_is_refused_once_the_views_are_lost() {
    let server = Redis::start(RedisOptions::default()).await.unwrap();
    let at = RedisConfig::new("127.0.0.1", server.port()).with_timeout(Duration::from_secs(5));
    let store = ViewStore::redis(at).unwrap();
    let config = ApiConfig {
        session_wait: Duration::from_millis(200),
        ..config()
    };
    let app = App::with_views(store, Arc::new(tempfile::tempdir().unwrap()), config, true).await;
    let ada = app.listener("ada").await;
    app.stop_projecting().await;
    app.call("GET /v1/sessions")
        .by(&ada.token)
        .send()
        .await
        .expect(200);
    server.cli(&["FLUSHALL"]).unwrap();
    // Longer than the views count as there after they have let somebody through.
    tokio::time::sleep(Duration::from_millis(100)).await;
    // A command reads no view but the one of sessions.
    let sign_out = app.call("DELETE /v1/sessions/current").by(&ada.token);
    sign_out.send().await.problem(503, "not-ready");
}
