//! `GET /v1/audit/correlations/{id}`: one request and all that it caused, for auditors.

use axum::extract::State;
use domain::{AccessCall, Asked};
use eventing::{CorrelationId, Position};
use serde::Deserialize;
use uuid::Uuid;

use super::json_answer;
use crate::{
    access::AuditorRead,
    chain::Chain,
    freshness::{Freshness, log_problem},
    problem::{Answer, ProblemType},
    request::{PathOf, QueryOf, page},
    state::ApiState,
};

/// What a chain is asked with.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChainQuery {
    cursor: Option<String>,
}

/// 200 with the chain's records as trees of causes, or with a part of them and where it goes on; 404 when no record has this id,
/// which is recorded as a read too.
pub(crate) async fn show(
    State(api): State<ApiState>,
    auditor: AuditorRead,
    fresh: Freshness,
    PathOf(id): PathOf<Uuid>,
    QueryOf(query): QueryOf<ChainQuery>,
) -> Answer {
    let after = query.cursor.as_deref().map_or(Ok(0), str::parse);
    let after = Position(after.map_err(|_| page::invalid_cursor())?);
    fresh.of_log(&api).await?;
    let head = api.log().head().await.map_err(|error| log_problem(&error))?;
    let chain = Chain::read(api.log(), CorrelationId(id), after).await;
    let chain = chain.map_err(|error| log_problem(&error))?;
    let asked = Asked {
        after: (after > Position::START).then_some(after.0),
        ..Asked::correlation(id)
    };
    auditor.record(&api, AccessCall::CorrelationRead, asked).await?;
    let chain = chain.ok_or(ProblemType::NotFound)?;
    Ok(fresh.tell(json_answer(&chain), head))
}
