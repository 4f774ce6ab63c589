//! `GET /v1/audit/checkpoint` and `/v1/audit/checkpoints`: what was signed.

use axum::extract::State;
use chrono::SecondsFormat;
use domain::{AccessCall, Asked};
use eventing::{Position, StoredCheckpoint};
use serde::{Deserialize, Serialize};

use super::{TEXT, number, seal_problem, text_answer};
use crate::{
    access::AuditorRead,
    freshness::{Freshness, log_problem},
    problem::Answer,
    request::{QueryOf, page},
    routes::{Items, json_answer},
    state::ApiState,
};

/// 200 with a signed checkpoint that covers at least every record there was when it was asked for: the latest one if it
/// does, else a new one.
pub(crate) async fn latest(State(api): State<ApiState>, auditor: AuditorRead, fresh: Freshness) -> Answer {
    fresh.of_log(&api).await?;
    let head = api.log().head().await.map_err(|error| log_problem(&error))?;
    let sealed = api.sealer().seal(head).await;
    let sealed = sealed.map_err(|error| seal_problem(&error))?;
    auditor
        .record(&api, AccessCall::CheckpointRead, Asked::all())
        .await?;
    let covered = Position(sealed.checkpoint().size());
    Ok(fresh.tell(text_answer(sealed.to_string(), TEXT), covered))
}

/// What checkpoints are asked with.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CheckpointsQuery {
    limit: Option<usize>,
    cursor: Option<String>,
}

#[derive(Serialize)]
struct Item {
    size: u64,
    root_hash: String,
    signed_at: String,
    checkpoint: String,
}

impl From<StoredCheckpoint> for Item {
    fn from(stored: StoredCheckpoint) -> Self {
        Self {
            size: stored.size,
            root_hash: stored.root.to_string(),
            signed_at: stored.signed_at.to_rfc3339_opts(SecondsFormat::Micros, true),
            checkpoint: stored.note,
        }
    }
}

/// 200 with every checkpoint that was ever signed, the smallest first. Needs no key.
pub(crate) async fn list(
    State(api): State<ApiState>,
    auditor: AuditorRead,
    fresh: Freshness,
    QueryOf(query): QueryOf<CheckpointsQuery>,
) -> Answer {
    let limit = page::limit(query.limit)?;
    let after = number("cursor", query.cursor.as_deref()).map_err(|_| page::invalid_cursor())?;
    fresh.of_log(&api).await?;
    let tree = api.sealer().tree();
    let stored = tree.checkpoints_after(after.unwrap_or(0), limit + 1).await;
    let mut stored = stored.map_err(|error| log_problem(&error))?;
    let has_more = stored.len() > limit;
    stored.truncate(limit);
    let last = stored.last().map(|last| last.size);
    let next_cursor = last.filter(|_| has_more).map(|last| last.to_string());
    let items: Vec<Item> = stored.into_iter().map(Item::from).collect();
    let asked = Asked {
        after,
        ..Asked::all()
    };
    auditor.record(&api, AccessCall::CheckpointList, asked).await?;
    let reflects = Position(last.unwrap_or(0));
    Ok(fresh.tell(json_answer(&Items { items, next_cursor }), reflects))
}
