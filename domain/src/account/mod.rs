//! Accounts: who may sign in, with which role, and which sessions live.
//!
//! A name's uniqueness is not decided here: it is a claim that the log checks in the transaction of the append.

mod aggregate;
mod commands;
mod events;
mod rejections;
mod username;

pub use aggregate::{Account, LiveSession, SESSIONS_MAX};
pub use commands::AccountCommand;
pub use events::{
    AccountEvent, AllSignedOut, Erased, InvalidRole, PasswordChangeReason, PasswordChanged, Registered, Role,
    RoleGranted, SignedIn, SignedOut,
};
pub use rejections::AccountRejection;
pub use username::{InvalidUsername, Username};
