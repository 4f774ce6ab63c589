//! `GET /v1/streams/{stream}`, for auditors: the raw records of one stream, the very bytes that were hashed; or with `at` its
//! state as it was at a position or a time.

use axum::extract::State;
use domain::{AccessCall, Asked, access::StreamName};
use eventing::{Position, RecordedEvent, StreamId, Version};
use projectors::{AsOfError, At, AtError, History, StateAt};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Items, json_answer};
use crate::{
    access::AuditorRead,
    clock,
    freshness::{Freshness, log_problem},
    problem::{Answer, FieldError, Problem, ProblemType},
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
    at: Option<String>,
    limit: Option<usize>,
    cursor: Option<u64>,
}

/// 200 with the records in order; what is about a person stays sealed. 404 when there is no such stream.
///
/// With `at`, 200 with the state that the stream had then, opened but for identities, which stay sealed. 404 when it did
/// not exist, 422 when the log does not reach so far.
pub(crate) async fn show(
    State(api): State<ApiState>,
    auditor: AuditorRead,
    fresh: Freshness,
    PathOf(stream): PathOf<String>,
    QueryOf(query): QueryOf<StreamQuery>,
) -> Answer {
    let stream = StreamId::parse(&stream).map_err(|_| ProblemType::NotFound)?;
    match &query.at {
        Some(_) if query.limit.is_some() || query.cursor.is_some() => {
            Err(page::invalid("at", "goes without limit and cursor"))
        }
        Some(at) => {
            let at: At = at
                .parse()
                .map_err(|error: projectors::InvalidAt| page::invalid("at", &error.to_string()))?;
            fresh.of_log(&api).await?;
            let state = state_at(&api, &stream, at).await;
            auditor
                .record(&api, AccessCall::StreamAsOf, asked(&stream, Some(at)))
                .await?;
            let state = state?;
            Ok(fresh.tell(json_answer(&state), state.at))
        }
        None => {
            let limit = page::limit(query.limit)?;
            let after = Version(query.cursor.unwrap_or(0));
            fresh.of_log(&api).await?;
            let records = records(&api, &stream, after, limit).await;
            auditor
                .record(&api, AccessCall::StreamRead, asked(&stream, None))
                .await?;
            let (items, head) = records?;
            Ok(fresh.tell(json_answer(&items), head))
        }
    }
}

/// What the access log is told.
fn asked(stream: &StreamId, at: Option<At>) -> Asked {
    let (position, time) = match at {
        Some(At::Position(position)) => (Some(position.0), None),
        Some(At::Time(time)) => (None, Some(time)),
        None => (None, None),
    };
    Asked {
        stream: StreamName::parse(stream.as_str()).ok(),
        position,
        time,
        ..Asked::all()
    }
}

/// A page of records, and the position of the stream's last one.
async fn records(
    api: &ApiState,
    stream: &StreamId,
    after: Version,
    limit: usize,
) -> Result<(Items<Record>, Position), Problem> {
    let head = api
        .log()
        .stream_head(stream)
        .await
        .map_err(|error| log_problem(&error))?;
    let head = head.ok_or(ProblemType::NotFound)?;
    let events = api
        .log()
        .read_stream(stream, after, limit)
        .await
        .map_err(|error| log_problem(&error))?;
    let next = events.last().filter(|last| last.version < head.version);
    let next_cursor = next.map(|last| last.version.to_string());
    let items = events.iter().map(record).collect::<Result<Vec<_>, Problem>>()?;
    Ok((Items { items, next_cursor }, head.position))
}

async fn state_at(api: &ApiState, stream: &StreamId, at: At) -> Result<StateAt, Problem> {
    let moment = at.find(api.log(), clock::now()).await.map_err(at_problem)?;
    let catalogues = api.catalogue().catalogues().clone();
    let history = History::new(api.log().clone(), api.keys().clone(), catalogues);
    history.state(stream, moment).await.map_err(as_of_problem)
}

fn at_problem(error: AtError) -> Problem {
    match error {
        AtError::Log(error) => log_problem(&error),
        AtError::BeyondHead { .. } | AtError::InFuture(_) => {
            Problem::new(ProblemType::InvalidRequest).errors([FieldError::new("at", error.to_string())])
        }
    }
}

fn as_of_problem(error: AsOfError) -> Problem {
    match error {
        AsOfError::UnknownStream(_) => ProblemType::NotFound.into(),
        AsOfError::NotYet { .. } => Problem::new(ProblemType::NotFound).detail(error.to_string()),
        AsOfError::Log(error) => log_problem(&error),
        AsOfError::Fold(_) | AsOfError::Catalogue(_) | AsOfError::Model(_) => Problem::unavailable(&error),
    }
}

fn record(event: &RecordedEvent) -> Result<Record, Problem> {
    let text = String::from_utf8(event.record.to_vec()).map_err(|error| Problem::internal(&error))?;
    let record = RawValue::from_string(text).map_err(|error| Problem::internal(&error))?;
    Ok(Record {
        leaf_hash: hex::encode(event.leaf_hash),
        record,
    })
}
