//! `GET /v1/events`: the history, for auditors, as CloudEvents 1.0.
//!
//! What listeners did is opened by the server. What identifies a person (everything of an account: name, password hash,
//! sessions) stays sealed for auditors too, and what was about a forgotten person cannot be opened by anybody.

use axum::extract::State;
use chrono::{DateTime, SecondsFormat, Utc};
use domain::{AccountId, Role};
use eventing::{Body, EventFilter, Payload, Position, RecordedEvent, StreamId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Items, json_answer};
use crate::{
    auth::Session,
    freshness::{Freshness, log_problem},
    problem::{Answer, Problem},
    request::{QueryOf, page},
    state::ApiState,
};

/// A record as a CloudEvent. Extension attributes are those after `time`.
#[derive(Serialize)]
pub(super) struct CloudEvent {
    specversion: &'static str,
    id: String,
    source: &'static str,
    #[serde(rename = "type")]
    event_type: String,
    subject: String,
    time: String,
    position: u64,
    stream: String,
    version: u64,
    schemaversion: u16,
    correlationid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    causationid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<String>,
    /// `open`, `sealed` or `erased`: why there is data, or none.
    datastate: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    datacontenttype: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Box<RawValue>>,
}

/// What events are asked with.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventsQuery {
    after: Option<u64>,
    cursor: Option<u64>,
    limit: Option<usize>,
    stream: Option<String>,
    #[serde(rename = "type")]
    event_type: Option<String>,
}

/// 200 with the events after a position, in order. `type` may end with a dot: then it is the beginning of a type.
pub(crate) async fn list(
    State(api): State<ApiState>,
    session: Session,
    fresh: Freshness,
    QueryOf(query): QueryOf<EventsQuery>,
) -> Answer {
    session.require(Role::Auditor)?;
    let limit = page::limit(query.limit)?;
    let after = Position(query.cursor.or(query.after).unwrap_or(0));
    let stream = query.stream.map(|stream| StreamId::parse(&stream)).transpose();
    let stream = stream.map_err(|_| page::invalid("stream", "is not the name of a stream"))?;
    fresh.of_log(&api).await?;
    let head = api.log().head().await.map_err(|error| log_problem(&error))?;
    let filter = EventFilter {
        stream,
        event_type: query.event_type,
        ..EventFilter::after(after, limit + 1)
    };
    let mut events = api
        .log()
        .read_filtered(filter)
        .await
        .map_err(|error| log_problem(&error))?;
    let has_more = events.len() > limit;
    events.truncate(limit);
    let next_cursor = events
        .last()
        .filter(|_| has_more)
        .map(|last| last.position.to_string());
    let mut items = Vec::with_capacity(events.len());
    for event in &events {
        items.push(cloud_event(&api, event).await?);
    }
    Ok(fresh.tell(json_answer(&Items { items, next_cursor }), head))
}

async fn cloud_event(api: &ApiState, event: &RecordedEvent) -> Result<CloudEvent, Problem> {
    let (datastate, data) = data_of(api, event).await?;
    Ok(CloudEvent {
        specversion: "1.0",
        id: event.id.to_string(),
        source: "/segue",
        event_type: event.event_type.clone(),
        subject: event.stream.to_string(),
        time: micros(event.recorded_at),
        position: event.position.0,
        stream: event.stream.to_string(),
        version: event.version.0,
        schemaversion: event.schema_version.0,
        correlationid: event.correlation_id.to_string(),
        causationid: event.causation_id.map(|id| id.to_string()),
        traceparent: event.traceparent.clone(),
        datastate,
        datacontenttype: data.as_ref().map(|_| "application/json"),
        data,
    })
}

async fn data_of(
    api: &ApiState,
    event: &RecordedEvent,
) -> Result<(&'static str, Option<Box<RawValue>>), Problem> {
    if matches!(event.body, Body::Sealed(_)) && event.stream.category() == AccountId::CATEGORY {
        return Ok(("sealed", None));
    }
    match api
        .keys()
        .open_event(event)
        .await
        .map_err(|error| Problem::unavailable(&error))?
    {
        Payload::Open(payload) => {
            let text = String::from_utf8(payload.to_vec()).map_err(|error| Problem::internal(&error))?;
            let data = RawValue::from_string(text).map_err(|error| Problem::internal(&error))?;
            Ok(("open", Some(data)))
        }
        Payload::Erased => Ok(("erased", None)),
    }
}

fn micros(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}
