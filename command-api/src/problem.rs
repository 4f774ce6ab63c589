//! Every answer that is not a success, as an RFC 9457 problem.
//!
//! A problem says what a caller can act on and nothing else. The text of inner errors goes to the log, once, in
//! [`Problem::internal`] and [`Problem::unavailable`], and never into a body; `tests/leaks.rs` holds that.

use std::{borrow::Cow, error::Error, time::Duration};

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;

/// The media type of every problem.
pub const PROBLEM_JSON: &str = "application/problem+json";

macro_rules! problem_types {
    ($($(#[$doc:meta])* $variant:ident, $slug:literal, $status:ident, $title:literal;)+) => {
        /// The kinds of problem; the list only grows and stays sorted by slug.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ProblemType { $($(#[$doc])* $variant,)+ }

        impl ProblemType {
            /// Every type, sorted by slug.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable last part of the `type` URI.
            #[must_use]
            pub fn slug(self) -> &'static str {
                match self { $(Self::$variant => $slug,)+ }
            }

            /// The status that goes with it.
            #[must_use]
            pub fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)+ }
            }

            /// The short human text, the same for every occurrence.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)+ }
            }

            fn uri(self) -> &'static str {
                match self { $(Self::$variant => concat!("/problems/", $slug),)+ }
            }
        }
    };
}

problem_types! {
    /// Nothing can be signed: no key was given to this service.
    AuditKeyMissing, "audit-key-missing", SERVICE_UNAVAILABLE, "This service has no key to sign checkpoints with";
    /// The view has not reached the position the caller asked for.
    Behind, "behind", SERVICE_UNAVAILABLE, "This view has not caught up yet";
    /// The body is larger than is taken.
    BodyTooLarge, "body-too-large", PAYLOAD_TOO_LARGE, "The body is too large";
    /// The body did not arrive in time.
    BodyTooSlow, "body-too-slow", REQUEST_TIMEOUT, "The body did not arrive in time";
    /// Another write to the same thing won too many times in a row.
    Conflict, "conflict", CONFLICT, "Another change came first";
    /// The role does not allow it.
    Forbidden, "forbidden", FORBIDDEN, "Your role does not allow this";
    /// The first request with this key is still running.
    IdempotencyKeyInUse, "idempotency-key-in-use", CONFLICT, "A request with this idempotency key is still running";
    /// The key came before with another request.
    IdempotencyKeyReused, "idempotency-key-reused", UNPROCESSABLE_ENTITY, "This idempotency key belongs to another request";
    /// A fault of the server.
    Internal, "internal", INTERNAL_SERVER_ERROR, "Something went wrong on our side";
    /// The body is not what this call takes.
    InvalidBody, "invalid-body", BAD_REQUEST, "The body is not valid";
    /// A header has a malformed value.
    InvalidHeader, "invalid-header", BAD_REQUEST, "A header is not valid";
    /// A part of the path is malformed.
    InvalidPath, "invalid-path", BAD_REQUEST, "The path is not valid";
    /// The wished playlist breaks a rule.
    InvalidPlaylistRequest, "invalid-playlist-request", UNPROCESSABLE_ENTITY, "The playlist request is not valid";
    /// The query string is malformed or has an unknown field.
    InvalidQuery, "invalid-query", BAD_REQUEST, "The query is not valid";
    /// A value is well formed but breaks a rule.
    InvalidRequest, "invalid-request", UNPROCESSABLE_ENTITY, "The request breaks a rule";
    /// The user name breaks a rule.
    InvalidUsername, "invalid-username", UNPROCESSABLE_ENTITY, "The user name is not valid";
    /// The route exists, the method does not.
    MethodNotAllowed, "method-not-allowed", METHOD_NOT_ALLOWED, "This method is not allowed here";
    /// No media type the caller accepts is offered.
    NotAcceptable, "not-acceptable", NOT_ACCEPTABLE, "No acceptable form of this exists";
    /// No such thing, or not one the caller may know of.
    NotFound, "not-found", NOT_FOUND, "There is no such thing";
    /// The process is starting or stopping.
    NotReady, "not-ready", SERVICE_UNAVAILABLE, "This instance is not ready";
    /// The write was sent and no answer came; it may have happened.
    OutcomeUnknown, "outcome-unknown", SERVICE_UNAVAILABLE, "It is not known whether this was done";
    /// Too much waits already.
    Overloaded, "overloaded", SERVICE_UNAVAILABLE, "Too many requests are waiting";
    /// No room left for the event log.
    StorageFull, "storage-full", INSUFFICIENT_STORAGE, "The storage is full";
    /// Sign-ins are slowed down for this account or address.
    TooManyAttempts, "too-many-attempts", TOO_MANY_REQUESTS, "Too many attempts";
    /// No session, or one that has ended.
    Unauthenticated, "unauthenticated", UNAUTHORIZED, "A valid session is needed";
    /// A part this call needs does not answer.
    Unavailable, "unavailable", SERVICE_UNAVAILABLE, "A part this call needs does not answer";
    /// The catalogue has no such track.
    UnknownTrack, "unknown-track", NOT_FOUND, "The catalogue has no such track";
    /// The body has another media type.
    UnsupportedMediaType, "unsupported-media-type", UNSUPPORTED_MEDIA_TYPE, "This media type is not taken";
    /// Another account has this name.
    UsernameTaken, "username-taken", CONFLICT, "This user name is taken";
    /// The password is too short, too long or too easy to guess.
    WeakPassword, "weak-password", UNPROCESSABLE_ENTITY, "The password is too weak";
    /// The user name and password do not belong together.
    WrongCredentials, "wrong-credentials", UNAUTHORIZED, "The user name or the password is wrong";
    /// The current password given for a change is wrong.
    WrongPassword, "wrong-password", FORBIDDEN, "The current password is wrong";
}

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// The field's name, as a dotted path for nested ones.
    pub field: String,
    /// What must change.
    pub detail: String,
}

