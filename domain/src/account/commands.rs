//! What may be wished of an account.

use chrono::{DateTime, Utc};

use super::{Role, Username};
use crate::{AccountId, SessionHash};

/// A wish about one account. Times and ids come in with it; passwords come in as hashes only.
#[derive(Clone, Debug, PartialEq)]
pub enum AccountCommand {
    /// Open the account, with the role of a listener.
    Register {
        /// The account's own id.
        account: AccountId,
        /// The name to sign in with.
        username: Username,
        /// Argon2id, as a PHC string.
        password_hash: String,
        /// Now.
        at: DateTime<Utc>,
    },
    /// Start a session. The password has been checked.
    SignIn {
        /// The hash of the session's token.
        session: SessionHash,
        /// Now.
        at: DateTime<Utc>,
        /// The session ends after so many seconds without use.
        idle_ttl_s: u32,
        /// The session ends then in any case.
        expires_at: DateTime<Utc>,
    },
    /// End one session. Ending one that does not live is no event.
    SignOut {
        /// The hash of the session's token.
        session: SessionHash,
    },
    /// End every session. No event when none lives.
    SignOutEverywhere,
    /// Take a new password and end all sessions but `keep`.
    ChangePassword {
        /// Argon2id, as a PHC string.
        password_hash: String,
        /// Now.
        at: DateTime<Utc>,
        /// The session that asks, which goes on.
        keep: Option<SessionHash>,
    },
    /// Keep the same password under stronger parameters; ends no session. No event when the password was changed meanwhile.
    RehashPassword {
        /// The hash that was checked.
        replaces: String,
        /// Argon2id, as a PHC string.
        password_hash: String,
        /// Now.
        at: DateTime<Utc>,
    },
    /// Give the account a role. No event when it has that role already.
    GrantRole {
        /// The new role.
        role: Role,
        /// Who grants it; absent for the command line.
        granted_by: Option<AccountId>,
    },
    /// Close the account for good. The person's key is destroyed beside this.
    Erase {
        /// Now.
        at: DateTime<Utc>,
    },
}
