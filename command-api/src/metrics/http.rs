//! Requests and how long they took, by route. What a client chose freely (a path, an id, a made-up method) is no label.

use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request},
    response::Response,
};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::{counter::Counter, family::Family, histogram::Histogram};
use prometheus_client::registry::{Registry, Unit};

use crate::routes::ROUTES;

/// From a read out of memory to a reader who waits for what is not there yet.
const BOUNDS_S: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];
/// A path that no route has.
const NO_ROUTE: &str = "none";
/// A method that no route takes.
const OTHER_METHOD: &str = "other";

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    route: &'static str,
    method: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    route: &'static str,
    method: &'static str,
    status: u16,
}

/// Counts of the requests that this process answered. Cheap to clone; every clone counts the same.
#[derive(Clone, Debug)]
pub(crate) struct HttpMeasures {
    requests: Family<Answered, Counter>,
    durations: Family<Asked, Histogram, fn() -> Histogram>,
}

impl HttpMeasures {
    pub(crate) fn new() -> Self {
        Self {
            requests: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(BOUNDS_S)),
        }
    }

    /// Makes `registry` tell these: `http_requests_total` and `http_request_duration_seconds`.
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "http_requests",
            "Requests that were answered, by route, method and status",
            self.requests.clone(),
        );
        registry.register_with_unit(
            "http_request_duration",
            "From a request to the head of its answer, the time included that it asked to wait",
            Unit::Seconds,
            self.durations.clone(),
        );
    }

    fn answered(&self, asked: Asked, status: u16, took_s: f64) {
        self.durations.get_or_create(&asked).observe(took_s);
        let Asked { route, method } = asked;
        let answered = Answered {
            route,
            method,
            status,
        };
        self.requests.get_or_create(&answered).inc();
    }
}

/// Counts every request that is answered. One whose client goes away before is not.
pub(crate) async fn measure<F>(
    measures: &HttpMeasures,
    request: Request,
    answer: impl FnOnce(Request) -> F,
) -> Response
where
    F: Future<Output = Response>,
{
    let asked = Asked {
        route: route_of(&request),
        method: method_of(&request),
    };
    let begun = Instant::now();
    let response = answer(request).await;
    let took_s = begun.elapsed().as_secs_f64();
    measures.answered(asked, response.status().as_u16(), took_s);
    response
}

/// The template of a request's route, as `/v1/tracks/{id}`.
pub(crate) fn route_of(request: &Request) -> &'static str {
    let matched = request.extensions().get::<MatchedPath>();
    let matched = matched.map_or("", MatchedPath::as_str);
    let found = ROUTES.iter().find(|(_, path)| *path == matched);
    found.map_or(NO_ROUTE, |(_, path)| path)
}

/// A request's method, if it is one that anybody has heard of.
pub(crate) fn method_of(request: &Request) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"];
    let found = KNOWN
        .into_iter()
        .find(|known| *known == request.method().as_str());
    found.unwrap_or(OTHER_METHOD)
}
