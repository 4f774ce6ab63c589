//! `GET /v1/audit/checkpoint` and `/v1/audit/checkpoints`: what was signed.

use axum::extract::State;
use chrono::SecondsFormat;
use domain::{AccessCall, AccessId, Asked};
use eventing::{LogError, Position, RecordedEvent, StoredCheckpoint};
use serde::{Deserialize, Serialize};

use super::{TEXT, number, seal_problem, text_answer, tree_problem};
use crate::{
    access::AuditorRead,
    freshness::{Freshness, log_problem},
    problem::Answer,
    request::{QueryOf, page},
    routes::{Items, json_answer},
    state::ApiState,
};

/// As many reads of the history may lie beyond a checkpoint that is given out again.
const READS_BEYOND_MAX: usize = 100;

/// 200 with a signed checkpoint that covers at least every record there was when it was asked for, but perhaps the latest reads of
/// the history, and in any case the position that was asked for: the latest one if it does, else a new one.
pub(crate) async fn latest(State(api): State<ApiState>, auditor: AuditorRead, fresh: Freshness) -> Answer {
    fresh.of_log(&api).await?;
    let wanted = to_cover(&api)
        .await
        .map_err(|error| tree_problem(&error.into()))?;
    let sealed = api.sealer().seal(wanted.max(fresh.min())).await;
    let sealed = sealed.map_err(|error| seal_problem(&error))?;
    auditor
        .record(&api, AccessCall::CheckpointRead, Asked::all())
        .await?;
    let covered = Position(sealed.checkpoint().size());
    Ok(fresh.tell(text_answer(sealed.to_string(), TEXT), covered))
}

/// What a checkpoint must cover: the whole log, or no more than the latest one does while nothing but some reads of the history
/// was recorded since. Otherwise whoever polls has a new one signed each time, for the record of the time before.
async fn to_cover(api: &ApiState) -> Result<Position, LogError> {
    let head = api.log().head().await?;
    let Some(latest) = api.sealer().tree().latest_checkpoint().await? else {
        return Ok(head);
    };
    let covered = Position(latest.size);
    let since = api.log().read_after(covered, READS_BEYOND_MAX + 1).await?;
    let is_read = |event: &RecordedEvent| event.stream.category() == AccessId::CATEGORY;
    match since.len() <= READS_BEYOND_MAX && since.iter().all(is_read) {
        true => Ok(covered),
        false => Ok(head),
    }
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

/// 200 with every stored checkpoint, the smallest first. Needs no key.
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
