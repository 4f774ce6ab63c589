//! `/livez`, `/readyz` and `/metrics` of a process that serves the API.

use axum::{extract::State, response::Response};
use projectors::ProjectionKind;

pub(crate) use crate::health::live;
use crate::{
    freshness::view_problem,
    health::{Check, ReadyQuery, look_at, readiness},
    problem::Problem,
    request::QueryOf,
    state::ApiState,
};

/// 200 when requests can be served, else 503 with what is missing. `?verbose` tells of everything that was looked at.
pub(crate) async fn ready(
    State(api): State<ApiState>,
    QueryOf(query): QueryOf<ReadyQuery>,
) -> Result<Response, Problem> {
    readiness(checks(&api).await, query.is_verbose())
}

/// 200 with the same as numbers, and all that is counted.
pub(crate) async fn metrics(State(api): State<ApiState>) -> Response {
    crate::metrics::answer(&checks(&api).await, &api.instruments())
}

async fn checks(api: &ApiState) -> Vec<Check> {
    let mut checks = vec![stopping(api), log(api).await, sessions(api).await];
    checks.extend(look_at(api.probes()).await);
    checks
}

fn stopping(api: &ApiState) -> Check {
    if api.is_draining() {
        Check::failed("process", "is stopping")
    } else {
        Check::passed("process", None)
    }
}

async fn log(api: &ApiState) -> Check {
    crate::health::log_check(api.log()).await
}

async fn sessions(api: &ApiState) -> Check {
    let name = "sessions";
    match api.gate().has_started().await {
        Ok(true) => {
            let checkpoint = api.views().checkpoint(ProjectionKind::Accounts).await.ok();
            Check::passed(name, checkpoint.map(|at| format!("reflects {at}")))
        }
        Ok(false) => Check::failed(name, "has not reached the log's head at start"),
        Err(error) => {
            let _logged = view_problem(&error);
            Check::failed(name, "cannot be read")
        }
    }
}
