//! `OTEL_EXPORTER_OTLP_HEADERS`: names and values, encoded as in a W3C baggage.

use std::collections::HashMap;
use std::fmt;

use anyhow::Context;
use percent_encoding::percent_decode_str;
use reqwest::header::{HeaderName, HeaderValue};

/// What is sent to the collector with all that it gets. A value may be a secret, and is never shown.
pub(crate) struct Headers(pub(super) HashMap<String, String>);

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

/// Reads `name=value,other=value`.
///
/// # Errors
/// When it has another form; nothing of it is told.
pub(super) fn parse(text: &str) -> anyhow::Result<Headers> {
    let pairs = text.split(',').filter(|pair| !pair.trim().is_empty());
    let headers: Option<_> = pairs.map(header).collect();
    let headers = headers.context(
        "OTEL_EXPORTER_OTLP_HEADERS must be as `name=value,other=value`, each value percent-encoded",
    )?;
    Ok(Headers(headers))
}

fn header(pair: &str) -> Option<(String, String)> {
    let (name, value) = pair.split_once('=')?;
    let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
    let name = HeaderName::try_from(name.trim()).ok()?;
    HeaderValue::try_from(value.as_ref()).ok()?;
    Some((name.to_string(), value.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_and_never_shown() {
        let headers = parse("Authorization=Bearer%20secret%3D, x-tenant = segue,").expect("headers");
        assert_eq!(headers.0["authorization"], "Bearer secret=");
        assert_eq!(headers.0["x-tenant"], "segue");
        assert!(!format!("{headers:?}").contains("secret"));
        assert!(parse("").expect("none").0.is_empty());
    }

    #[test]
    fn what_is_no_header_is_refused_and_not_repeated() {
        for wrong in ["secret", "a b=secret", "=secret", "a=secret%0a", "a=secret%ff"] {
            let error = parse(wrong).expect_err(wrong).to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
