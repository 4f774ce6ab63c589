use domain::account::{AllSignedOut, PasswordChangeReason, RoleGranted, SESSIONS_MAX, SignedOut};
use domain::{Account, AccountCommand as C, AccountRejection as R, Role, Username};

use crate::given::{folded, given, given_nothing};
use crate::samples::*;

fn register() -> C {
    C::Register {
        account: account_id(),
        username: Username::parse("Ada.L").unwrap(),
        password_hash: "$argon2id$first".into(),
        at: at(0),
    }
}

fn sign_in(name: &str) -> C {
    C::SignIn {
        session: session(name),
        at: at(1),
        idle_ttl_s: 60,
        expires_at: at(100),
    }
}

#[test]
fn registering_opens_the_account_as_a_listener() {
    given_nothing::<Account>().when(register()).then([registered()]);
}

#[test]
fn a_second_registration_is_rejected() {
    given::<Account>([registered()])
        .when(register())
        .then_rejected(R::AlreadyRegistered);
}

#[test]
fn nothing_but_registration_happens_to_an_account_that_is_not_registered() {
    given_nothing::<Account>()
        .when(sign_in("phone"))
        .then_rejected(R::NotRegistered);
    given_nothing::<Account>()
        .when(C::Erase { at: at(9) })
        .then_rejected(R::NotRegistered);
}

#[test]
fn nothing_at_all_happens_to_an_erased_account() {
    given::<Account>([registered(), erased()])
        .when(sign_in("phone"))
        .then_rejected(R::Erased);
    given::<Account>([registered(), erased()])
        .when(register())
        .then_rejected(R::Erased);
    given::<Account>([registered(), erased()])
        .when(C::Erase { at: at(9) })
        .then_rejected(R::Erased);
}

#[test]
fn signing_in_starts_a_session() {
    given::<Account>([registered()])
        .when(sign_in("phone"))
        .then([signed_in("phone")]);
}

#[test]
fn a_session_token_starts_one_session_only() {
    given::<Account>([registered(), signed_in("phone")])
        .when(sign_in("phone"))
        .then_rejected(R::SessionExists);
}

#[test]
fn a_session_that_is_over_before_it_starts_is_rejected() {
    let over = C::SignIn {
        session: session("phone"),
        at: at(1),
        idle_ttl_s: 60,
        expires_at: at(1),
    };
    given::<Account>([registered()])
        .when(over)
        .then_rejected(R::ExpiredSession);
    let no_idle = C::SignIn {
        session: session("phone"),
        at: at(1),
        idle_ttl_s: 0,
        expires_at: at(2),
    };
    given::<Account>([registered()])
        .when(no_idle)
        .then_rejected(R::ExpiredSession);
}

#[test]
fn the_session_that_started_first_ends_when_there_are_too_many() {
    let sessions = (0..=SESSIONS_MAX).map(|n| signed_in(&n.to_string()));
    let account: Account = folded([registered()].into_iter().chain(sessions));
    assert_eq!(account.sessions().len(), SESSIONS_MAX);
    assert!(account.session(&session("0")).is_none());
    assert!(account.session(&session(&SESSIONS_MAX.to_string())).is_some());
}

#[test]
fn signing_out_ends_the_session_once() {
    let out = SignedOut {
        session: session("phone"),
    };
    let sign_out = || C::SignOut {
        session: session("phone"),
    };
    given::<Account>([registered(), signed_in("phone")])
        .when(sign_out())
        .then([out.clone().into()]);
    given::<Account>([registered(), signed_in("phone"), out.into()])
        .when(sign_out())
        .then_nothing();
}

#[test]
fn signing_out_everywhere_ends_every_session() {
    let all_out = || AllSignedOut {}.into();
    given::<Account>([registered(), signed_in("a"), signed_in("b")])
        .when(C::SignOutEverywhere)
        .then([all_out()]);
    given::<Account>([registered()])
        .when(C::SignOutEverywhere)
        .then_nothing();
    let account: Account = folded([registered(), signed_in("a"), signed_in("b"), all_out()]);
    assert_eq!(account.sessions(), []);
}

