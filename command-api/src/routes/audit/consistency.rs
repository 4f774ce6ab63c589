//! `GET /v1/audit/consistency?from=A&to=B`: that the log only grew.

use axum::extract::State;
use domain::{AccessCall, Asked};
use eventing::{Consistency, Position};
use serde::{Deserialize, Serialize};

use super::{beyond, required, tree_problem};
use crate::{
    access::AuditorRead,
    freshness::{Freshness, log_problem},
    problem::Answer,
    request::{QueryOf, page},
    routes::json_answer,
    state::ApiState,
};

/// What a proof is asked with.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConsistencyQuery {
    from: Option<String>,
    to: Option<String>,
}

#[derive(Serialize)]
struct Body {
    from: u64,
    to: u64,
    from_root: String,
    to_root: String,
    hashes: Vec<String>,
}

impl From<Consistency> for Body {
    fn from(proof: Consistency) -> Self {
        Self {
            from: proof.from,
            to: proof.to,
            from_root: proof.from_root.to_string(),
            to_root: proof.to_root.to_string(),
            hashes: proof.hashes.iter().map(ToString::to_string).collect(),
        }
    }
}

/// 200 with the proof that the first `from` records are the beginning of the first `to` (RFC 9162, 2.1.4). Which roots were
/// signed is for the checkpoints to say.
pub(crate) async fn prove(
    State(api): State<ApiState>,
    auditor: AuditorRead,
    fresh: Freshness,
    QueryOf(query): QueryOf<ConsistencyQuery>,
) -> Answer {
    let from = required("from", query.from.as_deref())?;
    let to = required("to", query.to.as_deref())?;
    if from > to {
        return Err(page::invalid(
            "from",
            &format!("is larger than `to`, which is {to}"),
        ));
    }
    fresh.of_log(&api).await?;
    let head = api.log().head().await.map_err(|error| log_problem(&error))?;
    if to > head.0 {
        return Err(beyond("to", head.0));
    }
    let tree = api.sealer().tree();
    tree.extend_to(to).await.map_err(|error| tree_problem(&error))?;
    let proof = tree.consistency(from, to).await;
    let proof = proof.map_err(|error| tree_problem(&error))?;
    let asked = Asked::between(from, to);
    auditor.record(&api, AccessCall::ConsistencyProve, asked).await?;
    Ok(fresh.tell(json_answer(&Body::from(proof)), Position(to)))
}
