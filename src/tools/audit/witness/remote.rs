//! The log's service, as an auditor sees it.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use eventing::merkle::Hash;
use reqwest::header::ACCEPT;
use serde::Deserialize;

use crate::settings::Secret;

/// How long an answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// The longest answer that is read, in bytes: a checkpoint with many cosignatures, or a proof.
const ANSWER_LEN_MAX: usize = 1_000_000;

/// A client of one log.
pub(super) struct Remote {
    client: reqwest::Client,
    base: String,
    token: Secret,
}

/// The hashes of a consistency proof in the form that the log gives it in; `None` for anything else.
pub(super) fn hashes_of(proof: &str) -> Option<Vec<Hash>> {
    let proof: Consistency = serde_json::from_str(proof).ok()?;
    proof.hashes.iter().map(|hash| hash.parse().ok()).collect()
}

#[derive(Deserialize)]
struct Consistency {
    hashes: Vec<String>,
}

impl Remote {
    /// The service at `base`, with the token in a file.
    pub(super) fn new(base: &str, token_file: &Path) -> anyhow::Result<Self> {
        let token = std::fs::read_to_string(token_file)
            .with_context(|| format!("{} cannot be read", token_file.display()))?;
        let client = reqwest::Client::builder()
            .timeout(ANSWER_LIMIT)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self {
            client,
            base: base.trim_end_matches('/').to_owned(),
            token: Secret::from(token.trim()),
        })
    }

    /// The log's public key, as it says.
    pub(super) async fn key(&self) -> anyhow::Result<String> {
        self.get("/v1/audit/key", "text/plain").await
    }

    /// A signed checkpoint of the whole log.
    pub(super) async fn checkpoint(&self) -> anyhow::Result<String> {
        self.get("/v1/audit/checkpoint", "text/plain").await
    }

    /// What the log gives as the proof that its first `from` records are the beginning of its first `to`.
    pub(super) async fn consistency(&self, from: u64, to: u64) -> anyhow::Result<String> {
        let path = format!("/v1/audit/consistency?from={from}&to={to}");
        self.get(&path, "application/json").await
    }

    async fn get(&self, path: &str, accept: &str) -> anyhow::Result<String> {
        let unreachable = || format!("{}{path} does not answer", self.base);
        let request = self.client.get(format!("{}{path}", self.base));
        let mut response = request
            .bearer_auth(self.token.reveal())
            .header(ACCEPT, accept)
            .send()
            .await
            .with_context(unreachable)?;
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.with_context(unreachable)? {
            anyhow::ensure!(
                body.len() + part.len() <= ANSWER_LEN_MAX,
                "{path}: an answer longer than {ANSWER_LEN_MAX} bytes"
            );
            body.extend_from_slice(&part);
        }
        let status = response.status();
        let body = String::from_utf8(body).with_context(|| format!("{path}: an answer that is not text"))?;
        anyhow::ensure!(status.is_success(), "{path}: {status}: {}", body.trim_end());
        Ok(body)
    }
}
