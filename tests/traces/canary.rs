//! Nothing of a person is in a span: neither what they are called, nor what they write, nor their id.

use anyhow::{Context, Result, ensure};
use bench::client::{Client, Request};
use bytes::Bytes;
use reqwest::Method;
use serde_json::json;
use tempfile::TempDir;

use crate::collector::Collector;
use crate::{LIMIT, embedded};

const NAME: &str = "canary-Qx7Wv-name";
const PASSWORD: &str = "canary Qx7Wv password with lanterns";
const OTHER_PASSWORD: &str = "canary Qx7Wv another with harbours";
const TEXT: &str = "canary-Qx7Wv-free-text";

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_person_is_in_a_span() -> Result<()> {
    let collector = Collector::start().await?;
    let folder = TempDir::with_prefix("segue-traces-")?;
    let program = embedded(&folder, &collector.url());
    program.furnish(300, 1).await?;
    let server = program.serve(LIMIT).await?;
    let told = live(&Client::new(server.address())?).await?;
    server.stop().await?;

    let spans = collector.spans();
    for name in [
        "POST /v1/accounts",
        "append account.registered",
        "process account.registered",
        "POST /v1/sessions",
        "PUT /v1/me/ratings/{track}",
        "generate playlist",
        "DELETE /v1/me",
    ] {
        ensure!(
            spans.iter().any(|span| span.name == name),
            "{name} is not in {spans:#?}"
        );
    }
    ensure!(spans.iter().all(|span| span.service == "segue"));
    let names = [NAME, PASSWORD, OTHER_PASSWORD, TEXT, "Qx7Wv"].map(str::to_owned);
    for needle in names.iter().chain(&told) {
        let found = collector.bodies().iter().any(|body| holds(body, needle));
        ensure!(!found, "{needle} is in {spans:#?}");
    }
    Ok(())
}

/// Leaves the texts in what takes text, and hands back the token and the id that were given for them.
async fn live(client: &Client) -> Result<Vec<String>> {
    let account = json!({"username": NAME, "password": PASSWORD});
    let registered = client
        .send(None, &Request::post("/v1/accounts", &account))
        .await?
        .expect(201)?;
    let id = registered.json()?["id"].as_str().context("no id")?.to_owned();
    let wrong = json!({"username": NAME, "password": OTHER_PASSWORD});
    client
        .send(None, &Request::post("/v1/sessions", &wrong))
        .await?
        .expect(401)?;
    let signed_in = client
        .send(None, &Request::post("/v1/sessions", &account))
        .await?
        .expect(201)?;
    let token = signed_in.json()?["token"]
        .as_str()
        .context("no token")?
        .to_owned();
    let session = bench::client::Session::new(client.clone(), token.clone());
    let rating = Request::put("/v1/me/ratings/demo-0000001", &json!({"rating": "like"}));
    session.send(&rating).await?.expect(204)?;
    let asked = session
        .request_playlist(&json!({"limit": 5, "name": TEXT}))
        .await?;
    session.ready_playlist(&asked, LIMIT).await?;
    session
        .send(&Request::get(format!("/v1/tracks?q={TEXT}")))
        .await?
        .expect(200)?;
    session
        .send(&Request::get(format!("/v1/{TEXT}")))
        .await?
        .expect(404)?;
    let change = json!({"current_password": PASSWORD, "new_password": OTHER_PASSWORD});
    session
        .send(&Request::put("/v1/me/password", &change))
        .await?
        .expect(204)?;
    session
        .send(&Request::new(Method::DELETE, "/v1/me"))
        .await?
        .expect(204)?;
    Ok(vec![token, id])
}

fn holds(body: &Bytes, needle: &str) -> bool {
    body.windows(needle.len())
        .any(|window| window == needle.as_bytes())
}