#[test]
fn a_new_password_ends_every_other_session() {
    let change = C::ChangePassword {
        password_hash: "new".into(),
        at: at(2),
        keep: Some(session("b")),
    };
    let changed = || password_changed("new", PasswordChangeReason::Changed, Some(session("b")));
    given::<Account>([registered(), signed_in("a"), signed_in("b")])
        .when(change)
        .then([changed()]);
    let account: Account = folded([registered(), signed_in("a"), signed_in("b"), changed()]);
    assert!(account.session(&session("a")).is_none() && account.session(&session("b")).is_some());
    assert_eq!(account.password_hash(), "new");
}

#[test]
fn a_rehashed_password_ends_no_session() {
    let rehash = C::RehashPassword {
        replaces: "$argon2id$first".into(),
        password_hash: "strong".into(),
        at: at(2),
    };
    let rehashed = || password_changed("strong", PasswordChangeReason::Rehashed, None);
    given::<Account>([registered(), signed_in("a")])
        .when(rehash)
        .then([rehashed()]);
    let account: Account = folded([registered(), signed_in("a"), rehashed()]);
    assert!(account.session(&session("a")).is_some());
    assert_eq!(account.password_hash(), "strong");
}

/// A sign-in that checked the old password must not bring it back after the owner changed it.
#[test]
fn a_rehash_of_a_password_that_was_changed_meanwhile_is_nothing() {
    let rehash = C::RehashPassword {
        replaces: "$argon2id$first".into(),
        password_hash: "strong".into(),
        at: at(2),
    };
    let changed = password_changed("new", PasswordChangeReason::Changed, None);
    given::<Account>([registered(), changed])
        .when(rehash)
        .then_nothing();
}

#[test]
fn a_role_is_granted_once_and_ends_no_session() {
    let grant = || C::GrantRole {
        role: Role::Auditor,
        granted_by: None,
    };
    let granted = || {
        RoleGranted {
            role: Role::Auditor,
            granted_by: None,
        }
        .into()
    };
    given::<Account>([registered()]).when(grant()).then([granted()]);
    given::<Account>([registered(), granted()])
        .when(grant())
        .then_nothing();
    let account: Account = folded([registered(), signed_in("a"), granted()]);
    assert_eq!((account.role(), account.sessions().len()), (Role::Auditor, 1));
}

#[test]
fn an_erased_account_keeps_nothing_of_the_person() {
    let account: Account = folded([registered(), signed_in("a"), erased()]);
    assert!(account.is_erased() && !account.is_open());
    assert_eq!(
        (
            account.username(),
            account.password_hash(),
            account.sessions().len()
        ),
        ("", "", 0)
    );
}

#[test]
fn user_names_are_one_name_in_every_spelling() {
    let names = ["Ada.L", "ADA.l", "\u{ff21}da.l"];
    let canonical = names.map(|name| Username::parse(name).unwrap().canonical());
    assert_eq!(canonical, ["ada.l", "ada.l", "ada.l"]);
}

#[test]
fn user_names_have_bounds() {
    for wrong in ["ab", "a b c", "tab\tbed", "", &"x".repeat(65), "nul\0nul"] {
        assert!(Username::parse(wrong).is_err(), "{wrong:?} was taken");
    }
    for right in ["abc", &"x".repeat(64), "Zoë-Ångström"] {
        assert!(Username::parse(right).is_ok(), "{right:?} was refused");
    }
}

#[test]
fn debug_output_shows_neither_name_nor_password() {
    let account: Account = folded([registered()]);
    let change = password_changed("secret-hash", PasswordChangeReason::Changed, None);
    let shown = format!(
        "{account:?} {:?} {change:?} {:?}",
        registered(),
        Username::parse("Ada.L")
    );
    assert!(
        !shown.contains("Ada") && !shown.contains("argon2id") && !shown.contains("secret"),
        "{shown}"
    );
}
