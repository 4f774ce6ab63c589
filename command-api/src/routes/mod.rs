//! The routes, a file for each resource.

mod accounts;
mod audit;
mod correlations;
mod events;
mod export;
mod health;
mod me;
mod me_events;
mod playlists;
mod plays;
mod ratings;
mod sessions;
mod streams;
mod taste;
mod tracks;
pub(crate) mod wish;

use axum::{
    Router,
    response::{IntoResponse, Response},
    routing::{delete, get, post, put},
};
use http::{HeaderValue, header};
use serde::Serialize;

use crate::{
    problem::{Problem, ProblemType},
    state::ApiState,
};

/// Every route: method and path. A test compares it with what the tests touch; keep it sorted by path.
pub const ROUTES: &[(&str, &str)] = &[
    ("GET", "/livez"),
    ("GET", "/metrics"),
    ("GET", "/readyz"),
    ("POST", "/v1/accounts"),
    ("GET", "/v1/audit/checkpoint"),
    ("GET", "/v1/audit/checkpoints"),
    ("GET", "/v1/audit/consistency"),
    ("GET", "/v1/audit/correlations/{id}"),
    ("GET", "/v1/audit/inclusion"),
    ("GET", "/v1/audit/key"),
    ("GET", "/v1/audit/tile/{level}/{*path}"),
    ("GET", "/v1/events"),
    ("GET", "/v1/events/stream"),
    ("DELETE", "/v1/me"),
    ("GET", "/v1/me"),
    ("GET", "/v1/me/events"),
    ("GET", "/v1/me/export"),
    ("PUT", "/v1/me/password"),
    ("POST", "/v1/me/plays"),
    ("GET", "/v1/me/ratings"),
    ("POST", "/v1/me/ratings"),
    ("DELETE", "/v1/me/ratings/{track}"),
    ("PUT", "/v1/me/ratings/{track}"),
    ("GET", "/v1/me/taste"),
    ("GET", "/v1/playlists"),
    ("POST", "/v1/playlists"),
    ("GET", "/v1/playlists/{id}"),
    ("DELETE", "/v1/sessions"),
    ("GET", "/v1/sessions"),
    ("POST", "/v1/sessions"),
    ("DELETE", "/v1/sessions/current"),
    ("GET", "/v1/streams/{stream}"),
    ("GET", "/v1/tracks"),
    ("GET", "/v1/tracks/{id}"),
];

/// The routes without what surrounds every request.
pub(crate) fn routes() -> Router<ApiState> {
    Router::new()
        .route("/livez", get(health::live))
        .route("/metrics", get(health::metrics))
        .route("/readyz", get(health::ready))
        .route("/v1/accounts", post(accounts::register))
        .route("/v1/audit/checkpoint", get(audit::latest))
        .route("/v1/audit/checkpoints", get(audit::list))
        .route("/v1/audit/consistency", get(audit::prove_consistency))
        .route("/v1/audit/correlations/{id}", get(correlations::show))
        .route("/v1/audit/inclusion", get(audit::prove_inclusion))
        .route("/v1/audit/key", get(audit::show_key))
        .route("/v1/audit/tile/{level}/{*path}", get(audit::show_tile))
        .route("/v1/events", get(events::list))
        .route("/v1/events/stream", get(events::open))
        .route("/v1/me", get(me::show).delete(me::erase))
        .route("/v1/me/events", get(me_events::open))
        .route("/v1/me/export", get(export::export))
        .route("/v1/me/password", put(me::change_password))
        .route("/v1/me/plays", post(plays::play))
        .route("/v1/me/ratings", get(ratings::list).post(ratings::rate_many))
        .route(
            "/v1/me/ratings/{track}",
            put(ratings::rate).delete(ratings::retract),
        )
        .route("/v1/me/taste", get(taste::show))
        .route("/v1/playlists", get(playlists::list).post(playlists::request))
        .route("/v1/playlists/{id}", get(playlists::show))
        .route(
            "/v1/sessions",
            get(sessions::list)
                .post(sessions::sign_in)
                .delete(sessions::sign_out_everywhere),
        )
        .route("/v1/sessions/current", delete(sessions::sign_out))
        .route("/v1/streams/{stream}", get(streams::show))
        .route("/v1/tracks", get(tracks::search))
        .route("/v1/tracks/{id}", get(tracks::show))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
}

async fn not_found() -> Problem {
    ProblemType::NotFound.into()
}

async fn method_not_allowed() -> Problem {
    ProblemType::MethodNotAllowed.into()
}

/// A list, or a part of one.
#[derive(Serialize)]
struct Items<T> {
    items: Vec<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// 200 with a JSON body that belongs to its caller alone.
pub(crate) fn json_answer(body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(body) => {
            let mut response = Response::new(body.into());
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            headers.insert(
                header::CACHE_CONTROL,
                HeaderValue::from_static("private, no-cache"),
            );
            response
        }
        Err(error) => Problem::internal(&error).into_response(),
    }
}
