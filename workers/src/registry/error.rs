//! Why a registry did not do what was asked.

use domain::Digest;

use super::{Current, Generation, MODEL_BYTES_MAX};

/// The registry could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// What lies under the digest is not what was put there. It was not handed out; remove it and put the model again.
    #[error("the registry's model {model} is damaged: {reason}; remove it there and publish it again")]
    Damaged {
        /// The digest that it should have.
        model: Digest,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The last move of the pointer cannot be read. Remove its record, so that the one before it counts again.
    #[error("the registry's pointer is damaged: its move {0} names no model; remove that record there")]
    PointerDamaged(Generation),
    /// There is no such model. Nothing was changed; put it first.
    #[error("the registry has no model {0}")]
    Absent(Digest),
    /// The pointer was moved by somebody else. Nothing was changed; look at what is current and decide again.
    #[error("the current model was changed by somebody else: it is {}", pointed(.0.as_ref()))]
    Moved(Option<Current>),
    /// The model is larger than a registry keeps. Nothing was changed.
    #[error("a model of {0} bytes is larger than the {MODEL_BYTES_MAX} that a registry keeps")]
    TooLarge(usize),
    /// The registry answered, and does not let this process in. A person must look; the source says at what.
    #[error("the registry of models refused")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The registry did not answer. A write may have happened; doing it again is safe.
    #[error("the registry of models did not answer")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl RegistryError {
    pub(super) fn unavailable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unavailable(source.into())
    }

    pub(super) fn damaged(model: Digest, reason: &'static str) -> Self {
        Self::Damaged { model, reason }
    }

    /// The error and its causes in one line, for a health report. It never holds a model's bytes.
    pub(crate) fn in_full(&self) -> String {
        let mut line = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            line.push_str(": ");
            line.push_str(&error.to_string());
            cause = error.source();
        }
        line
    }
}

fn pointed(current: Option<&Current>) -> String {
    current.map_or_else(
        || "none".to_owned(),
        |Current { generation, model }| format!("{model}, by move {generation}"),
    )
}
