//! Sign-ins a second, beside Argon2 alone on the same cores: nothing else should cost anything.

use anyhow::Result;
use bytes::Bytes;
use hyper::Method;
use serde_json::json;

use super::limits::argon2_per_second;
use super::{REQUESTS_MAX, Setting, serve};
use crate::client::{Client, PASSWORD};
use crate::cpu::{CpuWatch, cores};
use crate::load::{self, Bounds, Loaded, Shot};
use crate::numbers::thousands;
use crate::report::Row;

const ACCOUNTS: usize = 8;
const ROUNDS: u32 = 4;

/// Runs the part.
///
/// # Errors
/// At the first unexpected answer.
pub async fn run(setting: &Setting) -> Result<Vec<Row>> {
    let folder = setting.temporary()?;
    let program = setting.program(folder.path(), 100).await?;
    let server = serve(&program).await?;
    let client = Client::new(server.address())?;
    for n in 0..ACCOUNTS {
        client.register(&format!("listener-{n}")).await?;
    }
    let watch = CpuWatch::start();
    let each = setting.duration() / ROUNDS;
    let mut signed_in = Loaded::default();
    let mut alone = 0.0;
    for _ in 0..ROUNDS {
        let bounds = Bounds {
            connections: 8 * cores(),
            duration: each,
            requests_max: REQUESTS_MAX,
        };
        signed_in.extend(load::run(server.address(), bounds, |connection, n| sign_in(connection + n)).await?);
        alone += argon2_per_second(cores(), each)? / f64::from(ROUNDS);
    }
    let others = watch.others();
    server.stop().await?;
    let rate = signed_in.per_second();
    let value = format!("{rate:.1}/s, {}", signed_in.latencies.p50_p99());
    let row = Row::new("sign-ins", value, others);
    Ok(vec![
        row.beside(format!("Argon2 alone: {}/s", thousands(alone)), rate / alone)
            .reach("ratio >= 0.9"),
    ])
}

fn sign_in(n: usize) -> Shot {
    let body = json!({ "username": format!("listener-{}", n % ACCOUNTS), "password": PASSWORD });
    Shot {
        method: Method::POST,
        path: "/v1/sessions".to_owned(),
        token: None,
        headers: Vec::new(),
        body: Some(Bytes::from(body.to_string())),
        expected: 201,
    }
}
