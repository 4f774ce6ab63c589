//! A page of events: read, waited for, and answered so that it can be kept.

use axum::response::{IntoResponse, Response};
use domain::{AccessId, Digest};
use eventing::{EventFilter, Found, Position};
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use serde::Serialize;

use super::query::Wanted;
use crate::{
    access::AuditorRead,
    cloud_event::{CLOUD_EVENTS_BATCH, CloudEvent},
    freshness::{Freshness, log_problem},
    negotiation::{accepts_json, holds, names},
    problem::{Answer, Problem},
    routes::Items,
    state::ApiState,
};

/// A page that can never change and holds nothing that a person could want forgotten is kept for a year.
const CLOSED: &str = "private, max-age=31536000, immutable";
/// Any other page is asked for again: more may come to stand in it, or a person in it may be forgotten, and then no cache may go on telling
/// of them.
const OPEN: &str = "private, no-cache";

/// In which form a page is answered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `{items, next_cursor}`.
    List,
    /// A JSON array of CloudEvents.
    Batch,
}

impl Form {
    /// The form that the caller takes; the batch only where it is named.
    pub(super) fn wanted(headers: &HeaderMap) -> Result<Self, Problem> {
        if names(headers, CLOUD_EVENTS_BATCH) {
            return Ok(Self::Batch);
        }
        accepts_json(headers).map(|()| Self::List)
    }
}

/// See the module.
pub(super) struct Page {
    items: Vec<CloudEvent>,
    /// Where the next page begins; none when there was nothing more.
    next: Option<Position>,
    /// Whether nothing can be added to it any more.
    is_closed: bool,
    head: Position,
}

impl Page {
    /// Reads what is wanted; waits for it as long as the caller's patience lasts and there is nothing to show.
    pub(super) async fn read(
        api: &ApiState,
        wanted: &Wanted,
        auditor: &AuditorRead,
        fresh: &Freshness,
    ) -> Result<Self, Problem> {
        let mut moved = api.log().subscribe_head();
        let mut waited = false;
        let mut filter = wanted.filter.clone();
        loop {
            moved.mark_unchanged();
            let head = api.log().head().await.map_err(|error| log_problem(&error))?;
            let found = search(api, &filter).await?;
            let is_full = found.events.len() > filter.limit || !found.is_at_the_end;
            let may_grow = !is_full && filter.until.is_none_or(|until| until > head);
            if may_grow && !is_worth_telling(&found) && fresh.has_time() {
                if found.events.is_empty() {
                    filter.after = found.searched_to;
                }
                let goes_on = tokio::select! {
                    () = api.draining() => false,
                    moved = tokio::time::timeout_at(fresh.deadline, moved.changed()) => matches!(moved, Ok(Ok(()))),
                };
                waited = true;
                if goes_on {
                    continue;
                }
            }
            if waited {
                auditor.check_again(api).await?;
            }
            return Self::of(api, wanted, found, head).await;
        }
    }

    async fn of(api: &ApiState, wanted: &Wanted, mut found: Found, head: Position) -> Result<Self, Problem> {
        let limit = wanted.filter.limit;
        let has_more = found.events.len() > limit;
        found.events.truncate(limit);
        let next = match has_more {
            true => found.events.last().map(|last| last.position),
            // The search stopped at its bound: there may be more.
            false if !found.is_at_the_end => Some(found.searched_to),
            false => None,
        };
        let is_over = wanted.is_bounded && wanted.filter.until.is_some_and(|until| until <= head);
        let mut items = Vec::with_capacity(found.events.len());
        for event in &found.events {
            let item = CloudEvent::for_auditors(api.keys(), event).await;
            items.push(item.map_err(|error| error.problem())?);
        }
        Ok(Self {
            items,
            next,
            is_closed: has_more || (is_over && found.is_at_the_end),
            head,
        })
    }

    /// The page as an answer: 304 when the caller has it already.
    pub(super) fn answer(self, fresh: &Freshness, form: Form, headers: &HeaderMap, uri: &Uri) -> Answer {
        let is_kept = self.is_closed && !self.items.iter().any(CloudEvent::is_personal);
        let link = self.next.map(|next| link(uri, next));
        let next_cursor = self.next.map(|next| next.to_string());
        let (body, media_type) = match form {
            Form::List => (
                json(&Items {
                    items: self.items,
                    next_cursor,
                })?,
                "application/json",
            ),
            Form::Batch => (json(&self.items)?, CLOUD_EVENTS_BATCH),
        };
        let etag = format!("\"{}\"", Digest::of(&body));
        let mut answer = match holds(headers, &etag) {
            true => StatusCode::NOT_MODIFIED.into_response(),
            false => {
                let mut answer = Response::new(body.into());
                let media_type = HeaderValue::from_static(media_type);
                answer.headers_mut().insert(header::CONTENT_TYPE, media_type);
                answer
            }
        };
        let told = answer.headers_mut();
        let cache = if is_kept { CLOSED } else { OPEN };
        told.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
        told.insert(header::VARY, HeaderValue::from_static("accept, authorization"));
        for (name, value) in [(header::ETAG, Some(etag)), (header::LINK, link)] {
            if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
                told.insert(name, value);
            }
        }
        Ok(fresh.tell(answer, self.head))
    }
}

/// One more than the page has room for, to know whether there is more.
async fn search(api: &ApiState, filter: &EventFilter) -> Result<Found, Problem> {
    let one_more = EventFilter {
        limit: filter.limit + 1,
        ..filter.clone()
    };
    api.log()
        .search(one_more)
        .await
        .map_err(|error| log_problem(&error))
}

/// Access records alone are no reason to end a wait.
fn is_worth_telling(found: &Found) -> bool {
    found
        .events
        .iter()
        .any(|event| event.stream.category() != AccessId::CATEGORY)
}

fn json(body: &impl Serialize) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(body).map_err(|error| Problem::internal(&error))
}

/// The same request, for what comes after `next`.
fn link(uri: &Uri, next: Position) -> String {
    let is_kept =
        |pair: &&str| !["after=", "cursor="].iter().any(|name| pair.starts_with(name)) && !pair.is_empty();
    let query = uri.query().unwrap_or_default().split('&').filter(is_kept);
    let cursor = format!("cursor={next}");
    let query: Vec<&str> = query.chain([cursor.as_str()]).collect();
    format!("<{}?{}>; rel=\"next\"", uri.path(), query.join("&"))
}
