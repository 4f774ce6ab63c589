//! `/v1/playlists`: asking for playlists and reading them.
//!
//! A playlist is there for its owner alone; for anybody else it does not exist. Just after it was asked for, its view may
//! not be there yet: then the log is asked whether it exists, and it is pending.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use chrono::{DateTime, Utc};
use classifier::{Catalogue, words::Told};
use domain::{AccountId, Generated, GeneratedTrack, Playlist, PlaylistCommand, PlaylistId};
use eventing::{Order, Position, StreamId, SubjectId, Version};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use projectors::{PlaylistStatus, PlaylistView, ProjectionKind, Until, ViewError, Viewed};
use serde::{Deserialize, Serialize};

use super::{
    Items, json_answer,
    tracks::TrackBody,
    wish::{Asked, Wish},
};
use crate::{
    auth::Session,
    commands::{load_problem, metadata_of},
    freshness::{Freshness, log_problem, view_problem},
    idempotency::{Begun, Scope, StoredAnswer},
    negotiation::{accepts_json, holds},
    problem::{Answer, Problem, ProblemType},
    random,
    request::{PathOf, QueryOf, WriteRequest, page},
    state::ApiState,
};

#[derive(Serialize)]
struct Requested {
    id: PlaylistId,
    status: &'static str,
}

/// 202 with the playlist's place; 422 with every field that breaks a rule.
pub(crate) async fn request(State(api): State<ApiState>, session: Session, request: WriteRequest) -> Answer {
    let once = match api.begin(&request, Scope::Account(session.account)).await? {
        Begun::Fresh(once) => once,
        Begun::Answered(answer) => return Ok(answer),
    };
    let wish = Wish::of(&request)?;
    let playlist = PlaylistId::new(random::uuid()?);
    let random_seed = wish.random_seed.map_or_else(random::seed, Ok)?;
    let command = PlaylistCommand::Request {
        playlist,
        owner: session.account,
        name: wish.name.clone(),
        request: Box::new(wish.with_seed(random_seed)),
        at: request.received_at,
    };
    let order = Order::<Playlist>::new(stream_of(playlist), command, metadata_of(&request.headers));
    let answer = StoredAnswer::json(
        StatusCode::ACCEPTED,
        &Requested {
            id: playlist,
            status: "pending",
        },
    )
    .header("location", format!("/v1/playlists/{playlist}"))
    .header("retry-after", "1");
    api.carry_out(order.about(session.subject()), once, answer).await
}

fn stream_of(playlist: PlaylistId) -> StreamId {
    StreamId::new(PlaylistId::CATEGORY, playlist.uuid())
}

/// A playlist as its owner sees it. Without tracks it stands in lists.
#[derive(Serialize)]
pub(super) struct PlaylistBody {
    id: PlaylistId,
    status: &'static str,
    owner: AccountId,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    requested_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<Asked>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generated_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Failure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    items: Option<Vec<Item>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generation: Option<Generation>,
}

#[derive(Serialize)]
struct Failure {
    reason: domain::FailureReason,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    failed_at: DateTime<Utc>,
}

#[derive(Serialize)]
struct Item {
    position: usize,
    track: TrackBody,
    score: f64,
    /// Why it was chosen, in words; absent when nothing speaks for it more than for any other.
    #[serde(skip_serializing_if = "String::is_empty")]
    reason: String,
    explanation: Vec<Contribution>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rank: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    propensity: Option<f64>,
}

#[derive(Serialize)]
struct Contribution {
    feature: String,
    contribution: f64,
}

#[derive(Serialize)]
struct Generation {
    model: domain::Digest,
    schema: domain::Digest,
    listener_version: u64,
    catalogue: domain::Digest,
    generator: u32,
    random_seed: u64,
    requested: u32,
    returned: u32,
    pool: domain::Pool,
    #[serde(skip_serializing_if = "Option::is_none")]
    learned_from: Option<domain::LearnedFrom>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arrangement: Option<domain::Arrangement>,
    notes: Vec<String>,
}

/// 200 with the playlist; 304 when it is the one the caller has. `Prefer: wait` waits until it is no longer pending.
pub(crate) async fn show(
    State(api): State<ApiState>,
    session: Session,
    fresh: Freshness,
    PathOf(id): PathOf<PlaylistId>,
    headers: HeaderMap,
) -> Answer {
    accepts_json(&headers)?;
    fresh
        .of_view(&api, ProjectionKind::Playlists, &stream_of(id))
        .await?;
    let found = match find(&api, &session, id, &fresh).await? {
        Found::InView(viewed) => *viewed,
        Found::OnlyInLog(version, position) => {
            return Ok(answer_pending(&fresh, &session, id, version, position));
        }
    };
    let etag = etag_of(id, found.version);
    if holds(&headers, &etag) {
        let mut unchanged = Response::new(axum::body::Body::empty());
        *unchanged.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(with_etag(fresh.tell(unchanged, found.reflects), etag));
    }
    let reflects = found.reflects;
    let (view, generated) = found.view;
    let body = full_body(&api, view, generated).await?;
    let pending = body.status == "pending";
    let answer = with_etag(fresh.tell(json_answer(&body), reflects), etag);
    Ok(if pending { retry_soon(answer) } else { answer })
}

