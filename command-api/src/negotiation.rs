//! Which form of an answer a caller takes, and whether they have it already.

use http::{HeaderMap, header};

use crate::problem::{Problem, ProblemType};

/// Refuses callers that take no JSON.
///
/// # Errors
/// `not-acceptable`.
pub fn accepts_json(headers: &HeaderMap) -> Result<(), Problem> {
    let mut values = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .peekable();
    if values.peek().is_none() || values.flat_map(|value| value.split(',')).any(takes_json) {
        return Ok(());
    }
    Err(Problem::new(ProblemType::NotAcceptable).detail("application/json is offered"))
}

/// Whether the caller names this media type among those that they take.
pub fn names(headers: &HeaderMap, media_type: &str) -> bool {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|range| takes(range, &[media_type]))
}

/// In which form an answer is given that has two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `application/json`.
    Json,
    /// `text/plain`.
    Text,
}

/// The form that a caller takes: JSON, unless they ask for text and name no JSON.
///
/// # Errors
/// `not-acceptable` for those who take neither.
pub fn json_or_text(headers: &HeaderMap) -> Result<Form, Problem> {
    if accepts_json(headers).is_ok() {
        return Ok(Form::Json);
    }
    let mut ranges = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    if ranges.any(|range| takes(range, &["text/plain", "text/*"])) {
        return Ok(Form::Text);
    }
    Err(Problem::new(ProblemType::NotAcceptable).detail("application/json and text/plain are offered"))
}

/// Whether the caller has what this entity tag names: `If-None-Match` compares weakly.
pub fn holds(headers: &HeaderMap, etag: &str) -> bool {
    let values = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
}

fn takes_json(range: &str) -> bool {
    takes(range, &["*/*", "application/*", "application/json"])
}

fn takes(range: &str, forms: &[&str]) -> bool {
    let mut parts = range.split(';').map(str::trim);
    let media_type = parts.next().unwrap_or_default().to_ascii_lowercase();
    let is_refused = parts.any(|part| {
        matches!(part.split_once('='), Some((name, weight))
        if name.trim().eq_ignore_ascii_case("q") && weight.trim().parse() == Ok(0.0_f32))
    });
    forms.contains(&media_type.as_str()) && !is_refused
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(value: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, value.parse().unwrap());
        accepts_json(&headers).is_ok()
    }

    #[test]
    fn a_media_type_is_named_and_not_only_covered() {
        let batch = "application/cloudevents-batch+json";
        for (value, expected) in [
            ("application/json, Application/CloudEvents-Batch+JSON;q=0.5", true),
            ("application/cloudevents-batch+json;q=0", false),
            ("*/*", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, value.parse().unwrap());
            assert_eq!(names(&headers, batch), expected, "{value}");
        }
    }

    #[test]
    fn text_is_given_to_those_who_ask_for_it_and_for_no_json() {
        let form = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, value.parse().unwrap());
            json_or_text(&headers).ok()
        };
        for value in ["text/plain", "text/*", "Text/Plain;q=0.5, image/png"] {
            assert_eq!(form(value), Some(Form::Text), "{value}");
        }
        for value in ["*/*", "text/plain, application/json", "application/*"] {
            assert_eq!(form(value), Some(Form::Json), "{value}");
        }
        assert_eq!(json_or_text(&HeaderMap::new()).ok(), Some(Form::Json));
        assert_eq!((form("text/html"), form("text/plain;q=0")), (None, None));
    }

    #[test]
    fn json_and_what_covers_it_is_accepted() {
        assert!(accepts_json(&HeaderMap::new()).is_ok());
        for value in [
            "application/json",
            "*/*",
            "text/html, application/*;q=0.1",
            "Application/JSON; q=1",
        ] {
            assert!(accepted(value), "{value}");
        }
        for value in [
            "text/html",
            "application/jspf+json",
            "application/json;q=0",
            "application/json; Q=0.0",
        ] {
            assert!(!accepted(value), "{value}");
        }
    }
}
