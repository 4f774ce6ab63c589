//! Forgetting a person is two steps: the fact in the log, then the end of their key. A crash may come between the two, and
//! an old backup of the keys may be put back, so every start does the second step again for everybody it applies to.

use eventing::{EventFilter, EventLog, KeyError, Keys, LogError, Position};

const ERASED: &str = "account.erased";
const PAGE: usize = 1_000;

/// Why erasures could not be finished.
#[derive(Debug, thiserror::Error)]
pub enum ErasureError {
    /// The log cannot be read.
    #[error("the event log cannot be read")]
    Log(#[from] LogError),
    /// The keys cannot be changed.
    #[error("a key cannot be destroyed")]
    Key(#[from] KeyError),
}

/// Destroys the keys of all persons whose erasure stands in the log. Safe to do again.
///
/// # Errors
/// [`ErasureError`]: some keys may be left; the next start tries again.
pub async fn finish(log: &EventLog, keys: &Keys) -> Result<(), ErasureError> {
    let mut after = Position::START;
    loop {
        let filter = EventFilter {
            event_type: Some(ERASED.to_owned()),
            ..EventFilter::after(after, PAGE)
        };
        let erased = log.read_filtered(filter).await?;
        for event in &erased {
            if let Some(subject) = event.subject {
                keys.destroy(subject).await?;
            }
            after = event.position;
        }
        if erased.len() < PAGE {
            return Ok(());
        }
    }
}
