//! The rules of Segue: what may happen, and what follows from what has happened.
//!
//! Six aggregates keep the rules: [`account`], [`listener`], [`playlist`], [`catalogue`], [`base_model`] and [`companions`].
//! Each turns a *command* (a wish) into *events* (facts) or a *rejection*, and folds its events back into its state. [`access`] says what
//! is recorded of those who read the history. [`recorded`] knows
//! how every event is stored, and how an old stored shape becomes today's.
//!
//! # What holds here
//! - Nothing here reads a clock, draws a random number or touches the environment: time and ids come in with the command.
//!   `clippy.toml` beside this package bans the ways to do so.
//! - Folding is total: any sequence of events gives a state, never a panic. Only deciding can say no.
//! - The stored shape of every event has a golden file in `tests/events`, and `docs/events.md` describes every field.
//!
//! # What is deliberately not here
//! Streams, positions and sealing belong to `eventing`; views to `projectors`; the arithmetic of taste to `classifier`.
//!
//! Read next: [`recorded`], then [`playlist`].

#[macro_use]
mod stored;

pub mod access;
pub mod account;
pub mod base_model;
pub mod catalogue;
pub mod companions;
pub mod ids;
pub mod listener;
pub mod playlist;
pub mod recorded;
pub mod upcast;

pub use access::{AccessCall, AccessEvent, Asked, HistoryRead};
pub use account::{Account, AccountCommand, AccountEvent, AccountRejection, Role, Username};
pub use base_model::{BaseModel, BaseModelCommand, BaseModelEvent, BaseModelRejection};
pub use catalogue::{
    Catalogue, CatalogueCommand, CatalogueEvent, CatalogueRejection, Feature, FeatureSchema, Transform,
};
pub use companions::{Companions, CompanionsCommand, CompanionsEvent, CompanionsRejection};
pub use ids::{
    AccessId, AccountId, BaseModelId, CatalogueId, CompanionsId, Digest, PlaylistId, SessionHash, TrackId,
};
pub use listener::{Described, Listener, ListenerCommand, ListenerEvent, ListenerRejection, Rating};
pub use playlist::{
    Arc, Arrangement, FailureReason, FieldError, Generated, GeneratedTrack, LearnedFrom, Order, Playlist,
    PlaylistCommand, PlaylistEvent, PlaylistRejection, PlaylistRequest, Pool,
};
pub use recorded::{DecodeError, EVENT_TYPES, Encoded, Event, decode, is_personal};
pub use stored::StoredEvent;
pub use upcast::{UpcastError, Upcasters};
