//! Why a listener's wish is refused.

use super::RATINGS_MAX;

/// The listener's wish is refused; nothing was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListenerRejection {
    /// There is no rating in the command.
    #[error("there is nothing to rate")]
    NoRatings,
    /// There are more ratings in the command than one transaction should carry.
    #[error("at most {RATINGS_MAX} tracks are rated at once")]
    TooManyRatings,
    /// A track was heard for longer than a day.
    #[error("a track is heard for at most a day")]
    ImplausibleDuration,
}
