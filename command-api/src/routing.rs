//! The router: the routes, and what surrounds every request.

use axum::{
    Router,
    extract::{Request, State},
    middleware::{self, Next},
    response::Response,
};
use http::HeaderValue;

use crate::{metrics, panics, routes, state::ApiState, traces};

/// Every route, with everything around it: panics are caught, browsers are told to take nothing for something else, each request
/// is put into its trace, and what was answered is counted.
pub fn router(state: ApiState) -> Router {
    routes::routes()
        .layer(middleware::from_fn_with_state(state.clone(), surround))
        .with_state(state)
}

/// All of it in one layer: each layer more would box every request's future and body once more.
async fn surround(State(api): State<ApiState>, request: Request, next: Next) -> Response {
    let answer = async |request| harden(panics::catch(request, next).await);
    metrics::measure(api.http_measures(), request, |request| {
        traces::follow(request, answer)
    })
    .await
}

fn harden(mut response: Response) -> Response {
    response
        .headers_mut()
        .insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    response
}
