//! The same wish twice has one effect and one answer.
//!
//! A caller names a wish with `Idempotency-Key`. The first answer is stored in the very append that carries out the wish,
//! so there is no moment at which one exists without the other. The key counts within its [`Scope`], and belongs to one
//! method, path and body, of which a keyed HMAC is kept. Receipts are kept as long as the log, and end with the person.

use std::{collections::HashSet, sync::Arc};

use axum::response::{IntoResponse, Response};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use domain::AccountId;
use eventing::{Keys, Position, Receipt, ReceiptKey};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::{
    commands::load_problem,
    prefer::{SEGUE_POSITION, invalid_header},
    problem::{Problem, ProblemType},
    request::WriteRequest,
    state::ApiState,
    tokens::SessionToken,
};

/// The longest key.
pub const KEY_BYTES_MAX: usize = 255;

/// The caller's name for a wish: 1 to 255 visible ASCII characters.
#[derive(Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Reads the header, if it is there.
    ///
    /// # Errors
    /// `invalid-header` when it is there twice, empty, too long, or has a character that is not visible ASCII.
    pub fn of(headers: &HeaderMap) -> Result<Option<Self>, Problem> {
        let mut values = headers.get_all("idempotency-key").iter();
        let Some(value) = values.next() else {
            return Ok(None);
        };
        let bytes = value.as_bytes();
        let fits = (1..=KEY_BYTES_MAX).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic);
        match (value.to_str(), values.next()) {
            (Ok(text), None) if fits => Ok(Some(Self(text.to_owned()))),
            _ => Err(invalid_header(
                "Idempotency-Key",
                "is 1 to 255 visible ASCII characters, once",
            )),
        }
    }
}

/// Among whose wishes a key counts.
pub enum Scope<'a> {
    /// Nobody is signed in: among all such callers.
    Anonymous,
    /// The person who is signed in.
    Account(AccountId),
    /// This one session. For wishes that end it: asking again must work although the session is over.
    Session(&'a SessionToken),
}

impl Scope<'_> {
    fn receipt_key(&self, keys: &Keys, key: &IdempotencyKey) -> ReceiptKey {
        let scope = match self {
            Self::Anonymous => "anonymous".to_owned(),
            Self::Account(account) => format!("account {account}"),
            Self::Session(token) => format!("session {}", token.hash()),
        };
        ReceiptKey(keys.hmac("idempotency-key", format!("{scope}\n{}", key.0).as_bytes()))
    }
}

/// Requests with a key that run in this process at the moment.
#[derive(Clone, Default)]
pub struct Running(Arc<Mutex<HashSet<[u8; 32]>>>);

struct RunningGuard(Running, ReceiptKey);

impl Running {
    fn begin(&self, key: ReceiptKey) -> Option<RunningGuard> {
        self.0
            .lock()
            .insert(key.0)
            .then(|| RunningGuard(self.clone(), key))
    }
}

impl Drop for RunningGuard {
    fn drop(&mut self) {
        self.0.0.lock().remove(&self.1.0);
    }
}

/// A wish that came for the first time. Holds its key until it is answered.
pub struct Once {
    /// The receipt's name.
    pub key: ReceiptKey,
    /// What the key belongs to.
    pub fingerprint: [u8; 32],
    /// Whether the answer is kept when the person is forgotten.
    pub outlives_the_person: bool,
    _running: RunningGuard,
}

impl Once {
    /// The same, with an answer that is kept unsealed when the person is forgotten.
    #[must_use]
    pub fn outliving_the_person(self) -> Self {
        Self {
            outlives_the_person: true,
            ..self
        }
    }
}

/// How a wish begins.
pub enum Begun {
    /// It must be carried out; with [`Once`] when it has a key.
    Fresh(Option<Once>),
    /// It was carried out before: this is the first answer.
    Answered(Response),
}

impl ApiState {
    /// Looks whether this wish was answered before.
    ///
    /// # Errors
    /// `idempotency-key-reused` for another request with the same key, `idempotency-key-in-use` while the first one runs,
    /// `unavailable` when the log does not answer. Nothing was done.
    pub async fn begin(&self, request: &WriteRequest, scope: Scope<'_>) -> Result<Begun, Problem> {
        let Some(key) = &request.key else {
            return Ok(Begun::Fresh(None));
        };
        let key = scope.receipt_key(self.keys(), key);
        let fingerprint = fingerprint(self.keys(), request);
        let Some(running) = self.running().begin(key) else {
            return Err(
                Problem::new(ProblemType::IdempotencyKeyInUse).retry_after(std::time::Duration::from_secs(1))
            );
        };
        match self
            .executor()
            .receipt(&key)
            .await
            .map_err(|error| load_problem(&error))?
        {
            Some(receipt) => Ok(Begun::Answered(replay(receipt, &fingerprint)?)),
            None => Ok(Begun::Fresh(Some(Once {
                key,
                fingerprint,
                outlives_the_person: false,
                _running: running,
            }))),
        }
    }
}

