//! `/livez` and `/readyz` of a process that serves the API.

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
    let mut checks = vec![stopping(&api), log(&api).await, accounts(&api)];
    checks.extend(look_at(api.probes()).await);
    readiness(checks, query.is_verbose())
}

fn stopping(api: &ApiState) -> Check {
    if api.is_draining() {
        Check::failed("process", "is stopping")
    } else {
        Check::passed("process", None)
    }
}

async fn log(api: &ApiState) -> Check {
    match api.log().head().await {
        Ok(head) => Check::passed("log", format!("stands at {head}")),
        Err(error) => {
            tracing::warn!(error = %error, "the event log does not answer");
            Check::failed("log", "does not answer")
        }
    }
}

fn accounts(api: &ApiState) -> Check {
    let name = "accounts";
    match api.gate().has_started() {
        Ok(true) => {
            let checkpoint = api.views().checkpoint(ProjectionKind::Accounts).ok();
            Check::passed(name, checkpoint.map(|at| format!("reflects {at}")))
        }
        Ok(false) => Check::failed(name, "has not reached the log's head at start"),
        Err(error) => {
            let _logged = view_problem(&error);
            Check::failed(name, "cannot be read")
        }
    }
}
