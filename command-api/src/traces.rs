//! The trace of a request: its caller's, or one that begins here.
//!
//! From here on inwards the header `traceparent` names the span of this request, or the caller's where none is told, in a form
//! that was checked; handlers hand it on with what they append. Log lines that are written meanwhile tell the trace.

use axum::{extract::Request, response::Response};
use eventing::traces::{Kind, Running, TraceContext};
use http::{HeaderMap, HeaderName, HeaderValue};
use tracing::Instrument as _;

use crate::metrics::{method_of, route_of};

/// The header of W3C Trace Context.
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// What is asked by people and programs; what is asked by probes and scrapers begins otherwise.
const TOLD: &str = "/v1/";

/// Puts the request into its trace, and tells its span if that is wanted.
pub(crate) async fn follow<F>(mut request: Request, answer: impl FnOnce(Request) -> F) -> Response
where
    F: Future<Output = Response>,
{
    let caller = caller(request.headers());
    let span = begin(&request, caller);
    let Some(context) = span.as_ref().map(Running::context).or(caller) else {
        request.headers_mut().remove(TRACEPARENT);
        return answer(request).await;
    };
    if let Ok(value) = HeaderValue::try_from(context.to_string()) {
        request.headers_mut().insert(TRACEPARENT, value);
    }
    // An error's line is to tell its trace whatever else is written.
    let lines = tracing::error_span!("request", trace_id = %context.trace());
    let response = answer(request).instrument(lines).await;
    end(span, &response);
    response
}

/// Where the caller stands. Of several headers none counts.
fn caller(headers: &HeaderMap) -> Option<TraceContext> {
    let mut values = headers.get_all(TRACEPARENT).iter();
    let (value, None) = (values.next()?, values.next()) else {
        return None;
    };
    TraceContext::parse(value.to_str().ok()?.trim_matches([' ', '\t']))
}

fn begin(request: &Request, caller: Option<TraceContext>) -> Option<Running> {
    if !eventing::traces::are_told() {
        return None;
    }
    let (method, route) = (method_of(request), route_of(request));
    if !route.starts_with(TOLD) {
        return None;
    }
    let mut span = Running::begin(caller, Kind::Server, || format!("{method} {route}").into())?;
    span.say("http.request.method", method);
    span.say("http.route", route);
    Some(span)
}

/// A client that goes away before has a span without a status.
fn end(span: Option<Running>, response: &Response) {
    let Some(mut span) = span else { return };
    let status = response.status();
    span.say("http.response.status_code", u64::from(status.as_u16()));
    if status.is_server_error() {
        span.fail(status.as_str().to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTEXT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn told(values: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(TRACEPARENT, HeaderValue::from_str(value).expect("a value"));
        }
        caller(&headers).map(|context| context.to_string())
    }

    #[test]
    fn one_header_counts_and_several_do_not() {
        assert_eq!(told(&[CONTEXT]).as_deref(), Some(CONTEXT));
        assert_eq!(told(&[&format!("\t {CONTEXT} ")]).as_deref(), Some(CONTEXT));
        for wrong in [&[][..], &["nonsense"], &[CONTEXT, CONTEXT], &[CONTEXT, ""]] {
            assert_eq!(told(wrong), None, "{wrong:?}");
        }
    }
}
