//! The clock, read at the edge, since the domain reads none.

use std::time::SystemTime;

use chrono::{DateTime, Utc};

/// Now.
#[must_use]
pub(crate) fn now() -> DateTime<Utc> {
    SystemTime::now().into()
}
