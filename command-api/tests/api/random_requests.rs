//! Whatever is sent, the answer is a success or a problem, and never a fault of ours.

use std::sync::OnceLock;

use axum::body::Body;
use http::{HeaderName, HeaderValue, Method, Request};
use http_body_util::BodyExt;
use proptest::{collection::vec, prelude::*};
use tower::ServiceExt;

use crate::common::{App, Listener};

struct Running {
    runtime: tokio::runtime::Runtime,
    app: App,
    ada: Listener,
}

fn running() -> &'static Running {
    static RUNNING: OnceLock<Running> = OnceLock::new();
    RUNNING.get_or_init(|| {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (app, ada) = runtime.block_on(async {
            let app = App::new().await;
            app.import().await;
            let ada = app.listener("ada").await;
            (app, ada)
        });
        Running { runtime, app, ada }
    })
}

fn path() -> impl Strategy<Value = String> {
    let route = prop::sample::select(command_api::ROUTES).prop_map(|(_, path)| path.to_owned());
    let filled = (route, "[a-z0-9%./~-]{0,12}").prop_map(|(route, part)| {
        ["{track}", "{id}", "{stream}", "{level}", "{*path}"]
            .iter()
            .fold(route, |path, name| path.replace(name, &part))
    });
    // Erasing the one account would make the rest of the cases dull.
    prop_oneof![4 => filled, 1 => "/[a-z0-9/%.]{0,20}"]
}

fn header() -> impl Strategy<Value = (String, Vec<u8>)> {
    let name = prop::sample::select(vec![
        "accept",
        "content-type",
        "content-length-x",
        "expect-x",
        "idempotency-key",
        "if-none-match",
        "prefer",
        "segue-min-position",
        "traceparent",
        "x-forwarded-for",
    ]);
    let known = prop::sample::select(vec![
        "application/json",
        "*/*",
        "wait=0",
        "1",
        "0",
        "k1",
        "18446744073709551615",
        "*",
        "text/html;q=0",
    ]);
    let value = prop_oneof![
        known.prop_map(|text: &str| text.as_bytes().to_vec()),
        vec(any::<u8>(), 0..24)
    ];
    (name.prop_map(ToOwned::to_owned), value)
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let shapes = prop::sample::select(vec![
        r#"{"username":"ada","password":""}"#,
        r#"{"rating":"like"}"#,
        r#"{"ratings":[{"track":"t1","rating":"like"}]}"#,
        r#"{"track":"t1","duration_played_ms":1}"#,
        r#"{"limit":1}"#,
        r#"{"limit":-1}"#,
        r#"{"target_energy":1e999}"#,
        "[[[[[[",
        "null",
        "{}",
        "\"\\ud800\"",
    ]);
    prop_oneof![
        shapes.prop_map(|text: &str| text.as_bytes().to_vec()),
        vec(any::<u8>(), 0..64)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_request_gets_a_success_or_a_problem(
        method in prop::sample::select(vec!["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"]),
        path in path(),
        query in "[a-z0-9=&%+]{0,16}",
        headers in vec(header(), 0..4),
        body in body(),
        signed_in in any::<bool>(),
    ) {
        let Running { runtime, app, ada } = running();
        let target = if query.is_empty() { path.clone() } else { format!("{path}?{query}") };
        let ends_the_session = method == "DELETE" && (path == "/v1/me" || path.starts_with("/v1/sessions"));
        let Ok(request) = Request::builder().uri(&target).body(Body::from(body)) else { return Ok(()) };
        let mut request = request;
        *request.method_mut() = Method::from_bytes(method.as_bytes()).unwrap();
        for (name, value) in headers {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_bytes(&value)) {
                request.headers_mut().append(name, value);
            }
        }
        if signed_in && !ends_the_session {
            let token = HeaderValue::try_from(format!("Bearer {}", ada.token)).unwrap();
            request.headers_mut().insert("authorization", token);
        }
        let (parts, body) = runtime.block_on(async {
            let response = app.router.clone().oneshot(request).await.unwrap();
            let (parts, body) = response.into_parts();
            let type_of_body = parts.headers.get("content-type");
            // A stream goes on until its reader leaves: this one does.
            if type_of_body.is_some_and(|value| value == "text/event-stream") {
                return (parts, bytes::Bytes::new());
            }
            (parts, body.collect().await.unwrap().to_bytes())
        });
        let status = parts.status;
        prop_assert!(!status.is_server_error() || status == 503, "{method} {target}: {status} {body:?}");
        if !status.is_success() && status != 304 {
            prop_assert_eq!(parts.headers.get("content-type").map(HeaderValue::as_bytes), Some(&b"application/problem+json"[..]));
            if method != "HEAD" {
                let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
                prop_assert_eq!(problem["status"].as_u64(), Some(u64::from(status.as_u16())));
            }
        }
    }
}
