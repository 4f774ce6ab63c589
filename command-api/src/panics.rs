//! A handler that panics is answered as a fault of ours, and the process goes on.

use std::panic::AssertUnwindSafe;

use axum::{extract::Request, middleware::Next, response::{IntoResponse, Response}};
use futures::FutureExt;

use crate::problem::{Problem, ProblemType};

/// Answers a panic with the problem `internal`. What the panic said goes to the panic hook only, not to the caller.
pub(crate) async fn catch(request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.extensions().get::<axum::extract::MatchedPath>().cloned());
    match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(_) => {
            let route = path.as_ref().map_or("unknown", axum::extract::MatchedPath::as_str);
            tracing::error!(http.method = %method, http.route = route, "a handler panicked");
            Problem::new(ProblemType::Internal).into_response()
        }
    }
}
