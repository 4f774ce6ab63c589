//! Every change of an export or of a live log is found, with its kind and its place; none is invented.

mod changes;
mod history;
mod live;
mod live_postgres;
mod rewriting;
#[path = "../server/mod.rs"]
mod server;
