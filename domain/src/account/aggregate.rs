//! The rules of an account.

use chrono::{DateTime, Utc};
use cqrs_es::{Aggregate, event_sink::EventSink};
use serde::{Deserialize, Serialize};

use super::{
    AccountCommand, AccountEvent, AccountRejection, AllSignedOut, Erased, PasswordChangeReason,
    PasswordChanged, Registered, Role, RoleGranted, SignedIn, SignedOut,
};
use crate::{AccountId, SessionHash};

/// An account keeps at most so many live sessions: when another starts, the one that started first ends.
/// Enough for every device a person has; it bounds the account's state.
pub const SESSIONS_MAX: usize = 50;

/// An account, folded from its events.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    account: Option<AccountId>,
    username: String,
    password_hash: String,
    role: Role,
    sessions: Vec<LiveSession>,
    erased: bool,
}

/// A session that was started and not ended by an event. Whether its time is over is for the reader to say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveSession {
    /// The hash of the session's token.
    pub session: SessionHash,
    /// When it started.
    pub signed_in_at: DateTime<Utc>,
    /// It ends after so many seconds without use.
    pub idle_ttl_s: u32,
    /// It ends then in any case.
    pub expires_at: DateTime<Utc>,
}

impl std::fmt::Debug for Account {
    /// Personal: shows neither name nor password hash.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account")
            .field("account", &self.account)
            .field("role", &self.role)
            .field("sessions", &self.sessions.len())
            .field("erased", &self.erased)
            .finish_non_exhaustive()
    }
}

impl Account {
    /// The account's id, once registered.
    pub fn id(&self) -> Option<AccountId> {
        self.account
    }

    /// True when the account is open: registered and not erased.
    pub fn is_open(&self) -> bool {
        self.account.is_some() && !self.erased
    }

    /// True after the account was erased.
    pub fn is_erased(&self) -> bool {
        self.erased
    }

    /// The name in NFKC, as its owner wrote it; empty before registration and after erasure.
    pub fn username(&self) -> &str {
        &self.username
    }

    /// The PHC string to check a password against; empty before registration and after erasure.
    pub fn password_hash(&self) -> &str {
        &self.password_hash
    }

    /// The role.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The live sessions, in the order in which they started.
    pub fn sessions(&self) -> &[LiveSession] {
        &self.sessions
    }

    /// The live session with this token hash.
    pub fn session(&self, session: &SessionHash) -> Option<&LiveSession> {
        self.sessions.iter().find(|live| live.session == *session)
    }

    /// Decides what follows from `command`.
    ///
    /// # Errors
    /// [`AccountRejection`]: nothing follows.
    pub fn decide(&self, command: AccountCommand) -> Result<Option<AccountEvent>, AccountRejection> {
        use AccountCommand as C;
        self.check_open(matches!(command, C::Register { .. }))?;
        Ok(match command {
            C::Register {
                account,
                username,
                password_hash,
                at,
            } => Some(
                Registered {
                    account,
                    username: username.as_str().to_owned(),
                    password_hash,
                    role: Role::Listener,
                    registered_at: at,
                }
                .into(),
            ),
            C::SignIn {
                session,
                at,
                idle_ttl_s,
                expires_at,
            } => {
                let started = SignedIn {
                    session,
                    signed_in_at: at,
                    idle_ttl_s,
                    expires_at,
                };
                Some(self.check_session(started)?.into())
            }
            C::SignOut { session } => self.session(&session).map(|_| SignedOut { session }.into()),
            C::SignOutEverywhere => (!self.sessions.is_empty()).then(|| AllSignedOut {}.into()),
            C::ChangePassword {
                password_hash,
                at,
                keep,
            } => Some(changed(password_hash, at, keep)),
            C::RehashPassword {
                replaces,
                password_hash,
                at,
            } => (replaces == self.password_hash).then(|| rehashed(password_hash, at)),
            C::GrantRole { role, granted_by } => {
                (role != self.role).then(|| RoleGranted { role, granted_by }.into())
            }
            C::Erase { at } => Some(Erased { erased_at: at }.into()),
        })
    }

    fn check_open(&self, to_register: bool) -> Result<(), AccountRejection> {
        match (self.erased, self.account.is_some(), to_register) {
            (true, _, _) => Err(AccountRejection::Erased),
            (false, true, true) => Err(AccountRejection::AlreadyRegistered),
            (false, false, false) => Err(AccountRejection::NotRegistered),
            _ => Ok(()),
        }
    }

    fn check_session(&self, started: SignedIn) -> Result<SignedIn, AccountRejection> {
        if started.expires_at <= started.signed_in_at || started.idle_ttl_s == 0 {
            Err(AccountRejection::ExpiredSession)
        } else if self.session(&started.session).is_some() {
            Err(AccountRejection::SessionExists)
        } else {
            Ok(started)
        }
    }

    fn start_session(&mut self, started: SignedIn) {
        let SignedIn {
            session,
            signed_in_at,
            idle_ttl_s,
            expires_at,
        } = started;
        self.sessions.retain(|live| live.session != session);
        if self.sessions.len() >= SESSIONS_MAX {
            self.sessions.remove(0);
        }
        self.sessions.push(LiveSession {
            session,
            signed_in_at,
            idle_ttl_s,
            expires_at,
        });
    }

    fn take_password(&mut self, event: PasswordChanged) {
        self.password_hash = event.password_hash;
        if event.reason == PasswordChangeReason::Changed {
            self.sessions.retain(|live| Some(live.session) == event.keep);
        }
    }

    fn forget(&mut self) {
        *self = Self {
            account: self.account,
            erased: true,
            ..Self::default()
        };
    }
}

fn changed(password_hash: String, at: DateTime<Utc>, keep: Option<SessionHash>) -> AccountEvent {
    PasswordChanged {
        password_hash,
        changed_at: at,
        reason: PasswordChangeReason::Changed,
        keep,
    }
    .into()
}

fn rehashed(password_hash: String, at: DateTime<Utc>) -> AccountEvent {
    PasswordChanged {
        password_hash,
        changed_at: at,
        reason: PasswordChangeReason::Rehashed,
        keep: None,
    }
    .into()
}

impl Aggregate for Account {
    const TYPE: &'static str = "account";
    type Command = AccountCommand;
    type Event = AccountEvent;
    type Error = AccountRejection;
    type Services = ();

    async fn handle(
        &mut self,
        command: AccountCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), AccountRejection> {
        if let Some(event) = self.decide(command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: AccountEvent) {
        match event {
            AccountEvent::Registered(event) => {
                self.account = Some(event.account);
                self.username = event.username;
                self.password_hash = event.password_hash;
                self.role = event.role;
            }
            AccountEvent::SignedIn(event) => self.start_session(event),
            AccountEvent::SignedOut(event) => self.sessions.retain(|live| live.session != event.session),
            AccountEvent::AllSignedOut(_) => self.sessions.clear(),
            AccountEvent::PasswordChanged(event) => self.take_password(event),
            AccountEvent::RoleGranted(event) => self.role = event.role,
            AccountEvent::Erased(_) => self.forget(),
        }
    }
}
