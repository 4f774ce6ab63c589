//! Nothing internal and nothing secret gets out, or gets stored where it must not be.

use std::path::Path;

use command_api::Problem;
use serde_json::json;

use crate::common::{App, PASSWORD};

#[derive(Debug, thiserror::Error)]
#[error("cannot open /var/lib/secret.db")]
struct Inner;

#[derive(Debug, thiserror::Error)]
#[error("the store at 10.0.0.7 failed")]
struct Outer(#[source] Inner);

#[test]
fn the_text_of_inner_errors_stays_inside() {
    for problem in [
        Problem::internal(&Outer(Inner)),
        Problem::unavailable(&Outer(Inner)),
    ] {
        let body = String::from_utf8(problem.body().to_vec()).unwrap();
        for secret in ["10.0.0.7", "secret.db", "Inner", "Outer"] {
            assert!(!body.contains(secret), "{body}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_view_store_tells_callers_nothing_of_itself() {
    let app = App::new().await;
    let ada = app.listener("ada").await;
    app.settle().await;
    let reply = app
        .call("GET /v1/tracks")
        .query("limit=x")
        .by(&ada.token)
        .send()
        .await
        .problem(400, "invalid-query");
    let body = String::from_utf8_lossy(&reply.body).into_owned();
    for inner in ["serde", "Deserialize", "usize", "src/", "panicked"] {
        assert!(!body.contains(inner), "{body}");
    }
}

/// The password and the token, through everything that takes them, and then every file.
#[tokio::test(flavor = "multi_thread")]
async fn passwords_tokens_and_names_stand_in_no_file() {
    let app = App::new().await;
    let canary = "canary-listener-0451";
    let ada = app.listener(canary).await;
    let new = "quartz lantern seven rivers";
    let change = json!({"current_password": PASSWORD, "new_password": new});
    app.call("PUT /v1/me/password")
        .by(&ada.token)
        .key("k1")
        .json(change)
        .send()
        .await
        .expect(204);
    let wrong = json!({"username": canary, "password": "a wrong one, long enough"});
    app.call("POST /v1/sessions")
        .key("k2")
        .json(wrong)
        .send()
        .await
        .expect(401);
    app.call("GET /v1/me/export")
        .by(&ada.token)
        .send()
        .await
        .expect(200);
    app.settle().await;
    let files = files_below(app.dir.path());
    assert!(files.len() >= 3, "{files:?}");
    for file in files {
        let bytes = std::fs::read(&file).unwrap_or_default();
        for secret in [PASSWORD, new, &ada.token, canary, "$argon2id$"] {
            let found = bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} stands in {}", file.display());
        }
    }
}

fn files_below(dir: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                files_below(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}
