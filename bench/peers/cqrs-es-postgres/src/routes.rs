//! HTTP: commands in, the view out.

use std::sync::Arc;

use axum::extract::{Path, State as Held};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use cqrs_es::AggregateError;
use cqrs_es::persist::ViewRepository;
use postgres_es::{PostgresCqrs, PostgresViewRepository};
use serde::Deserialize;

use crate::listener::{Listener, ListenerCommand, ListenerError, Rating};
use crate::view::ListenerView;

/// What every request works on.
#[derive(Clone)]
pub struct State {
    pub cqrs: Arc<PostgresCqrs<Listener>>,
    pub views: Arc<PostgresViewRepository<ListenerView, Listener>>,
}

/// The body of a rating.
#[derive(Deserialize)]
struct RatingBody {
    rating: Rating,
}

pub fn router(state: State) -> Router {
    Router::new()
        .route("/listeners/{id}", get(ratings))
        .route("/listeners/{id}/ratings/{track}", put(rate))
        .with_state(state)
}

async fn rate(
    Held(state): Held<State>,
    Path((listener, track)): Path<(String, String)>,
    Json(RatingBody { rating }): Json<RatingBody>,
) -> Response {
    let command = ListenerCommand::Rate { track, rating };
    match state.cqrs.execute(&listener, command).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => failed(&error),
    }
}

async fn ratings(Held(state): Held<State>, Path(listener): Path<String>) -> Response {
    match state.views.load(&listener).await {
        Ok(Some(view)) => Json(view).into_response(),
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

fn failed(error: &AggregateError<ListenerError>) -> Response {
    let status = match error {
        AggregateError::UserError(_) => StatusCode::UNPROCESSABLE_ENTITY,
        AggregateError::AggregateConflict => StatusCode::CONFLICT,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    (status, error.to_string()).into_response()
}
