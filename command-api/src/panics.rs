//! A handler that panics is answered as a fault of ours, and the process goes on.

use std::panic::AssertUnwindSafe;

use axum::{
    extract::Request,
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures::FutureExt;

use crate::problem::{Problem, ProblemType};

/// Answers a panic with the problem `internal`. What the panic said goes to the panic hook only, not to the caller.
pub(crate) async fn catch(request: Request, next: Next) -> Response {
    let (method, path) = (
        request.method().clone(),
        request.extensions().get::<axum::extract::MatchedPath>().cloned(),
    );
    match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(_) => {
            let route = path
                .as_ref()
                .map_or("unknown", axum::extract::MatchedPath::as_str);
            tracing::error!(http.method = %method, http.route = route, "a handler panicked");
            Problem::new(ProblemType::Internal).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::{Router, body::Body, middleware, routing::get};
    use http::{Request, StatusCode, header};
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;

    async fn broken() -> &'static str {
        panic!("the secret of the house")
    }

    #[tokio::test]
    async fn a_panic_is_a_problem_without_its_text() {
        let router: Router = Router::new()
            .route("/", get(broken))
            .layer(middleware::from_fn(catch));
        let response = router.oneshot(Request::new(Body::empty())).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            "application/problem+json"
        );
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(!String::from_utf8_lossy(&body).contains("secret"));
    }
}
