//! What is drawn at the edge, since the domain draws nothing.

use uuid::Uuid;

use crate::problem::Problem;

/// A random UUID, for ids that must not tell when they were made.
///
/// # Errors
/// `internal` when the operating system gives no randomness.
pub(crate) fn uuid() -> Result<Uuid, Problem> {
    Ok(uuid::Builder::from_random_bytes(bytes()?).into_uuid())
}

/// A seed for everything that a playlist draws. Below 2^53, so that every JSON reader keeps it exactly.
///
/// # Errors
/// As [`uuid`].
pub(crate) fn seed() -> Result<u64, Problem> {
    Ok(u64::from_le_bytes(bytes()?) >> 11)
}

fn bytes<const N: usize>() -> Result<[u8; N], Problem> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| Problem::internal(&error))?;
    Ok(bytes)
}
