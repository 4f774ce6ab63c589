//! The router: the routes, and what surrounds every request.

use axum::{
    Router,
    extract::Request,
    middleware::{self, Next},
    response::Response,
};
use http::HeaderValue;

use crate::{metrics, panics, routes, state::ApiState, traces};

/// Every route, with everything around it: panics are caught, browsers are told to take nothing for something else, each request
/// is put into its trace, and what was answered is counted.
pub fn router(state: ApiState) -> Router {
    routes::routes()
        .layer(middleware::from_fn(panics::catch))
        .layer(middleware::from_fn(harden))
        .layer(middleware::from_fn(traces::follow))
        .layer(middleware::from_fn_with_state(state.clone(), metrics::measure))
        .with_state(state)
}

async fn harden(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response
        .headers_mut()
        .insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    response
}
