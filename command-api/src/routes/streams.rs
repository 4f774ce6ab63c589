//! `GET /v1/streams/{stream}`: the raw records of one stream, for auditors: the very bytes that were hashed.

use axum::extract::State;
use domain::Role;
use eventing::{RecordedEvent, StreamId, Version};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Items, json_answer};
use crate::{
    auth::Session,
    freshness::{Freshness, log_problem},
    problem::{Answer, Problem, ProblemType},
    request::{PathOf, QueryOf, page},
    state::ApiState,
};

#[derive(Serialize)]
struct Record {
    /// SHA-256 of a zero byte and the record's bytes, as they stand here.
    leaf_hash: String,
    record: Box<RawValue>,
}

/// What a stream is asked with.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StreamQuery {
    limit: Option<usize>,
    cursor: Option<u64>,
}

/// 200 with the records in order; what is about a person stays sealed. 404 when there is no such stream.
pub(crate) async fn show(
    State(api): State<ApiState>,
    session: Session,
    fresh: Freshness,
    PathOf(stream): PathOf<String>,
    QueryOf(query): QueryOf<StreamQuery>,
) -> Answer {
    session.require(Role::Auditor)?;
    let limit = page::limit(query.limit)?;
    let stream = StreamId::parse(&stream).map_err(|_| ProblemType::NotFound)?;
    fresh.of_log(&api).await?;
    let head = api
        .log()
        .stream_head(&stream)
        .await
        .map_err(|error| log_problem(&error))?;
    let head = head.ok_or(ProblemType::NotFound)?;
    let after = Version(query.cursor.unwrap_or(0));
    let events = api
        .log()
        .read_stream(&stream, after, limit)
        .await
        .map_err(|error| log_problem(&error))?;
    let next = events.last().filter(|last| last.version < head.version);
    let next_cursor = next.map(|last| last.version.to_string());
    let items = events.iter().map(record).collect::<Result<Vec<_>, Problem>>()?;
    Ok(fresh.tell(json_answer(&Items { items, next_cursor }), head.position))
}

fn record(event: &RecordedEvent) -> Result<Record, Problem> {
    let text = String::from_utf8(event.record.to_vec()).map_err(|error| Problem::internal(&error))?;
    let record = RawValue::from_string(text).map_err(|error| Problem::internal(&error))?;
    Ok(Record {
        leaf_hash: hex::encode(event.leaf_hash),
        record,
    })
}
