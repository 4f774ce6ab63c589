//! Uneven waits, so that what began together does not go on in step.

use std::time::Duration;

/// A random duration from zero up to `limit`.
pub(crate) fn up_to(limit: Duration) -> Duration {
    // Without a random source everything goes in step, which is slower and not wrong.
    let random = getrandom::u32().unwrap_or_default();
    limit.mul_f64(f64::from(random) / f64::from(u32::MAX))
}
