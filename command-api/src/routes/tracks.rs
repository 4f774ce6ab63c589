//! `/v1/tracks`: the current catalogue.

use std::sync::Arc;

use axum::extract::State;
use classifier::{Catalogue, catalogue::Track};
use domain::{CatalogueId, TrackId};
use eventing::{Position, StreamId};
use projectors::ProjectionKind;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Items, json_answer};
use crate::{
    auth::Session,
    catalogue::Loaded,
    freshness::Freshness,
    problem::{Answer, Problem, ProblemType},
    request::{PathOf, QueryOf, page},
    state::ApiState,
};

/// The longest text to search for.
const QUERY_CHARS_MAX: usize = 200;

/// A track, as a client is told of it.
#[derive(Serialize)]
pub(super) struct TrackBody {
    id: String,
    name: String,
    artists: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    album: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    release_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    genre: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    popularity: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    license: Option<String>,
    external_ids: Map<String, Value>,
}

impl TrackBody {
    pub(super) fn of(track: &Track<'_>) -> Self {
        let owned = |text: Option<&str>| text.map(ToOwned::to_owned);
        let ids = [("isrc", track.isrc), ("mbid", track.mbid)];
        let ids = ids
            .into_iter()
            .filter_map(|(name, id)| Some((name.to_owned(), Value::from(id?))));
        Self {
            id: track.id.to_owned(),
            name: track.name.to_owned(),
            artists: track.artists.iter().map(|&artist| artist.to_owned()).collect(),
            album: owned(track.album),
            duration_ms: track.duration_ms,
            release_date: owned(track.release_date),
            genre: owned(track.genre),
            popularity: track.popularity,
            license: owned(track.license),
            external_ids: ids.collect(),
        }
    }
}

#[derive(Serialize)]
struct FullTrack {
    #[serde(flatten)]
    track: TrackBody,
    features: Map<String, Value>,
}

/// What tracks are searched with.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TracksQuery {
    q: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// 200 with tracks whose name, or an artist's name, contains `q`, in the order of their ids.
pub(crate) async fn search(
    State(api): State<ApiState>,
    _: Session,
    fresh: Freshness,
    QueryOf(query): QueryOf<TracksQuery>,
) -> Answer {
    let limit = page::limit(query.limit)?;
    if query
        .q
        .as_ref()
        .is_some_and(|q| q.chars().count() > QUERY_CHARS_MAX)
    {
        return Err(page::invalid(
            "q",
            &format!("has at most {QUERY_CHARS_MAX} characters"),
        ));
    }
    let Some(Loaded {
        content, position, ..
    }) = current(&api, &fresh).await?
    else {
        let none = Items::<TrackBody> {
            items: Vec::new(),
            next_cursor: None,
        };
        return Ok(fresh.tell(json_answer(&none), Position::START));
    };
    let from = match query.cursor {
        Some(cursor) => behind(&content, cursor)?,
        None => 0,
    };
    // A search may look at every name of the catalogue.
    let found = tokio::task::spawn_blocking(move || find(&content, query.q.as_deref(), from, limit)).await;
    Ok(fresh.tell(
        json_answer(&found.map_err(|error| Problem::internal(&error))?),
        position,
    ))
}

/// A cursor is the id of the last track given out, so that it stays right when another version is imported.
fn behind(catalogue: &Catalogue, cursor: String) -> Result<u32, Problem> {
    let last = TrackId::parse(cursor).map_err(|_| page::invalid_cursor())?;
    catalogue
        .index_of(&last)
        .map(|index| index + 1)
        .ok_or_else(page::invalid_cursor)
}

fn find(catalogue: &Arc<Catalogue>, text: Option<&str>, from: u32, limit: usize) -> Items<TrackBody> {
    let page = catalogue.search(text, from, limit);
    let last = page.tracks.last().filter(|_| page.next.is_some());
    let next_cursor = last.map(|&index| catalogue.id(index).to_string());
    Items {
        items: page
            .tracks
            .iter()
            .map(|&index| TrackBody::of(&catalogue.track(index)))
            .collect(),
        next_cursor,
    }
}

/// 200 with the track and its features in their own units.
pub(crate) async fn show(
    State(api): State<ApiState>,
    _: Session,
    fresh: Freshness,
    PathOf(id): PathOf<TrackId>,
) -> Answer {
    let loaded = current(&api, &fresh).await?.ok_or(ProblemType::NotFound)?;
    let catalogue = &loaded.content;
    let index = catalogue.index_of(&id).ok_or(ProblemType::NotFound)?;
    let names = catalogue
        .schema()
        .features
        .iter()
        .map(|feature| feature.name.clone());
    let features = names.zip(catalogue.raw(index).map(Value::from)).collect();
    let body = FullTrack {
        track: TrackBody::of(&catalogue.track(index)),
        features,
    };
    Ok(fresh.tell(json_answer(&body), loaded.position))
}

async fn current(api: &ApiState, fresh: &Freshness) -> Result<Option<Loaded<Catalogue>>, Problem> {
    let stream = StreamId::new(CatalogueId::CATEGORY, CatalogueId::MAIN.uuid());
    if fresh.is_wanted() {
        fresh.of_view(api, ProjectionKind::Library, &stream).await?;
        api.catalogue()
            .refresh()
            .await
            .map_err(|error| Problem::unavailable(&error))?;
    }
    Ok(api.catalogue().current())
}
