//! Why companions are refused.

/// The counts are refused; nothing was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompanionsRejection {
    /// They know no more of the log than the current ones: whoever counted them was overtaken.
    #[error("counted up to position {as_of}, but the current companions reach {current}")]
    Overtaken {
        /// How far the refused ones reach.
        as_of: u64,
        /// How far the current ones reach.
        current: u64,
    },
}
