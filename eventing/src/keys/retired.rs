//! Keys that signed this log and must not sign it any more.
//!
//! A key that signed a longer history, or another one, than the log holds would say two things that contradict each other
//! if it went on. Its public half is remembered here: nothing is signed with it, and what it signed can still be verified.

use std::sync::Arc;

use super::{KeyError, Keys, blocking};
use crate::notes::VerifierKey;

impl Keys {
    /// Remembers that nothing may be signed with the secret half of `key` any more. Doing it again changes nothing. It is
    /// durable when this answers.
    ///
    /// # Errors
    /// The store's faults; then it is unknown whether it is remembered: do it again.
    pub async fn retire_audit_key(&self, key: &VerifierKey) -> Result<(), KeyError> {
        let (inner, key) = (Arc::clone(&self.inner), key.to_string());
        blocking(move || inner.store.retire(key)).await
    }

    /// The keys that were retired, the first one first.
    ///
    /// # Errors
    /// [`KeyError::Damaged`] if what is kept is no key; otherwise the store's faults.
    pub async fn retired_audit_keys(&self) -> Result<Vec<VerifierKey>, KeyError> {
        let inner = Arc::clone(&self.inner);
        let keys = blocking(move || inner.store.retired()).await?;
        keys.iter()
            .map(|key| key.parse().map_err(|_| KeyError::Damaged("a retired audit key")))
            .collect()
    }
}