/// A playlist with its tracks, as the view has it.
type Seen = Viewed<(PlaylistView, Option<Generated>)>;

enum Found {
    InView(Box<Seen>),
    OnlyInLog(Version, Position),
}

/// Finds the owner's playlist, and waits while it is pending and the caller's patience lasts.
async fn find(
    api: &ApiState,
    session: &Session,
    id: PlaylistId,
    fresh: &Freshness,
) -> Result<Found, Problem> {
    let seen = match look(api, id).await? {
        Some(viewed) if viewed.view.0.owner != session.account => return Err(ProblemType::NotFound.into()),
        Some(viewed) if viewed.view.0.status != PlaylistStatus::Pending => {
            return Ok(Found::InView(Box::new(viewed)));
        }
        Some(viewed) => (viewed.version, viewed.position),
        None => {
            let head = api
                .log()
                .stream_head(&stream_of(id))
                .await
                .map_err(|error| log_problem(&error))?;
            let head = head.ok_or(ProblemType::NotFound)?;
            check_owner(api, session, id).await?;
            (head.version, head.position)
        }
    };
    // A request is the stream's first event and its answer the second.
    let answered = Until::Version(Version(2));
    let waited = api
        .views()
        .wait_for(
            ProjectionKind::Playlists,
            &stream_of(id),
            answered,
            fresh.deadline,
        )
        .await;
    match waited {
        Ok(()) | Err(ViewError::Late | ViewError::NotBuilt(_)) => {}
        Err(error) => return Err(view_problem(&error)),
    }
    match look(api, id).await? {
        Some(viewed) if viewed.view.0.owner == session.account => Ok(Found::InView(Box::new(viewed))),
        Some(_) => Err(ProblemType::NotFound.into()),
        None => Ok(Found::OnlyInLog(seen.0, seen.1)),
    }
}

async fn look(api: &ApiState, id: PlaylistId) -> Result<Option<Seen>, Problem> {
    match api.views().playlist_with_tracks(id).await {
        Err(ViewError::NotBuilt(_)) => Ok(None),
        other => other.map_err(|error| view_problem(&error)),
    }
}

/// The view does not say yet whose playlist it is, so the playlist itself is asked.
async fn check_owner(api: &ApiState, session: &Session, id: PlaylistId) -> Result<(), Problem> {
    let first = api
        .log()
        .read_stream(&stream_of(id), Version::NONE, 1)
        .await
        .map_err(|error| log_problem(&error))?;
    let is_own = first
        .first()
        .is_some_and(|event| event.subject == Some(session.subject()));
    if !is_own {
        return Err(ProblemType::NotFound.into());
    }
    let loaded = api
        .executor()
        .load::<Playlist>(&stream_of(id), Some(SubjectId(session.account.uuid())))
        .await;
    match loaded.map_err(|error| load_problem(&error))?.aggregate.owner() {
        Some(owner) if owner == session.account => Ok(()),
        _ => Err(ProblemType::NotFound.into()),
    }
}

fn answer_pending(
    fresh: &Freshness,
    session: &Session,
    id: PlaylistId,
    version: Version,
    at: Position,
) -> Response {
    let body = PlaylistBody {
        id,
        status: "pending",
        owner: session.account,
        name: None,
        requested_at: None,
        request: None,
        generated_at: None,
        failure: None,
        items: None,
        generation: None,
    };
    retry_soon(with_etag(
        fresh.tell(json_answer(&body), at),
        etag_of(id, version),
    ))
}

fn retry_soon(mut answer: Response) -> Response {
    answer
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    answer
}

/// Strong: a version of a playlist's stream is always shown with the same bytes.
fn etag_of(id: PlaylistId, version: Version) -> String {
    format!("\"{id}.{version}\"")
}

fn with_etag(mut answer: Response, etag: String) -> Response {
    if let Ok(etag) = HeaderValue::try_from(etag) {
        answer.headers_mut().insert(header::ETAG, etag);
    }
    answer
}

