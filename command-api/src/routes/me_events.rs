//! `GET /v1/me/events`: what happens to the caller, as server-sent events: playlists that are ready or failed, ratings, plays,
//! and what happens to the account. Never anything about another person, and no secret.

use axum::extract::State;
use eventing::EventFilter;
use http::HeaderMap;
use serde::Deserialize;

use crate::{
    audience::Audience,
    auth::Session,
    problem::Answer,
    request::QueryOf,
    sse::{self, Feed},
    state::ApiState,
    streams::Room,
};

/// Where the stream begins, for those who cannot send a header.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MyEventsQuery {
    after: Option<u64>,
}

/// 200 with the events after `Last-Event-ID`, else after `after`, else from now on, until the session ends.
pub(crate) async fn open(
    State(api): State<ApiState>,
    session: Session,
    headers: HeaderMap,
    QueryOf(query): QueryOf<MyEventsQuery>,
) -> Answer {
    let room = Room::take(&api, session.account)?;
    let begins = sse::beginning(api.log(), &headers, query.after).await?;
    let feed = Feed {
        session: session.hash,
        audience: Audience::Owner,
        filter: EventFilter {
            subject: Some(session.subject()),
            ..EventFilter::after(begins, 0)
        },
        api,
    };
    Ok(feed.open(room))
}
