//! What events are asked with.

use chrono::{DateTime, Utc};
use domain::{AccessId, AccountId, Asked};
use eventing::{EventFilter, Position, StreamId};
use serde::Deserialize;

use crate::{
    freshness::log_problem,
    problem::Problem,
    request::page,
    selection::{InvalidSelection, Selected, Selection},
    state::ApiState,
};

/// The query of a page of events.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventsQuery {
    after: Option<u64>,
    cursor: Option<u64>,
    limit: Option<usize>,
    until: Option<u64>,
    stream: Option<String>,
    subject: Option<String>,
    #[serde(rename = "type")]
    event_type: Option<String>,
    correlation: Option<String>,
    since: Option<String>,
    before: Option<String>,
    own: Option<bool>,
}

/// The query of a stream of events.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StreamQuery {
    pub(super) after: Option<u64>,
    stream: Option<String>,
    subject: Option<String>,
    #[serde(rename = "type")]
    event_type: Option<String>,
    correlation: Option<String>,
}

/// A page that is asked for.
pub(super) struct Wanted {
    /// What the log is asked for; `limit` is that of the page.
    pub(super) filter: EventFilter,
    /// What is recorded of it.
    pub(super) asked: Asked,
    since: Option<DateTime<Utc>>,
    before: Option<DateTime<Utc>>,
    /// Whether nothing can come to stand in what is asked for, once the log has reached `filter.until`.
    pub(super) is_bounded: bool,
}

impl EventsQuery {
    /// What `reader` is to see, or which parameter makes no sense.
    pub(super) fn understand(self, reader: AccountId, waits: bool) -> Result<Wanted, Problem> {
        let limit = page::limit(self.limit)?;
        let selection = Selection {
            stream: self.stream,
            subject: self.subject,
            event_type: self.event_type,
            correlation: self.correlation,
            since: self.since,
            before: self.before,
        };
        let selected = selection.understand().map_err(|error| refuse(&error))?;
        let shows_own = (selected.is_of_the_access_log() || self.own == Some(true)) && !waits;
        let Selected { filter, asked } = selected;
        let after = self.cursor.or(self.after);
        Ok(Wanted {
            since: asked.since,
            before: asked.before,
            is_bounded: self.until.is_some(),
            filter: EventFilter {
                after: Position(after.unwrap_or(0)),
                until: self.until.map(Position),
                limit,
                except_stream: (!shows_own).then(|| own_access(reader)),
                ..filter
            },
            asked: Asked {
                after,
                until: self.until,
                ..asked
            },
        })
    }
}

impl StreamQuery {
    pub(super) fn understand(self, reader: AccountId) -> Result<Selected, Problem> {
        let selection = Selection {
            stream: self.stream,
            subject: self.subject,
            event_type: self.event_type,
            correlation: self.correlation,
            ..Selection::default()
        };
        let mut selected = selection.understand().map_err(|error| refuse(&error))?;
        if !selected.is_of_the_access_log() {
            selected.filter.except_stream = Some(own_access(reader));
        }
        Ok(selected)
    }
}

impl Wanted {
    /// Turns times into positions. Times never go back in the log, so each is one place in it.
    pub(super) async fn bounded(mut self, api: &ApiState) -> Result<Self, Problem> {
        if let Some(since) = self.since {
            let before = last_before(api, since).await?;
            self.filter.after = self.filter.after.max(before);
        }
        if let Some(before) = self.before {
            let last = last_before(api, before).await?;
            let head = api.log().head().await.map_err(|error| log_problem(&error))?;
            // As long as no later record stands in the log, one with an earlier time may come, up to the position asked for.
            let ends_before = self.filter.until.is_some_and(|until| until <= last);
            self.is_bounded = ends_before || last < head;
            self.filter.until = Some(self.filter.until.map_or(last, |until| until.min(last)));
        }
        Ok(self)
    }
}

async fn last_before(api: &ApiState, time: DateTime<Utc>) -> Result<Position, Problem> {
    let found = api.log().last_before(time).await;
    found.map_err(|error| log_problem(&error))
}

fn own_access(reader: AccountId) -> StreamId {
    StreamId::new(AccessId::CATEGORY, AccessId::of(reader).uuid())
}

/// The problem for a parameter that makes no sense.
fn refuse(error: &InvalidSelection) -> Problem {
    page::invalid(error.field, &error.problem)
}
