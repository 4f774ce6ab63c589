//! Reads JSON from callers strictly, and says which field is wrong without repeating what was sent.

use serde::de::DeserializeOwned;

use crate::problem::{FieldError, Problem, ProblemType};

/// Reads a body.
///
/// # Errors
/// `invalid-body`, naming the field where there is one. The caller's own values are never repeated: one of them may be
/// a password.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| describe(&error.path().to_string(), error.inner()))?;
    reader.end().map_err(|error| describe(".", &error))?;
    Ok(value)
}

fn describe(path: &str, error: &serde_json::Error) -> Problem {
    let problem = Problem::new(ProblemType::InvalidBody);
    if !error.is_data() {
        return problem.detail(format!(
            "not JSON at line {}, column {}",
            error.line(),
            error.column()
        ));
    }
    let (field, detail) = explain(path, &error.to_string());
    problem.errors([FieldError::new(field, detail)])
}

/// Turns serde's sentences, which may quote a value, into ones that do not.
fn explain(path: &str, message: &str) -> (String, String) {
    let message = message
        .rsplit_once(" at line ")
        .map_or(message, |(before, _)| before);
    let field = if path == "." { "body" } else { path };
    if let Some(name) = quoted_after(message, "missing field `") {
        return (inside(path, name), "is missing".to_owned());
    }
    if message.starts_with("unknown field `") {
        return (field.to_owned(), "is not known here".to_owned());
    }
    if let Some(name) = quoted_after(message, "duplicate field `") {
        return (inside(path, name), "is there twice".to_owned());
    }
    match message.rsplit_once(", expected ") {
        Some((_, expected)) => (field.to_owned(), format!("expected {expected}")),
        None if message.starts_with("invalid ") => (field.to_owned(), "has not the right form".to_owned()),
        // What our own types say: constant sentences about a rule.
        None => (field.to_owned(), message.to_owned()),
    }
}

fn quoted_after<'a>(message: &'a str, start: &str) -> Option<&'a str> {
    message.strip_prefix(start)?.split('`').next()
}

fn inside(path: &str, name: &str) -> String {
    if path == "." {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only parsing is looked at")]
    struct Outer {
        name: String,
        inner: Vec<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only parsing is looked at")]
    struct Inner {
        number: u32,
    }

    fn body_of(json: &str) -> String {
        let problem = parse::<Outer>(json.as_bytes()).unwrap_err();
        String::from_utf8(problem.body().to_vec()).unwrap()
    }

    #[test]
    fn the_field_is_named() {
        for (json, expected) in [
            (r#"{"inner":[]}"#, r#"{"field":"name","detail":"is missing"}"#),
            (
                r#"{"name":"a","inner":[{}]}"#,
                r#"{"field":"inner[0].number","detail":"is missing"}"#,
            ),
            (
                r#"{"name":"a","nome":"b","inner":[]}"#,
                r#"{"field":"nome","detail":"is not known here"}"#,
            ),
            (
                r#"{"name":"a","name":"b","inner":[]}"#,
                r#"{"field":"name","detail":"is there twice"}"#,
            ),
            (
                r#"{"name":1,"inner":[]}"#,
                r#"{"field":"name","detail":"expected a string"}"#,
            ),
            (
                r#"{"name":"a","inner":[{"number":-1}]}"#,
                r#"{"field":"inner[0].number","detail":"expected u32"}"#,
            ),
        ] {
            let body = body_of(json);
            assert!(body.contains(expected), "{json}: {body}");
        }
    }

    #[test]
    fn broken_json_says_where() {
        assert!(body_of("{").contains("line 1, column 1"));
        assert!(body_of(r#"{"name":"a","inner":[]} x"#).contains("column 25"));
    }

    #[test]
    fn a_value_is_never_repeated() {
        for json in [
            r#"{"name":["hunter2"],"inner":[]}"#,
            r#"{"name":"a","inner":"hunter2"}"#,
        ] {
            assert!(!body_of(json).contains("hunter2"), "{json}");
        }
    }
}
