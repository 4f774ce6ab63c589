//! A listener's or an auditor's view of Segue: plain HTTP, and nothing else.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::Instant;

/// A request that has no answer after this long is given up: its outcome is unknown.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// Strong enough for the password rules, and the same for everybody: these accounts live in a temporary folder.
pub const PASSWORD: &str = "lanterns-over-quiet-harbour-91";

/// A way to one server.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: String,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// `Segue-Position`, where there was one.
    pub position: Option<u64>,
    /// `Location`, where there was one.
    pub location: Option<String>,
    /// The body, as it came.
    pub body: Bytes,
}

impl Answer {
    /// Itself, when it has the status that was expected.
    ///
    /// # Errors
    /// When the status is another; the message holds it and the body.
    pub fn expect(self, status: u16) -> Result<Self> {
        if self.status != status {
            bail!(
                "expected {status}, got {}: {}",
                self.status,
                String::from_utf8_lossy(&self.body)
            );
        }
        Ok(self)
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// When it is none.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body).context("the body is not JSON")
    }
}

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    method: Method,
    path: String,
    body: Option<Bytes>,
    key: Option<String>,
    prefer_wait_s: Option<u64>,
    min_position: Option<u64>,
    traceparent: Option<String>,
}

impl Request {
    /// A request without a body.
    #[must_use]
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            body: None,
            key: None,
            prefer_wait_s: None,
            min_position: None,
            traceparent: None,
        }
    }

    /// A `GET`.
    #[must_use]
    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    /// A `POST` of `body`.
    #[must_use]
    pub fn post(path: impl Into<String>, body: &Value) -> Self {
        Self::new(Method::POST, path).with_body(body)
    }

    /// A `PUT` of `body`.
    #[must_use]
    pub fn put(path: impl Into<String>, body: &Value) -> Self {
        Self::new(Method::PUT, path).with_body(body)
    }

    /// The same with an `Idempotency-Key`.
    #[must_use]
    pub fn with_key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// The same with `Prefer: wait=seconds`.
    #[must_use]
    pub fn waiting(mut self, seconds: u64) -> Self {
        self.prefer_wait_s = Some(seconds);
        self
    }

    /// The same with `Segue-Min-Position`.
    #[must_use]
    pub fn at_least(mut self, position: u64) -> Self {
        self.min_position = Some(position);
        self
    }

    /// The same with a `traceparent`.
    #[must_use]
    pub fn in_trace(mut self, traceparent: impl Into<String>) -> Self {
        self.traceparent = Some(traceparent.into());
        self
    }

    fn with_body(mut self, body: &Value) -> Self {
        self.body = Some(Bytes::from(body.to_string()));
        self
    }
}

impl Client {
    /// A way to `address`, with connections of its own.
    ///
    /// # Errors
    /// When the HTTP client cannot be built.
    pub fn new(address: SocketAddr) -> Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(ANSWER_LIMIT)
            .no_proxy()
            .build()?;
        Ok(Self {
            http,
            base: format!("http://{address}"),
        })
    }

    /// Sends `request` as the holder of `token`, or as nobody.
    ///
    /// # Errors
    /// When no complete answer came: whether the request took effect is unknown.
    pub async fn send(&self, token: Option<&str>, request: &Request) -> Result<Answer, reqwest::Error> {
        let mut call = self
            .http
            .request(request.method.clone(), format!("{}{}", self.base, request.path));
        if let Some(token) = token {
            call = call.bearer_auth(token);
        }
        if let Some(body) = &request.body {
            call = call.header("content-type", "application/json").body(body.clone());
        }
        if let Some(key) = &request.key {
            call = call.header("idempotency-key", key);
        }
        if let Some(seconds) = request.prefer_wait_s {
            call = call.header("prefer", format!("wait={seconds}"));
        }
        if let Some(position) = request.min_position {
            call = call.header("segue-min-position", position);
        }
        if let Some(traceparent) = &request.traceparent {
            call = call.header("traceparent", traceparent);
        }
        read_answer(call.send().await?).await
    }

    /// Registers an account.
    ///
    /// # Errors
    /// When the answer is not 201.
    pub async fn register(&self, username: &str) -> Result<Answer> {
        let body = json!({"username": username, "password": PASSWORD});
        self.send(None, &Request::post("/v1/accounts", &body))
            .await?
            .expect(201)
    }

    /// Signs in and keeps the token.
    ///
    /// # Errors
    /// When the answer is not 201 with a token.
    pub async fn sign_in(&self, username: &str) -> Result<Session> {
        let body = json!({"username": username, "password": PASSWORD});
        let answer = self
            .send(None, &Request::post("/v1/sessions", &body))
            .await?
            .expect(201)?;
        let token = answer.json()?["token"]
            .as_str()
            .context("no token in the answer")?
            .to_owned();
        Ok(Session {
            client: self.clone(),
            token,
        })
    }

    /// Registers an account and signs it in.
    ///
    /// # Errors
    /// When either is refused.
    pub async fn listener(&self, username: &str) -> Result<Session> {
        self.register(username).await?;
        self.sign_in(username).await
    }
}

