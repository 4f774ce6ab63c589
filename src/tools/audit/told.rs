//! JSON as lines for a person.

use serde_json::Value;

/// A line for each field, nested ones behind a dot: `generation.model: sha256-...`. Numbers are written in full.
pub(crate) fn told(value: &Value) -> String {
    let mut lines = Vec::new();
    tell(String::new(), value, &mut lines);
    lines.join("\n")
}

fn tell(path: String, value: &Value, lines: &mut Vec<String>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, field) in fields {
                tell(inside(&path, name), field, lines);
            }
        }
        Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
            for (at, item) in items.iter().enumerate() {
                tell(inside(&path, &(at + 1).to_string()), item, lines);
            }
        }
        value => lines.push(format!("{path}: {}", scalar(value))),
    }
}

/// A value on one line.
pub(crate) fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(scalar).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

fn inside(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_has_a_line() {
        let value = serde_json::json!({
            "role": "listener", "items": [{"track": "t1", "score": 0.5}], "artists": ["Nova", "Orbit"], "request": {}
        });
        let expected =
            "artists: Nova, Orbit\nitems.1.score: 0.5\nitems.1.track: t1\nrequest: {}\nrole: listener";
        let mut lines: Vec<_> = told(&value).lines().map(str::to_owned).collect();
        lines.sort_unstable();
        assert_eq!(lines.join("\n"), expected);
    }
}
