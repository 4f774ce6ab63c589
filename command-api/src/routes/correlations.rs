//! `GET /v1/audit/correlations/{id}`: one request and all that it caused, for auditors.

use axum::extract::State;
use domain::{AccessCall, Asked};
use eventing::CorrelationId;
use uuid::Uuid;

use super::json_answer;
use crate::{
    access::AuditorRead,
    chain::Chain,
    freshness::{Freshness, log_problem},
    problem::{Answer, ProblemType},
    request::PathOf,
    state::ApiState,
};

/// 200 with the chain's records as trees of causes; 404 when no record has this id, which is recorded as a read too.
pub(crate) async fn show(
    State(api): State<ApiState>,
    auditor: AuditorRead,
    fresh: Freshness,
    PathOf(id): PathOf<Uuid>,
) -> Answer {
    fresh.of_log(&api).await?;
    let head = api.log().head().await.map_err(|error| log_problem(&error))?;
    let chain = Chain::read(api.log(), CorrelationId(id)).await;
    let chain = chain.map_err(|error| log_problem(&error))?;
    auditor
        .record(&api, AccessCall::CorrelationRead, Asked::correlation(id))
        .await?;
    let chain = chain.ok_or(ProblemType::NotFound)?;
    Ok(fresh.tell(json_answer(&chain), head))
}