async fn read_answer(response: reqwest::Response) -> Result<Answer, reqwest::Error> {
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
    let position = header("segue-position").and_then(|value| value.parse().ok());
    let location = header("location").map(str::to_owned);
    Ok(Answer {
        status: response.status(),
        position,
        location,
        body: response.bytes().await?,
    })
}

/// A signed-in account.
#[derive(Clone, Debug)]
pub struct Session {
    client: Client,
    token: String,
}

impl Session {
    /// The session that `token` is of.
    #[must_use]
    pub fn new(client: Client, token: String) -> Self {
        Self { client, token }
    }

    /// The bearer token.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The same session against another server on the same data.
    #[must_use]
    pub fn moved_to(&self, client: &Client) -> Self {
        Self {
            client: client.clone(),
            token: self.token.clone(),
        }
    }

    /// Sends a request as this account.
    ///
    /// # Errors
    /// When no complete answer came.
    pub async fn send(&self, request: &Request) -> Result<Answer, reqwest::Error> {
        self.client.send(Some(&self.token), request).await
    }

    /// Rates up to 1,000 tracks in one command and hands back its position.
    ///
    /// # Errors
    /// When the answer is not 200 or one of the ratings was refused.
    pub async fn rate(&self, ratings: &[(&str, &str)]) -> Result<u64> {
        let ratings: Vec<Value> = ratings
            .iter()
            .map(|(track, rating)| json!({"track": track, "rating": rating}))
            .collect();
        let request = Request::post("/v1/me/ratings", &json!({ "ratings": ratings }));
        let answer = self.send(&request).await?.expect(200)?;
        let body = answer.json()?;
        let refused = body["items"]
            .as_array()
            .and_then(|items| items.iter().find(|item| item.get("problem").is_some()));
        if let Some(item) = refused {
            bail!("a rating was refused: {item}");
        }
        answer.position.context("no Segue-Position")
    }

    /// Asks for a playlist and hands back its path.
    ///
    /// # Errors
    /// When the answer is not 202 with a `Location`.
    pub async fn request_playlist(&self, body: &Value) -> Result<String> {
        let answer = self
            .send(&Request::post("/v1/playlists", body))
            .await?
            .expect(202)?;
        answer.location.context("no Location")
    }

    /// Waits until a playlist is ready or failed and hands it back.
    ///
    /// # Errors
    /// When it is still pending after `limit`, or an answer is not 200.
    pub async fn settled_playlist(&self, path: &str, limit: Duration) -> Result<Value> {
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline {
            let answer = self.send(&Request::get(path).waiting(10)).await?.expect(200)?;
            let playlist = answer.json()?;
            if playlist["status"] != "pending" {
                return Ok(playlist);
            }
        }
        bail!("{path} is still pending after {limit:?}")
    }

    /// Waits until a playlist is ready and hands it back.
    ///
    /// # Errors
    /// When it failed, or is still pending after `limit`.
    pub async fn ready_playlist(&self, path: &str, limit: Duration) -> Result<Value> {
        let playlist = self.settled_playlist(path, limit).await?;
        if playlist["status"] != "ready" {
            bail!("{path} is not ready: {playlist}");
        }
        Ok(playlist)
    }
}
