//! Why a playlist says no.

use super::FieldError;

/// The playlist refuses; nothing was recorded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaylistRejection {
    /// A playlist with this id was asked for.
    #[error("the playlist has been requested already")]
    AlreadyRequested,
    /// Nobody asked for this playlist.
    #[error("the playlist has not been requested")]
    NotRequested,
    /// The playlist has its one answer. For a generator this is as good as success: somebody was faster.
    #[error("the playlist has been answered already")]
    AlreadyAnswered,
    /// The answer belongs to another seed or length than was asked for.
    #[error("the answer does not belong to this request")]
    ForeignAnswer,
    /// The request breaks rules of its fields.
    #[error("the request is not valid")]
    InvalidRequest(Vec<FieldError>),
}
