//! Accounts and their live sessions. Holds no name and no password hash: signing in reads the log itself.

use chrono::{DateTime, Utc};
use domain::{
    AccountEvent, AccountId, Event, Role, SessionHash,
    account::{LiveSession, PasswordChangeReason, SESSIONS_MAX},
};
use eventing::{StreamId, SubjectId};
use serde::{Deserialize, Serialize};

use crate::{
    projection::{Fact, Projection},
    store::{Generation, LookupKey, Snapshot, ViewError},
    view::{View, ViewAt},
};

pub(super) const SESSION: &str = "session";

/// What is known of an account besides its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountView {
    /// The account's id.
    pub account: AccountId,
    /// What it may do.
    pub role: Role,
    /// When it was opened.
    pub registered_at: DateTime<Utc>,
    /// The sessions that no event has ended, in the order in which they started. Whether their time is over is for
    /// the reader to say.
    pub sessions: Vec<LiveSession>,
}

/// A session with the account it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionView {
    /// Whose session it is.
    pub account: AccountId,
    /// What the account may do now.
    pub role: Role,
    /// The session.
    pub session: LiveSession,
}

/// Absent until the account is registered.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Head(pub(crate) Option<AccountView>);

pub(crate) struct Accounts;

pub(crate) fn session_key(session: &SessionHash) -> LookupKey {
    LookupKey::new(SESSION, "", session.to_string())
}

impl Projection for Accounts {
    const NAME: &'static str = "accounts";
    const REVISION: u32 = 2;
    type Head = Head;

    fn wants(category: &str) -> bool {
        category == AccountId::CATEGORY
    }

    fn apply(view: &mut ViewAt<'_, Head>, fact: &Fact<'_>) -> Result<(), ViewError> {
        let Event::Account(event) = fact.event else {
            return Ok(());
        };
        if let AccountEvent::Registered(registered) = event {
            view.head_mut().0 = Some(AccountView {
                account: registered.account,
                role: registered.role,
                registered_at: registered.registered_at,
                sessions: Vec::new(),
            });
        }
        if let Some(mut account) = view.head_mut().0.take() {
            apply(&mut account, event, view);
            view.head_mut().0 = Some(account);
        }
        Ok(())
    }

    fn forget(view: &mut View<Head>) {
        let sessions = view
            .head()
            .and_then(|head| head.0.as_ref())
            .map(|account| account.sessions.clone());
        for live in sessions.into_iter().flatten() {
            view.remove_lookup(session_key(&live.session));
        }
    }

    fn forgets(event: &Event) -> bool {
        matches!(event, Event::Account(AccountEvent::Erased(_)))
    }

    fn streams_about(_: &Snapshot, _: Generation, subject: SubjectId) -> Result<Vec<StreamId>, ViewError> {
        Ok(vec![StreamId::new(AccountId::CATEGORY, subject.as_uuid())])
    }
}

fn apply(account: &mut AccountView, event: &AccountEvent, view: &mut View<Head>) {
    match event {
        AccountEvent::Registered(_) | AccountEvent::Erased(_) => {}
        AccountEvent::RoleGranted(granted) => account.role = granted.role,
        AccountEvent::SignedIn(started) => {
            end(account, view, |live| live.session == started.session);
            if account.sessions.len() >= SESSIONS_MAX {
                let oldest = account.sessions.remove(0);
                view.remove_lookup(session_key(&oldest.session));
            }
            view.put_lookup(session_key(&started.session), account.account.to_string());
            account.sessions.push(LiveSession {
                session: started.session,
                signed_in_at: started.signed_in_at,
                idle_ttl_s: started.idle_ttl_s,
                expires_at: started.expires_at,
            });
        }
        AccountEvent::SignedOut(ended) => end(account, view, |live| live.session == ended.session),
        AccountEvent::AllSignedOut(_) => end(account, view, |_| true),
        AccountEvent::PasswordChanged(changed) => {
            if changed.reason == PasswordChangeReason::Changed {
                end(account, view, |live| Some(live.session) != changed.keep);
            }
        }
    }
}

fn end(account: &mut AccountView, view: &mut View<Head>, ends: impl Fn(&LiveSession) -> bool) {
    account.sessions.retain(|live| {
        let ended = ends(live);
        if ended {
            view.remove_lookup(session_key(&live.session));
        }
        !ended
    });
}
