//! What has happened to an account. Every field is described in `docs/events.md`.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{AccountId, SessionHash};

stored_events! {
    /// A fact about an account.
    AccountEvent in Account {
        /// Every session was ended.
        "account.all_signed_out" 1 AllSignedOut(AllSignedOut),
        /// The account was closed for good.
        "account.erased" 1 Erased(Erased),
        /// The password, or the way it is hashed, was changed.
        "account.password_changed" 1 PasswordChanged(PasswordChanged),
        /// The account was opened.
        "account.registered" 1 Registered(Registered),
        /// The account was given a role.
        "account.role_granted" 1 RoleGranted(RoleGranted),
        /// A session was started.
        "account.signed_in" 1 SignedIn(SignedIn),
        /// A session was ended by its owner.
        "account.signed_out" 1 SignedOut(SignedOut),
    }
}

/// What an account may do. The order is the order of power over others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Rates tracks and asks for playlists.
    #[default]
    Listener,
    /// Reads the history and proves playlists.
    Auditor,
    /// Runs the deployment.
    Operator,
}

impl Role {
    /// Every role, in order.
    pub const ALL: [Self; 3] = [Self::Listener, Self::Auditor, Self::Operator];

    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Listener => "listener",
            Self::Auditor => "auditor",
            Self::Operator => "operator",
        }
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no [`Role`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a role is listener, auditor or operator")]
pub struct InvalidRole;

impl std::str::FromStr for Role {
    type Err = InvalidRole;
    fn from_str(text: &str) -> Result<Self, InvalidRole> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or(InvalidRole)
    }
}

/// Payload of `account.all_signed_out`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllSignedOut {}

/// Payload of `account.erased`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erased {
    /// When the account was closed.
    pub erased_at: DateTime<Utc>,
}

/// Why a password hash was replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PasswordChangeReason {
    /// The owner chose another password: other sessions end.
    Changed,
    /// The same password under stronger parameters: no session ends.
    Rehashed,
}

/// Payload of `account.password_changed`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordChanged {
    /// Argon2id, as a PHC string.
    pub password_hash: String,
    /// When it was replaced.
    pub changed_at: DateTime<Utc>,
    /// Why it was replaced.
    pub reason: PasswordChangeReason,
    /// The one session that goes on after a change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<SessionHash>,
}

/// Payload of `account.registered`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// The account's own id.
    pub account: AccountId,
    /// The name in NFKC, as its owner wrote it.
    pub username: String,
    /// Argon2id, as a PHC string.
    pub password_hash: String,
    /// The first role.
    pub role: Role,
    /// When the account was opened.
    pub registered_at: DateTime<Utc>,
}

/// Payload of `account.role_granted`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleGranted {
    /// The role from now on.
    pub role: Role,
    /// Who granted it; absent for the command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granted_by: Option<AccountId>,
}

/// Payload of `account.signed_in`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedIn {
    /// The hash of the session's token.
    pub session: SessionHash,
    /// When the session started.
    pub signed_in_at: DateTime<Utc>,
    /// The session ends after so many seconds without use.
    pub idle_ttl_s: u32,
    /// The session ends then in any case.
    pub expires_at: DateTime<Utc>,
}

/// Payload of `account.signed_out`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedOut {
    /// The hash of the session's token.
    pub session: SessionHash,
}

// Names and password hashes must not reach a log line by way of `{:?}`.
impl std::fmt::Debug for Registered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registered")
            .field("account", &self.account)
            .field("role", &self.role)
            .field("registered_at", &self.registered_at)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for PasswordChanged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PasswordChanged")
            .field("changed_at", &self.changed_at)
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}
