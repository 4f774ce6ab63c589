//! `GET /v1/audit/inclusion?position=P[&size=N]`: that a record is in the log.

use axum::{extract::State, response::Response};
use domain::{AccessCall, Asked};
use eventing::notes::{InclusionNote, SignedCheckpoint};
use eventing::sealer::SealError;
use eventing::{Inclusion, Position};
use http::HeaderMap;
use serde::{Deserialize, Serialize};

use super::{TEXT, beyond, no_key, number, required, seal_problem, text_answer, tree_problem};
use crate::{
    access::AuditorRead,
    freshness::{Freshness, log_problem},
    negotiation::{Form, json_or_text},
    problem::{Answer, Problem},
    request::{QueryOf, page},
    routes::json_answer,
    state::ApiState,
};

/// What a proof is asked with.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct InclusionQuery {
    position: Option<String>,
    size: Option<String>,
}

#[derive(Serialize)]
struct Body {
    position: u64,
    leaf_index: u64,
    leaf_hash: String,
    tree_size: u64,
    root_hash: String,
    hashes: Vec<String>,
    /// The signed checkpoint of that size, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    checkpoint: Option<String>,
}

/// 200 with the proof that a record is among the first `size` (RFC 9162, 2.1.3). Without `size` it is proved in the latest
/// signed checkpoint that covers it, or in a new one. With `Accept: text/plain` the answer is a `.tlog-proof` file.
pub(crate) async fn prove(
    State(api): State<ApiState>,
    auditor: AuditorRead,
    fresh: Freshness,
    headers: HeaderMap,
    QueryOf(query): QueryOf<InclusionQuery>,
) -> Answer {
    let form = json_or_text(&headers)?;
    let position = Position(required("position", query.position.as_deref())?);
    let size = number("size", query.size.as_deref())?;
    fresh.of_log(&api).await?;
    check(&api, position, size).await?;
    let (size, checkpoint) = match size {
        Some(size) => (size, signed_at(&api, size).await?),
        None => covering(&api, position).await?,
    };
    let proof = proved(&api, position, size).await?;
    let answer = match form {
        Form::Json => json_answer(&body(position, &proof, checkpoint.as_ref())),
        Form::Text => file(proof, checkpoint.ok_or_else(|| nothing_signed(&api))?),
    };
    let asked = Asked {
        until: Some(size),
        ..Asked::position(position.0)
    };
    auditor.record(&api, AccessCall::InclusionProve, asked).await?;
    Ok(fresh.tell(answer, Position(size)))
}

/// Refuses what is not in the log.
async fn check(api: &ApiState, position: Position, size: Option<u64>) -> Result<(), Problem> {
    let head = api.log().head().await.map_err(|error| log_problem(&error))?;
    if position == Position::START {
        return Err(page::invalid("position", "begins at 1"));
    }
    if position > head {
        return Err(beyond("position", head.0));
    }
    match size {
        Some(size) if size > head.0 => Err(beyond("size", head.0)),
        Some(size) if size < position.0 => Err(page::invalid("size", "does not cover the position")),
        _ => Ok(()),
    }
}

/// A signed checkpoint that covers the record; where nothing is signed, the whole tree.
async fn covering(api: &ApiState, position: Position) -> Result<(u64, Option<SignedCheckpoint>), Problem> {
    match api.sealer().seal(position).await {
        Ok(sealed) => Ok((sealed.checkpoint().size(), Some(sealed))),
        Err(SealError::NoKey) => {
            let grown = api.sealer().tree().extend_to(position.0).await;
            Ok((grown.map_err(|error| tree_problem(&error))?, None))
        }
        Err(error) => Err(seal_problem(&error)),
    }
}

/// The stored checkpoint of exactly that size.
async fn signed_at(api: &ApiState, size: u64) -> Result<Option<SignedCheckpoint>, Problem> {
    let tree = api.sealer().tree();
    let found = tree.checkpoints_after(size.saturating_sub(1), 1).await;
    let found = found.map_err(|error| log_problem(&error))?;
    let note = found.into_iter().find(|stored| stored.size == size);
    note.map(|stored| SignedCheckpoint::parse(stored.note.as_bytes()))
        .transpose()
        .map_err(|error| Problem::internal(&error))
}

async fn proved(api: &ApiState, position: Position, size: u64) -> Result<Inclusion, Problem> {
    let tree = api.sealer().tree();
    tree.extend_to(size).await.map_err(|error| tree_problem(&error))?;
    let proof = tree.inclusion(position, size).await;
    proof.map_err(|error| tree_problem(&error))
}

fn body(position: Position, proof: &Inclusion, checkpoint: Option<&SignedCheckpoint>) -> Body {
    Body {
        position: position.0,
        leaf_index: proof.index,
        leaf_hash: proof.leaf.to_string(),
        tree_size: proof.size,
        root_hash: proof.root.to_string(),
        hashes: proof.hashes.iter().map(ToString::to_string).collect(),
        checkpoint: checkpoint.map(ToString::to_string),
    }
}

fn file(proof: Inclusion, checkpoint: SignedCheckpoint) -> Response {
    let note = InclusionNote {
        extra: None,
        index: proof.index,
        hashes: proof.hashes.into_iter().map(|hash| hash.0).collect(),
        checkpoint,
    };
    text_answer(note.to_string(), TEXT)
}

/// A file needs a checkpoint: one of that size, or any where a key is.
fn nothing_signed(api: &ApiState) -> Problem {
    match api.sealer().verifier() {
        Some(_) => page::invalid("size", "is not that of a signed checkpoint; leave it out"),
        None => no_key(),
    }
}
