//! The REST edge: commands in, queries out, over axum.
//!
//! # What holds here
//! - A 2xx to a write means that it is durable, and carries its position in `Segue-Position`. A wish with an
//!   `Idempotency-Key` has one effect and one answer ([`idempotency`]).
//! - Everything that is not a success is an RFC 9457 problem of a listed type, and nothing internal is in it ([`problem`]).
//! - A session passes only when the view of accounts says so and is not known to lag ([`sessions`]).
//! - Signing in costs exactly one evaluation whatever is given ([`passwords`]) and is slowed down without locking anybody
//!   out ([`throttle`]).
//! - Whoever reads the history is recorded before the answer is given ([`access`]).
//! - A read can ask to be no older than a position, and waits a bounded time for it ([`freshness`]).
//!
//! # What is deliberately not here
//! Deciding (`domain`), folding (`projectors`), making playlists (`workers`). This crate may not depend on `workers`: a
//! playlist is asked for here and turns up in a view.
//!
//! Read next: [`routing`], then a file of `routes`, then [`commands`].

pub mod access;
mod audience;
pub mod auth;
pub mod catalogue;
pub mod chain;
mod clock;
pub mod cloud_event;
pub mod commands;
pub mod config;
pub mod erasure;
pub mod freshness;
pub mod health;
pub mod idempotency;
mod json;
mod metrics;
pub mod negotiation;
mod panics;
pub mod passwords;
pub mod prefer;
pub mod problem;
mod random;
pub mod request;
mod routes;
pub mod routing;
pub mod selection;
mod serve;
pub mod sessions;
mod sse;
pub mod state;
mod streams;
pub mod testing;
pub mod throttle;
pub mod tokens;
mod traces;
mod worker;

pub use access::{AuditorRead, record_read};
pub use catalogue::CatalogueHandle;
pub use commands::{USERNAME_CLAIM, username_claim};
pub use config::ApiConfig;
pub use health::{Check, Measure, Probe, Value, log_check};
pub use passwords::{PasswordError, PasswordPolicy, Passwords, WeakPassword};
pub use problem::{Problem, ProblemType};
pub use routes::ROUTES;
pub use routing::router;
pub use serve::serve;
pub use state::{ApiParts, ApiState, StartError};
pub use throttle::{Throttle, ThrottleConfig};
pub use worker::serve_health;
