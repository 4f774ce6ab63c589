//! Asking one process how it is.

use std::error::Error;
use std::time::{Duration, Instant};

use reqwest::{Client, Response};

use crate::exposition::Exposition;
use crate::process::Answer;
use crate::readiness::Readiness;
use crate::url::ProcessUrl;

/// How long a process may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);
/// More than a process ever says of itself; what is longer is something else.
const BODY_BYTES_MAX: usize = 8 << 20;

/// What one look asks with.
#[derive(Debug, Clone)]
pub(crate) struct Asking {
    client: Client,
    started: Instant,
}

impl Asking {
    /// Times are told since `started`.
    pub(crate) fn since(started: Instant) -> Self {
        Self {
            client: Client::new(),
            started,
        }
    }

    pub(crate) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Asks the process at `url` for its metrics and its readiness. The error says in a few words why there is no answer.
    pub(crate) async fn look(&self, url: &ProcessUrl) -> Result<Answer, String> {
        let (metrics, readiness) = tokio::join!(self.metrics(url), self.readiness(url));
        Ok(Answer {
            at: self.now(),
            metrics: metrics?,
            readiness: readiness?,
        })
    }

    pub(crate) async fn metrics(&self, url: &ProcessUrl) -> Result<Exposition, String> {
        let (status, body) = self.get(&format!("{url}/metrics")).await?;
        if status != 200 {
            return Err(format!("answers {status} to /metrics"));
        }
        let text = std::str::from_utf8(&body).map_err(|_| "its metrics are no UTF-8".to_owned())?;
        Exposition::parse(text).map_err(|error| error.to_string())
    }

    async fn readiness(&self, url: &ProcessUrl) -> Result<Readiness, String> {
        let (status, body) = self.get(&format!("{url}/readyz?verbose")).await?;
        Readiness::parse(status, &body).map_err(|error| error.to_string())
    }

    async fn get(&self, url: &str) -> Result<(u16, Vec<u8>), String> {
        let request = self.client.get(url).timeout(ANSWER_LIMIT);
        let response = request.send().await.map_err(|error| reason(&error))?;
        let status = response.status().as_u16();
        Ok((status, body(response).await?))
    }
}

async fn body(mut response: Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| reason(&error))? {
        if body.len() + chunk.len() > BODY_BYTES_MAX {
            return Err(format!("answers with more than {} MiB", BODY_BYTES_MAX >> 20));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Why nothing came, without the address, which stands beside it.
pub(crate) fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", ANSWER_LIMIT.as_secs());
    }
    let mut cause: &dyn Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
