//! Reads a second through HTTP, beside an HTTP server that does nothing but answer as many bytes.

use std::time::Duration;

use anyhow::{Context, Result};
use hyper::Method;

use super::limits::Echo;
use super::{REQUESTS_MAX, Setting, listeners, serve, track_ids};
use crate::client::{Client, Request, Session};
use crate::cpu::CpuWatch;
use crate::load::{self, Bounds, Loaded, Shot};
use crate::numbers::thousands;
use crate::report::Row;
use crate::server::Server;

const ROUNDS: u32 = 4;
const CONNECTIONS: usize = 64;

/// Runs the part.
///
/// # Errors
/// At the first unexpected answer.
pub async fn run(setting: &Setting) -> Result<Vec<Row>> {
    let folder = setting.temporary()?;
    let program = setting.program(folder.path(), 10_000).await?;
    let server = serve(&program).await?;
    let client = Client::new(server.address())?;
    let listener = listeners(&client, 1).await?.pop().context("no listener")?;
    let track = track_ids(&listener, 1).await?.remove(0);
    listener.rate(&[(track.as_str(), "like")]).await?;
    let path = listener
        .request_playlist(&serde_json::json!({ "limit": 10 }))
        .await?;
    listener.ready_playlist(&path, Duration::from_secs(60)).await?;
    let mut rows = Vec::new();
    for (what, path) in [
        ("a track", format!("/v1/tracks/{track}")),
        ("who am I", "/v1/me".to_owned()),
        ("ratings", "/v1/me/ratings?limit=10".to_owned()),
        ("a playlist of 10", path),
    ] {
        rows.push(compare(setting, &server, &listener, what, &path).await?);
    }
    server.stop().await?;
    Ok(rows)
}

async fn compare(
    setting: &Setting,
    server: &Server,
    listener: &Session,
    what: &str,
    path: &str,
) -> Result<Row> {
    let bytes = listener.send(&Request::get(path)).await?.expect(200)?.body.len();
    let echo = Echo::start(bytes).await?;
    let watch = CpuWatch::start();
    let shot = Shot {
        method: Method::GET,
        path: path.to_owned(),
        token: Some(listener.token().to_owned()),
        headers: Vec::new(),
        body: None,
        expected: 200,
    };
    let none = Loaded::default();
    let (mut read, mut echoed) = (none.clone(), none);
    let bounds = Bounds {
        connections: CONNECTIONS,
        duration: setting.duration() / (2 * ROUNDS),
        requests_max: REQUESTS_MAX,
    };
    for _ in 0..ROUNDS {
        let same = shot.clone();
        read.extend(load::run(server.address(), bounds, move |_, _| same.clone()).await?);
        let same = Shot {
            path: "/echo".to_owned(),
            ..shot.clone()
        };
        echoed.extend(load::run(echo.address, bounds, move |_, _| same.clone()).await?);
    }
    let (rate, peer) = (read.per_second(), echoed.per_second());
    let value = format!("{}/s, {}", thousands(rate), read.latencies.p50_p99());
    let row = Row::new(
        format!("reads through HTTP, {CONNECTIONS} connections: {what} ({bytes} bytes)"),
        value,
        watch.others(),
    );
    Ok(row
        .beside(format!("axum echo: {}/s", thousands(peer)), rate / peer)
        .reach("ratio >= 0.6"))
}