impl FieldError {
    /// Names `field` and what must change.
    pub fn new(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            detail: detail.into(),
        }
    }
}

/// One problem, ready to be answered. Small to pass on: it is the error of almost everything here.
#[derive(Clone, Debug)]
pub struct Problem(Box<Parts>);

#[derive(Clone, Debug)]
struct Parts {
    kind: ProblemType,
    detail: Option<Cow<'static, str>>,
    errors: Vec<FieldError>,
    headers: HeaderMap,
}

/// The result of a handler.
pub type Answer<T = Response> = Result<T, Problem>;

impl Problem {
    /// A problem of this kind, without further detail.
    #[must_use]
    pub fn new(kind: ProblemType) -> Self {
        Self(Box::new(Parts {
            kind,
            detail: None,
            errors: Vec::new(),
            headers: HeaderMap::new(),
        }))
    }

    /// Adds a sentence about this occurrence. It must hold nothing internal.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Adds what is wrong with single fields.
    #[must_use]
    pub fn errors(mut self, errors: impl IntoIterator<Item = FieldError>) -> Self {
        self.0.errors.extend(errors);
        self
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.append(name, value);
        self
    }

    /// Adds `Retry-After`, in whole seconds and at least one.
    #[must_use]
    pub fn retry_after(self, wait: Duration) -> Self {
        let seconds = wait.as_millis().div_ceil(1000).max(1);
        let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
        self.header(header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// A problem of `kind` whose cause stays inside: logs the whole chain once.
    #[track_caller]
    pub fn logged(kind: ProblemType, error: &(dyn Error + 'static)) -> Self {
        log_chain(error, std::panic::Location::caller());
        Self::new(kind)
    }

    /// A fault of ours: logs the whole chain once and answers without it.
    #[track_caller]
    pub fn internal(error: &(dyn Error + 'static)) -> Self {
        log_chain(error, std::panic::Location::caller());
        Self::new(ProblemType::Internal)
    }

    /// A part did not answer: logs the whole chain once and asks for another try.
    #[track_caller]
    pub fn unavailable(error: &(dyn Error + 'static)) -> Self {
        log_chain(error, std::panic::Location::caller());
        Self::new(ProblemType::Unavailable).retry_after(Duration::from_secs(1))
    }

    /// The kind of problem.
    #[must_use]
    pub fn kind(&self) -> ProblemType {
        self.0.kind
    }

    /// The status of the answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.kind.status()
    }

    /// The body as it is sent.
    #[must_use]
    pub fn body(&self) -> Bytes {
        let body = Body {
            kind: self.0.kind.uri(),
            title: self.0.kind.title(),
            status: self.status().as_u16(),
            detail: self.0.detail.as_deref(),
            errors: &self.0.errors,
        };
        // Strings and numbers only: this cannot fail.
        serde_json::to_vec(&body).unwrap_or_default().into()
    }
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
}

impl From<ProblemType> for Problem {
    fn from(kind: ProblemType) -> Self {
        Self::new(kind)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(self.body().into());
        *response.status_mut() = self.status();
        let Parts {
            kind, headers: own, ..
        } = *self.0;
        let headers = response.headers_mut();
        headers.extend(own);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        headers
            .entry(header::CACHE_CONTROL)
            .or_insert(HeaderValue::from_static("no-store"));
        if kind.status() == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

fn log_chain(error: &(dyn Error + 'static), place: &std::panic::Location<'_>) {
    let mut chain = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        chain.push_str(": ");
        chain.push_str(&source.to_string());
        next = source.source();
    }
    tracing::error!(error.chain = chain, error.place = %place, "a request failed for a reason of ours");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_types_is_sorted_and_has_no_doubles() {
        let slugs: Vec<_> = ProblemType::ALL.iter().map(|kind| kind.slug()).collect();
        let mut sorted = slugs.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(slugs, sorted);
    }

    #[test]
    fn a_problem_has_the_members_of_rfc_9457() {
        let problem = Problem::new(ProblemType::WeakPassword)
            .detail("Make it longer.")
            .errors([FieldError::new(
                "password",
                "has 3 characters, at least 15 are needed",
            )]);
        let body = String::from_utf8(problem.body().to_vec()).unwrap();
        assert_eq!(
            body,
            r#"{"type":"/problems/weak-password","title":"The password is too weak","status":422,"detail":"Make it longer.","errors":[{"field":"password","detail":"has 3 characters, at least 15 are needed"}]}"#
        );
    }

    #[test]
    fn an_internal_error_keeps_its_text_to_itself() {
        let problem = Problem::internal(&std::io::Error::other("secret path /var/x"));
        assert!(!String::from_utf8_lossy(&problem.body()).contains("secret"));
    }

    #[test]
    fn retry_after_is_rounded_up() {
        let response = Problem::new(ProblemType::Behind)
            .retry_after(Duration::from_millis(1))
            .into_response();
        assert_eq!(response.headers()[header::RETRY_AFTER], "1");
    }
}
