//! What a process without the API answers: whether it lives, whether it is ready, and its measures.

use std::{future::Future, io, sync::Arc};

use axum::{Router, extract::State, response::Response, routing::get};
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;

use crate::{
    health::{Probe, ReadyQuery, live, look_at, readiness},
    metrics, panics,
    problem::{Problem, ProblemType},
    request::QueryOf,
};

#[derive(Clone)]
struct Looked {
    probes: Arc<[Probe]>,
    instruments: Arc<Registry>,
}

/// Serves `/livez`, `/readyz` and `/metrics` (the probes and what `instruments` count) on `listener` until `shutdown` completes.
///
/// # Errors
/// When the listener fails for good.
pub async fn serve_health(
    listener: TcpListener,
    probes: Vec<Probe>,
    instruments: Arc<Registry>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let looked = Looked {
        probes: probes.into(),
        instruments,
    };
    let router = Router::new()
        .route("/livez", get(live))
        .route("/readyz", get(ready))
        .route("/metrics", get(measured))
        .fallback(async || Problem::from(ProblemType::NotFound))
        .method_not_allowed_fallback(async || Problem::from(ProblemType::MethodNotAllowed))
        .layer(axum::middleware::from_fn(panics::catch))
        .with_state(looked);
    axum::serve(listener, router)
        .with_graceful_shutdown(shutdown)
        .await
}

async fn ready(
    State(looked): State<Looked>,
    QueryOf(query): QueryOf<ReadyQuery>,
) -> Result<Response, Problem> {
    readiness(look_at(&looked.probes).await, query.is_verbose())
}

async fn measured(State(looked): State<Looked>) -> Response {
    metrics::answer(&look_at(&looked.probes).await, &[&looked.instruments])
}
