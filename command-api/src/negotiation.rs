//! Which form of an answer a caller takes.

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

fn takes_json(range: &str) -> bool {
    let mut parts = range.split(';').map(str::trim);
    let media_type = parts.next().unwrap_or_default().to_ascii_lowercase();
    let is_refused = parts.any(|part| {
        matches!(part.split_once('='), Some((name, weight))
        if name.trim().eq_ignore_ascii_case("q") && weight.trim().parse() == Ok(0.0_f32))
    });
    matches!(media_type.as_str(), "*/*" | "application/*" | "application/json") && !is_refused
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
