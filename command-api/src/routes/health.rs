//! `/livez` and `/readyz`, for whoever runs this process.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, header};
use projectors::ProjectionKind;
use serde::{Deserialize, Serialize};
use std::time::Duration;

use super::json_answer;
use crate::{
    freshness::view_problem,
    problem::{FieldError, Problem, ProblemType},
    request::QueryOf,
    state::ApiState,
};

/// 200 as long as the process answers at all; looks at nothing else.
pub(crate) async fn live() -> Response {
    let mut answer = "alive\n".into_response();
    answer
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// What readiness is asked with.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReadyQuery {
    verbose: Option<String>,
}

#[derive(Serialize)]
struct Check {
    name: &'static str,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

#[derive(Serialize)]
struct Ready {
    status: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checks: Vec<Check>,
}

/// 200 when requests can be served, else 503 with what is missing. `?verbose` tells of everything that was looked at.
pub(crate) async fn ready(
    State(api): State<ApiState>,
    QueryOf(query): QueryOf<ReadyQuery>,
    _: HeaderMap,
) -> Result<Response, Problem> {
    let checks = vec![stopping(&api), log(&api).await, views(&api)];
    if checks.iter().any(|check| !check.ok) {
        let missing = checks.into_iter().filter(|check| !check.ok);
        let missing = missing.map(|check| FieldError::new(check.name, check.detail.unwrap_or_default()));
        return Err(Problem::new(ProblemType::NotReady)
            .errors(missing)
            .retry_after(Duration::from_secs(1)));
    }
    let checks = if query.verbose.is_some() {
        checks
    } else {
        Vec::new()
    };
    let mut answer = json_answer(&Ready {
        status: "ready",
        checks,
    });
    answer
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(answer)
}

fn stopping(api: &ApiState) -> Check {
    let ok = !api.is_draining();
    Check {
        name: "process",
        ok,
        detail: (!ok).then(|| "is stopping".to_owned()),
    }
}

async fn log(api: &ApiState) -> Check {
    match api.log().head().await {
        Ok(head) => Check {
            name: "log",
            ok: true,
            detail: Some(format!("stands at {head}")),
        },
        Err(error) => {
            tracing::warn!(error = %error, "the event log does not answer");
            Check {
                name: "log",
                ok: false,
                detail: Some("does not answer".to_owned()),
            }
        }
    }
}

fn views(api: &ApiState) -> Check {
    let name = "accounts";
    match api.gate().has_started() {
        Ok(true) => {
            let checkpoint = api.views().checkpoint(ProjectionKind::Accounts).ok();
            Check {
                name,
                ok: true,
                detail: checkpoint.map(|at| format!("reflects {at}")),
            }
        }
        Ok(false) => Check {
            name,
            ok: false,
            detail: Some("has not reached the log's head at start".to_owned()),
        },
        Err(error) => {
            let _logged = view_problem(&error);
            Check {
                name,
                ok: false,
                detail: Some("cannot be read".to_owned()),
            }
        }
    }
}
