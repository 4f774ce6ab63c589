//! What a caller prefers (RFC 7240) and how recent an answer must be.

use std::time::Duration;

use eventing::Position;
use http::{HeaderMap, HeaderValue};

use crate::problem::{FieldError, Problem, ProblemType};

/// The longest a request may wait for anything; a larger wish is cut to this.
pub const WAIT_MAX: Duration = Duration::from_secs(30);
/// Carries the position a write got, or the position a read reflects.
pub const SEGUE_POSITION: &str = "segue-position";
/// Asks a read to reflect at least this position.
pub const SEGUE_MIN_POSITION: &str = "segue-min-position";

/// The part of `Prefer` that is honoured: `wait=N`, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prefer {
    wait_s: Option<u64>,
}

impl Prefer {
    /// Reads every `Prefer` header. Unknown preferences and malformed ones are passed over, as RFC 7240 asks.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let wait_s = headers
            .get_all("prefer")
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .find_map(wait_preference);
        Self {
            wait_s: wait_s.map(|seconds| seconds.min(WAIT_MAX.as_secs())),
        }
    }

    /// How long the caller is ready to wait; nothing when it did not say.
    #[must_use]
    pub fn wait(self) -> Duration {
        Duration::from_secs(self.wait_s.unwrap_or(0))
    }

    /// The value of `Preference-Applied`, if a preference was honoured.
    #[must_use]
    pub fn applied(self) -> Option<HeaderValue> {
        let seconds = self.wait_s?;
        HeaderValue::from_str(&format!("wait={seconds}")).ok()
    }
}

fn wait_preference(preference: &str) -> Option<u64> {
    let before_parameters = preference.split(';').next()?;
    let (name, value) = before_parameters.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("wait") {
        return None;
    }
    let digits = value.trim().trim_matches('"');
    digits
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| digits.parse().ok())?
}

/// Reads `Segue-Min-Position`.
///
/// # Errors
/// A problem of type `invalid-header` when it is there and is not one decimal number.
pub fn min_position(headers: &HeaderMap) -> Result<Option<Position>, Problem> {
    let mut values = headers.get_all(SEGUE_MIN_POSITION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let number = value
        .to_str()
        .ok()
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    match (number.and_then(|text| text.parse().ok()), values.next()) {
        (Some(number), None) => Ok(Some(Position(number))),
        _ => Err(invalid_header("Segue-Min-Position", "must be one decimal number")),
    }
}

/// The problem for a malformed header.
#[must_use]
pub fn invalid_header(name: &str, detail: &str) -> Problem {
    Problem::new(ProblemType::InvalidHeader).errors([FieldError::new(name, detail)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn wait_is_found_among_other_preferences() {
        let prefer = Prefer::of(&headers(&[("prefer", "respond-async, Wait=\"5\"; x=1")]));
        assert_eq!(prefer.wait(), Duration::from_secs(5));
        assert_eq!(prefer.applied().unwrap(), "wait=5");
    }

    #[test]
    fn a_long_wait_is_cut_and_the_cut_is_told() {
        let prefer = Prefer::of(&headers(&[("prefer", "wait=86400")]));
        assert_eq!(prefer.applied().unwrap(), "wait=30");
    }

    #[test]
    fn nonsense_is_passed_over() {
        for value in [
            "wait",
            "wait=",
            "wait=-1",
            "wait=soon",
            "wait=99999999999999999999999",
        ] {
            assert_eq!(
                Prefer::of(&headers(&[("prefer", value)])),
                Prefer::default(),
                "{value}"
            );
        }
    }

    #[test]
    fn a_min_position_is_one_decimal_number() {
        assert_eq!(min_position(&headers(&[])).unwrap(), None);
        assert_eq!(
            min_position(&headers(&[("segue-min-position", "12")])).unwrap(),
            Some(Position(12))
        );
        for value in ["", "-1", "+1", "1.0", "x", "18446744073709551616"] {
            assert!(
                min_position(&headers(&[("segue-min-position", value)])).is_err(),
                "{value}"
            );
        }
        let twice = headers(&[("segue-min-position", "1"), ("segue-min-position", "1")]);
        assert!(min_position(&twice).is_err());
    }
}
