//! One request and its reply.

use std::net::SocketAddr;

use axum::{body::Body, extract::ConnectInfo};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use super::{App, address};

/// A request that is being put together.
pub struct Call<'a> {
    app: &'a App,
    method: &'static str,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    address: SocketAddr,
}

impl<'a> Call<'a> {
    pub fn new(app: &'a App, route: &'static str) -> Self {
        let (method, path) = route.split_once(' ').expect("a route is a method and a path");
        Self {
            app,
            method,
            target: path.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
            address: address(1),
        }
    }

    /// Puts a value in the place of `{name}`.
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.target = self.target.replace(&format!("{{{name}}}"), &value.to_string());
        self
    }

    pub fn query(mut self, query: &str) -> Self {
        self.target = format!("{}?{query}", self.target);
        self
    }

    pub fn by(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    pub fn from(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    pub fn key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    pub fn header(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    pub fn json(self, body: Value) -> Self {
        let mut call = self.header("content-type", "application/json");
        call.body = body.to_string().into_bytes();
        call
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    #[track_caller]
    pub fn send(self) -> impl Future<Output = Reply> + 'a {
        let what = format!("{} {}", self.method, self.target);
        let response = self.respond();
        async move {
            let (parts, body) = response.await.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let reply = Reply {
                status: parts.status,
                headers: parts.headers,
                body,
                what,
            };
            reply.check_shape();
            reply
        }
    }

    /// Sends the request, and leaves the body of the answer to the caller.
    #[track_caller]
    pub fn respond(self) -> impl Future<Output = Response<Body>> + 'a {
        let place = std::panic::Location::caller();
        let Self {
            app,
            method,
            target,
            headers,
            body,
            address,
        } = self;
        let mut request = Request::builder().method(method).uri(&target);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let mut request = request
            .body(Body::from(body))
            .unwrap_or_else(|error| panic!("{error}, at {place}"));
        request.extensions_mut().insert(ConnectInfo(address));
        async move { app.router.clone().oneshot(request).await.unwrap() }
    }
}

/// What was answered.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    what: String,
}

impl Reply {
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(
            self.status.as_u16(),
            status,
            "{}: {}",
            self.what,
            String::from_utf8_lossy(&self.body)
        );
        self
    }

    #[track_caller]
    pub fn problem(self, status: u16, slug: &str) -> Self {
        let reply = self.expect(status);
        assert_eq!(
            reply.json()["type"],
            format!("/problems/{slug}"),
            "{}",
            reply.what
        );
        reply
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{}: {error}: {:?}", self.what, self.body))
    }

    #[track_caller]
    pub fn position(&self) -> u64 {
        self.header("segue-position").parse().unwrap()
    }

    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .unwrap_or_else(|| panic!("{} answered no {name}: {self:?}", self.what))
            .to_str()
            .unwrap()
    }

    /// What holds of every answer.
    fn check_shape(&self) {
        if self.status.is_success() || self.status == StatusCode::NOT_MODIFIED {
            return;
        }
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{self:?}"
        );
        let body = self.json();
        assert_eq!(body["status"], self.status.as_u16(), "{self:?}");
        assert!(
            body["type"]
                .as_str()
                .is_some_and(|kind| kind.starts_with("/problems/")),
            "{self:?}"
        );
        assert!(body["title"].is_string(), "{self:?}");
    }
}
