//! `/v1/me/ratings`: likes and dislikes.
//!
//! A rating carries the track as the catalogue describes it now, so that taste can be learned from the log alone.

use axum::extract::State;
use classifier::Catalogue;
use domain::{Listener, ListenerCommand, Rating, TrackId, listener::NewRating, listener::RATINGS_MAX};
use eventing::Order;
use http::StatusCode;
use projectors::ProjectionKind;
use serde::{Deserialize, Serialize};

use super::{Items, json_answer, plays::listener_stream};
use crate::{
    auth::Session,
    catalogue::Loaded,
    commands::metadata_of,
    freshness::{Freshness, view_problem},
    idempotency::{Begun, Once, Scope, StoredAnswer},
    problem::{Answer, FieldError, Problem, ProblemType},
    request::{PathOf, QueryOf, WriteRequest, page},
    state::ApiState,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RatingBody {
    rating: Rating,
}

/// 204; the same again is 204 as well. 404 when the catalogue has no such track.
pub(crate) async fn rate(
    State(api): State<ApiState>,
    session: Session,
    PathOf(track): PathOf<TrackId>,
    request: WriteRequest,
) -> Answer {
    let once = match api.begin(&request, Scope::Account(session.account)).await? {
        Begun::Fresh(once) => once,
        Begun::Answered(answer) => return Ok(answer),
    };
    let RatingBody { rating } = request.json()?;
    let (catalogue, index) = known_track(&api, &track)?;
    let described = catalogue.content.describe(index);
    let ratings = vec![NewRating {
        track,
        rating,
        described,
    }];
    carry_out(
        &api,
        &session,
        &request,
        once,
        ListenerCommand::Rate {
            ratings,
            at: request.received_at,
        },
    )
    .await
}

/// 204, whether the track was rated or not.
pub(crate) async fn retract(
    State(api): State<ApiState>,
    session: Session,
    PathOf(track): PathOf<TrackId>,
    request: WriteRequest,
) -> Answer {
    let once = match api.begin(&request, Scope::Account(session.account)).await? {
        Begun::Fresh(once) => once,
        Begun::Answered(answer) => return Ok(answer),
    };
    request.no_body()?;
    carry_out(
        &api,
        &session,
        &request,
        once,
        ListenerCommand::Retract {
            track,
            at: request.received_at,
        },
    )
    .await
}

async fn carry_out(
    api: &ApiState,
    session: &Session,
    request: &WriteRequest,
    once: Option<Once>,
    command: ListenerCommand,
) -> Answer {
    let order = Order::<Listener>::new(
        listener_stream(session.account),
        command,
        metadata_of(&request.headers),
    );
    api.carry_out(
        order.about(session.subject()),
        once,
        StoredAnswer::empty(StatusCode::NO_CONTENT),
    )
    .await
}

/// The catalogue and the track's place in it.
pub(super) fn known_track(api: &ApiState, track: &TrackId) -> Result<(Loaded<Catalogue>, u32), Problem> {
    let catalogue = api.catalogue().current().ok_or(ProblemType::UnknownTrack)?;
    let index = catalogue
        .content
        .index_of(track)
        .ok_or(ProblemType::UnknownTrack)?;
    Ok((catalogue, index))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Many {
    ratings: Vec<One>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct One {
    track: TrackId,
    rating: Rating,
}

#[derive(Serialize)]
struct Outcome {
    track: TrackId,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Box<serde_json::value::RawValue>>,
}

/// 200 with a result for each, in the order of the request. Those that are good are recorded together, or none of them.
pub(crate) async fn rate_many(
    State(api): State<ApiState>,
    session: Session,
    request: WriteRequest,
) -> Answer {
    let once = match api.begin(&request, Scope::Account(session.account)).await? {
        Begun::Fresh(once) => once,
        Begun::Answered(answer) => return Ok(answer),
    };
    let Many { ratings } = request.json()?;
    if !(1..=RATINGS_MAX).contains(&ratings.len()) {
        let error = FieldError::new("ratings", format!("has 1 to {RATINGS_MAX} items"));
        return Err(Problem::new(ProblemType::InvalidRequest).errors([error]));
    }
    let catalogue = api.catalogue().current();
    let (mut known, mut items) = (
        Vec::with_capacity(ratings.len()),
        Vec::with_capacity(ratings.len()),
    );
    for One { track, rating } in ratings {
        match describe(catalogue.as_ref(), &track) {
            Some(described) => {
                items.push(Outcome {
                    track: track.clone(),
                    status: 204,
                    problem: None,
                });
                known.push(NewRating {
                    track,
                    rating,
                    described,
                });
            }
            None => items.push(unknown(track)),
        }
    }
    let answer = StoredAnswer::json(
        StatusCode::OK,
        &Items {
            items,
            next_cursor: None,
        },
    );
    if known.is_empty() {
        return api
            .answer_without_effect(
                listener_stream(session.account),
                Some(session.subject()),
                once,
                answer,
            )
            .await;
    }
    let command = ListenerCommand::Rate {
        ratings: known,
        at: request.received_at,
    };
    let order = Order::<Listener>::new(
        listener_stream(session.account),
        command,
        metadata_of(&request.headers),
    );
    api.carry_out(order.about(session.subject()), once, answer).await
}

fn describe(catalogue: Option<&Loaded<Catalogue>>, track: &TrackId) -> Option<domain::Described> {
    let catalogue = catalogue?;
    catalogue
        .content
        .index_of(track)
        .map(|index| catalogue.content.describe(index))
}

fn unknown(track: TrackId) -> Outcome {
    let problem = Problem::new(ProblemType::UnknownTrack);
    let body = String::from_utf8(problem.body().to_vec()).ok();
    let body = body.and_then(|body| serde_json::value::RawValue::from_string(body).ok());
    Outcome {
        track,
        status: problem.status().as_u16(),
        problem: body,
    }
}

/// What a page of ratings is asked with.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RatingsQuery {
    limit: Option<usize>,
    cursor: Option<String>,
}

/// 200 with the ratings that hold, in the order of the tracks' ids.
pub(crate) async fn list(
    State(api): State<ApiState>,
    session: Session,
    fresh: Freshness,
    QueryOf(query): QueryOf<RatingsQuery>,
) -> Answer {
    let limit = page::limit(query.limit)?;
    let after = query
        .cursor
        .map(TrackId::parse)
        .transpose()
        .map_err(|_| page::invalid_cursor())?;
    fresh
        .of_view(
            &api,
            ProjectionKind::TasteModels,
            &listener_stream(session.account),
        )
        .await?;
    let found = api
        .views()
        .ratings_page(session.account, after.as_ref(), limit)
        .await;
    let found = found.map_err(|error| view_problem(&error))?;
    let answer = json_answer(&Items {
        items: found.items,
        next_cursor: found.next,
    });
    Ok(fresh.tell(answer, found.reflects))
}
