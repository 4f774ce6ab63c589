//! The API as callers meet it: requests in, answers and recorded events out.

#![expect(
    unreachable_pub,
    reason = "the helpers in `common` are written like a library's"
)]

mod access_log;
mod accounts;
mod audit;
mod common;
mod erasure;
mod gate;
mod health;
mod history;
mod idempotency;
mod leaks;
mod listening;
mod losing_redis;
mod playlists;
mod problems;
mod proofs;
mod random_requests;
mod reading;
mod routes;
mod sessions;
mod shutdown;
mod streaming;
