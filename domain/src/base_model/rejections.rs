//! Why a base model is refused.

/// The model is refused; nothing was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BaseModelRejection {
    /// Nobody could say later what was published.
    #[error("a model says its kind and what it was trained on")]
    Unexplained,
}
