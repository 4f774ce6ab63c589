//! What a process without the API answers: whether it lives, whether it is ready, and its measures.

use std::{future::Future, io, sync::Arc};

use axum::{Router, extract::State, response::Response, routing::get};
use tokio::net::TcpListener;

use crate::{
    health::{Probe, ReadyQuery, live, look_at, readiness},
    metrics, panics,
    problem::{Problem, ProblemType},
    request::QueryOf,
};

type Probes = Arc<[Probe]>;

/// Serves `/livez`, `/readyz` and `/metrics` on `listener` until `shutdown` completes.
///
/// # Errors
/// When the listener fails for good.
pub async fn serve_health(
    listener: TcpListener,
    probes: Vec<Probe>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let router = Router::new()
        .route("/livez", get(live))
        .route("/readyz", get(ready))
        .route("/metrics", get(measured))
        .fallback(async || Problem::from(ProblemType::NotFound))
        .method_not_allowed_fallback(async || Problem::from(ProblemType::MethodNotAllowed))
        .layer(axum::middleware::from_fn(panics::catch))
        .with_state(Probes::from(probes));
    axum::serve(listener, router)
        .with_graceful_shutdown(shutdown)
        .await
}

async fn ready(
    State(probes): State<Probes>,
    QueryOf(query): QueryOf<ReadyQuery>,
) -> Result<Response, Problem> {
    readiness(look_at(&probes).await, query.is_verbose())
}

async fn measured(State(probes): State<Probes>) -> Response {
    metrics::answer(&look_at(&probes).await)
}
