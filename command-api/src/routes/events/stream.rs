//! `GET /v1/events/stream`: the history as it is recorded, for auditors, as server-sent events.

use axum::extract::State;
use domain::AccessCall;
use eventing::EventFilter;
use http::HeaderMap;

use super::query::StreamQuery;
use crate::{
    access::AuditorRead,
    audience::Audience,
    problem::Answer,
    request::QueryOf,
    selection::Selected,
    sse::{self, Feed},
    state::ApiState,
    streams::Room,
};

/// 200 with the events after `Last-Event-ID`, else after `after`, else from now on, for as long as the reader stays. That it was opened is
/// recorded once.
pub(crate) async fn open(
    State(api): State<ApiState>,
    auditor: AuditorRead,
    headers: HeaderMap,
    QueryOf(query): QueryOf<StreamQuery>,
) -> Answer {
    let after = query.after;
    let Selected { filter, mut asked } = query.understand(auditor.account())?;
    let room = Room::take(&api, auditor.account())?;
    let begins = sse::beginning(api.log(), &headers, after).await?;
    asked.after = Some(begins.0);
    auditor.record(&api, AccessCall::EventsFollow, asked).await?;
    let feed = Feed {
        session: auditor.session().hash,
        audience: Audience::Auditor,
        filter: EventFilter {
            after: begins,
            ..filter
        },
        api,
    };
    Ok(feed.open(room))
}
