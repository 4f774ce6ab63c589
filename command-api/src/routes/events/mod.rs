//! `/v1/events`: the history, for auditors, as CloudEvents 1.0.
//!
//! # Reading is recorded, and must not feed itself
//! Each read appends a record to the reader's access log, which is part of the history. So that nobody reads for ever what
//! their own reading adds:
//! - A reader's own access records are shown only where the access log is asked for by name (`type=access.`,
//!   `stream=access-…`) or with `own=true`, and no wait is; those of others are always shown.
//! - No access record ends a wait, not even one that was asked for: otherwise two auditors who wait would wake each other
//!   without end.
//! - A page is read before its own record is appended, and a stream of events is recorded once, when it is opened.

mod page;
mod query;
mod stream;

use axum::extract::State;
use domain::AccessCall;
use http::{HeaderMap, Uri};

pub(crate) use self::stream::open;
use self::{
    page::{Form, Page},
    query::EventsQuery,
};
use crate::{access::AuditorRead, freshness::Freshness, problem::Answer, request::QueryOf, state::ApiState};

/// 200 with the events that are asked for, in order; 304 when they are the ones that the caller has. `Prefer: wait` holds a
/// page while there is nothing to show but access records.
pub(crate) async fn list(
    State(api): State<ApiState>,
    auditor: AuditorRead,
    fresh: Freshness,
    headers: HeaderMap,
    uri: Uri,
    QueryOf(query): QueryOf<EventsQuery>,
) -> Answer {
    let form = Form::wanted(&headers)?;
    let waits = fresh.is_patient();
    let wanted = query.understand(auditor.account(), waits)?;
    fresh.of_log(&api).await?;
    let wanted = wanted.bounded(&api).await?;
    let page = Page::read(&api, &wanted, &auditor, &fresh).await?;
    auditor.record(&api, AccessCall::EventsList, wanted.asked).await?;
    page.answer(&fresh, form, &headers, &uri)
}