/// A playlist without its tracks.
pub(super) fn summary(view: PlaylistView) -> PlaylistBody {
    let (status, generated_at, failure) = match view.status {
        PlaylistStatus::Pending => ("pending", None, None),
        PlaylistStatus::Ready { generated_at, .. } => ("ready", Some(generated_at), None),
        PlaylistStatus::Failed(failed) => {
            let domain::playlist::Failed {
                reason,
                detail,
                failed_at,
            } = failed;
            (
                "failed",
                None,
                Some(Failure {
                    reason,
                    detail,
                    failed_at,
                }),
            )
        }
    };
    PlaylistBody {
        id: view.playlist,
        status,
        owner: view.owner,
        name: view.name,
        requested_at: Some(view.requested_at),
        request: Some(Asked(view.request)),
        generated_at,
        failure,
        items: None,
        generation: None,
    }
}

/// A playlist with its tracks, as the catalogue that it was made from names them.
///
/// # Errors
/// `unavailable` when that catalogue cannot be read.
pub(super) async fn full_body(
    api: &ApiState,
    view: PlaylistView,
    generated: Option<Generated>,
) -> Result<PlaylistBody, Problem> {
    let body = summary(view);
    let Some(generated) = generated else {
        return Ok(body);
    };
    let catalogue = api.catalogue().version(generated.catalogue).await;
    let catalogue = catalogue.map_err(|error| Problem::unavailable(&error))?;
    let items = items(&catalogue, &generated)?;
    Ok(PlaylistBody {
        items: Some(items),
        generation: Some(generation(generated)),
        ..body
    })
}

fn items(catalogue: &Arc<Catalogue>, generated: &Generated) -> Result<Vec<Item>, Problem> {
    let told = Told {
        catalogue,
        features: &generated.features,
        has_dislikes: generated.learned_from.is_some_and(|from| from.disliked > 0),
    };
    let tracks = generated.tracks.iter().enumerate();
    tracks.map(|(at, track)| item(&told, at, track)).collect()
}

fn item(told: &Told<'_>, at: usize, chosen: &GeneratedTrack) -> Result<Item, Problem> {
    let index = told
        .catalogue
        .index_of(&chosen.track)
        .ok_or_else(|| Problem::internal(&Foreign))?;
    let shares = told.features.iter().zip(&chosen.contributions);
    Ok(Item {
        position: at + 1,
        track: TrackBody::of(&told.catalogue.track(index)),
        score: chosen.score,
        reason: told.of(index, &chosen.contributions),
        explanation: shares
            .map(|(feature, &contribution)| Contribution {
                feature: feature.clone(),
                contribution,
            })
            .collect(),
        rank: chosen.rank,
        propensity: chosen.propensity,
    })
}

#[derive(Debug, thiserror::Error)]
#[error("a playlist names a track that its catalogue has not")]
struct Foreign;

fn generation(generated: Generated) -> Generation {
    Generation {
        model: generated.model,
        schema: generated.schema,
        listener_version: generated.listener_version,
        catalogue: generated.catalogue,
        generator: generated.generator,
        random_seed: generated.random_seed,
        requested: generated.requested,
        returned: generated.returned,
        pool: generated.pool,
        learned_from: generated.learned_from,
        arrangement: generated.arrangement,
        notes: generated.notes,
    }
}

/// What a page of playlists is asked with.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlaylistsQuery {
    limit: Option<usize>,
    cursor: Option<String>,
}

/// 200 with the owner's playlists without their tracks, the newest first.
pub(crate) async fn list(
    State(api): State<ApiState>,
    session: Session,
    fresh: Freshness,
    QueryOf(query): QueryOf<PlaylistsQuery>,
) -> Answer {
    let limit = page::limit(query.limit)?;
    let cursor = query.cursor.as_deref();
    if cursor.is_some_and(|cursor| !is_cursor(cursor)) {
        return Err(page::invalid_cursor());
    }
    let owner = Some(session.account);
    fresh
        .of_list(&api, ProjectionKind::Playlists, PlaylistId::CATEGORY, owner)
        .await?;
    let found = api
        .views()
        .playlists_of(session.account, cursor, limit)
        .await
        .map_err(|error| view_problem(&error))?;
    let items = found
        .items
        .into_iter()
        .map(|viewed| summary(viewed.view))
        .collect();
    Ok(fresh.tell(
        json_answer(&Items {
            items,
            next_cursor: found.next,
        }),
        found.reflects,
    ))
}

/// Twenty digits of a position, and the playlist's id.
fn is_cursor(text: &str) -> bool {
    text.split_once('/').is_some_and(|(position, id)| {
        position.len() == 20
            && position.bytes().all(|byte| byte.is_ascii_digit())
            && id.parse::<PlaylistId>().is_ok()
    })
}