fn fingerprint(keys: &Keys, request: &WriteRequest) -> [u8; 32] {
    let mut text = format!("{} {}\n", request.method, request.target).into_bytes();
    text.extend_from_slice(&request.body);
    keys.hmac("request-fingerprint", &text)
}

/// The first answer again, if it is an answer to the same request.
///
/// # Errors
/// `idempotency-key-reused` when it is not.
pub fn replay(receipt: Receipt, fingerprint: &[u8; 32]) -> Result<Response, Problem> {
    if receipt.fingerprint != *fingerprint {
        return Err(ProblemType::IdempotencyKeyReused.into());
    }
    // Only the answer to an erasure is asked for by somebody who may still ask: it was this.
    let Some(answer) = receipt.answer else {
        return Ok(StoredAnswer::empty(StatusCode::NO_CONTENT).into_response_at(receipt.position));
    };
    let answer: StoredAnswer = serde_json::from_slice(&answer).map_err(|error| Problem::internal(&error))?;
    Ok(answer.into_response_at(receipt.position))
}

/// An answer that can be given again, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredAnswer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl StoredAnswer {
    /// An answer without a body.
    #[must_use]
    pub fn empty(status: StatusCode) -> Self {
        Self {
            status: status.as_u16(),
            headers: Vec::new(),
            body: String::new(),
        }
    }

    /// An answer with a JSON body.
    #[must_use]
    pub fn json(status: StatusCode, body: &impl Serialize) -> Self {
        // Only our own structs with text keys come here.
        let body = serde_json::to_vec(body).unwrap_or_default();
        Self {
            body: STANDARD.encode(body),
            ..Self::empty(status)
        }
        .header("content-type", "application/json")
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// The same answer as `problem` gives.
    #[must_use]
    pub fn problem(problem: &Problem) -> Self {
        let response = problem.clone().into_response();
        let headers = response.headers().iter();
        let headers =
            headers.filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())));
        Self {
            status: response.status().as_u16(),
            headers: headers.collect(),
            body: STANDARD.encode(problem.body()),
        }
    }

    /// The form in which it is stored.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        serde_json::to_vec(self).unwrap_or_default().into()
    }

    /// The answer, with the position that the wish got.
    #[must_use]
    pub fn into_response_at(self, position: Position) -> Response {
        let body = STANDARD.decode(&self.body).unwrap_or_default();
        let mut response = Response::new(body.into());
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        for (name, value) in self.headers {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                response.headers_mut().append(name, value);
            }
        }
        response
            .headers_mut()
            .insert(SEGUE_POSITION, HeaderValue::from(position.0));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_of(values: &[&str]) -> Result<Option<IdempotencyKey>, Problem> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(
                "idempotency-key",
                HeaderValue::from_bytes(value.as_bytes()).unwrap(),
            );
        }
        IdempotencyKey::of(&headers)
    }

    #[test]
    fn a_key_is_visible_ascii() {
        assert!(key_of(&[]).unwrap().is_none());
        assert!(key_of(&["a"]).unwrap().is_some());
        assert!(key_of(&[&"k".repeat(255)]).unwrap().is_some());
        for wrong in ["", "with space", "tab\tbed", "umläut", &"k".repeat(256)] {
            assert!(key_of(&[wrong]).is_err(), "{wrong}");
        }
        assert!(key_of(&["a", "a"]).is_err());
    }

    #[test]
    fn a_key_that_runs_is_not_begun_twice() {
        let running = Running::default();
        let first = running.begin(ReceiptKey([1; 32]));
        assert!(first.is_some());
        assert!(running.begin(ReceiptKey([1; 32])).is_none());
        assert!(running.begin(ReceiptKey([2; 32])).is_some());
        drop(first);
        assert!(running.begin(ReceiptKey([1; 32])).is_some());
    }

    #[test]
    fn a_stored_answer_comes_back_as_it_was() {
        let answer = StoredAnswer::problem(&Problem::new(ProblemType::UsernameTaken).detail("ä\"\n"));
        let again: StoredAnswer = serde_json::from_slice(&answer.to_bytes()).unwrap();
        assert_eq!(answer, again);
    }
}
