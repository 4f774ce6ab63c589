//! What handlers take from a request: its body, query, path and where it came from. Everything that is wrong becomes a
//! [`Problem`].

use std::{net::SocketAddr, time::Duration};

use axum::{
    body::Body,
    extract::{ConnectInfo, FromRequest, FromRequestParts, Path, Query, Request},
};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{HeaderMap, Method, header, request::Parts};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

use crate::{
    clock,
    idempotency::IdempotencyKey,
    json,
    problem::{FieldError, Problem, ProblemType},
    state::ApiState,
    throttle::ClientAddress,
};

/// The largest body that is taken.
pub const BODY_BYTES_MAX: usize = 1 << 20;
/// A body must be there within this time, so that slow senders cannot hold requests open.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// A request that may change something, with its whole body.
pub struct WriteRequest {
    /// The method.
    pub method: Method,
    /// Path and query, as they came.
    pub target: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The caller's name for this wish.
    pub key: Option<IdempotencyKey>,
    /// Where it came from.
    pub address: ClientAddress,
    /// When its body was there.
    pub received_at: DateTime<Utc>,
}

impl WriteRequest {
    /// The body as JSON.
    ///
    /// # Errors
    /// `unsupported-media-type`, or `invalid-body` with the field.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        check_is_json(&self.headers)?;
        json::parse(&self.body)
    }

    /// Refuses a body on calls that take none.
    ///
    /// # Errors
    /// `invalid-body` when there is one.
    pub fn no_body(&self) -> Result<(), Problem> {
        if self.body.is_empty() {
            return Ok(());
        }
        Err(Problem::new(ProblemType::InvalidBody).errors([FieldError::new("body", "must be empty")]))
    }
}

impl FromRequest<ApiState> for WriteRequest {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &ApiState) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let key = IdempotencyKey::of(&parts.headers)?;
        let address = client_address(&mut parts, api).await;
        let body = read_body(body).await?;
        let target = parts
            .uri
            .path_and_query()
            .map_or_else(String::new, ToString::to_string);
        let (method, headers) = (parts.method, parts.headers);
        Ok(Self {
            method,
            target,
            headers,
            body,
            key,
            address,
            received_at: clock::now(),
        })
    }
}

async fn read_body(body: Body) -> Result<Bytes, Problem> {
    let whole = Limited::new(body, BODY_BYTES_MAX).collect();
    match tokio::time::timeout(BODY_TIMEOUT, whole).await {
        Err(_) => Err(ProblemType::BodyTooSlow.into()),
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Problem::new(ProblemType::BodyTooLarge)
            .detail(format!("at most {BODY_BYTES_MAX} bytes are taken"))),
        Ok(Err(_)) => Err(Problem::new(ProblemType::InvalidBody).detail("the body broke off")),
    }
}

fn check_is_json(headers: &HeaderMap) -> Result<(), Problem> {
    let media_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Problem::new(ProblemType::UnsupportedMediaType)
        .detail("send application/json")
        .header(header::ACCEPT, http::HeaderValue::from_static("application/json")))
}

/// Where a request came from: the peer, or, behind trusted proxies, the address the outermost of them wrote down.
async fn client_address(parts: &mut Parts, api: &ApiState) -> ClientAddress {
    let peer = ConnectInfo::<SocketAddr>::from_request_parts(parts, api)
        .await
        .ok();
    let peer = peer.map_or(std::net::Ipv4Addr::UNSPECIFIED.into(), |ConnectInfo(address)| {
        address.ip()
    });
    let hops = api.config().trusted_proxies;
    let forwarded = parts
        .headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok());
    let chain: Vec<_> = forwarded
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    let told = (hops > 0)
        .then(|| chain.len().checked_sub(hops))
        .flatten()
        .and_then(|index| chain[index].parse().ok());
    told.unwrap_or(peer).into()
}

/// The query string; unknown fields are refused by the type itself.
pub struct QueryOf<T>(pub T);

impl<S: Sync, T: DeserializeOwned + Send> FromRequestParts<S> for QueryOf<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = Query::try_from_uri(&parts.uri).map_err(|error| {
            let text = error.to_string();
            let detail = text.rsplit(": ").next().unwrap_or_default();
            let known = ["unknown field", "duplicate field", "missing field"];
            match known.iter().any(|start| detail.starts_with(start)) {
                true => Problem::new(ProblemType::InvalidQuery).detail(detail.to_owned()),
                false => Problem::new(ProblemType::InvalidQuery).detail("a parameter has not the right form"),
            }
        })?;
        let Query(value) = query;
        Ok(Self(value))
    }
}

/// The parameters of the path.
pub struct PathOf<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<ApiState> for PathOf<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &ApiState) -> Result<Self, Problem> {
        match Path::from_request_parts(parts, api).await {
            Ok(Path(value)) => Ok(Self(value)),
            Err(_) => Err(ProblemType::InvalidPath.into()),
        }
    }
}

/// The items asked for and where they begin.
pub mod page {
    use super::{FieldError, Problem, ProblemType};

    /// The most items of one page.
    pub const LIMIT_MAX: usize = 1_000;
    /// The items of a page when nothing is said.
    pub const LIMIT_DEFAULT: usize = 100;

    /// Checks a page's size.
    ///
    /// # Errors
    /// `invalid-query` when it is none, or larger than [`LIMIT_MAX`].
    pub fn limit(limit: Option<usize>) -> Result<usize, Problem> {
        match limit.unwrap_or(LIMIT_DEFAULT) {
            limit @ 1..=LIMIT_MAX => Ok(limit),
            _ => Err(invalid("limit", &format!("is 1 to {LIMIT_MAX}"))),
        }
    }

    /// The problem for a parameter of the query.
    #[must_use]
    pub fn invalid(name: &str, detail: &str) -> Problem {
        Problem::new(ProblemType::InvalidQuery).errors([FieldError::new(name, detail)])
    }

    /// The problem for a cursor that this list did not give out.
    #[must_use]
    pub fn invalid_cursor() -> Problem {
        invalid("cursor", "was not given out by this list")
    }
}
