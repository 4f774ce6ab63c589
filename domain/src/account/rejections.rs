//! Why an account says no.

/// The account refuses; nothing was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountRejection {
    /// An account with this id exists.
    #[error("the account is registered already")]
    AlreadyRegistered,
    /// There is no such account.
    #[error("the account is not registered")]
    NotRegistered,
    /// The account was closed for good.
    #[error("the account has been erased")]
    Erased,
    /// The session would end before it starts.
    #[error("the session would be over before it starts")]
    ExpiredSession,
    /// A session with this token exists.
    #[error("the session has been started already")]
    SessionExists,
}
