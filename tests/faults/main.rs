//! Faults: the real binary under load from real HTTP clients, killed at every failpoint and at random moments,
//! on a disk that is full, and as processes on the production stack, whose servers, ways and messages come to harm ([`chaos`]).
//!
//! What is held after each check: every acknowledged command stands in the log exactly once and in its client's order, the
//! same `Idempotency-Key` gets the same answer again, positions are gapless, leaf hashes are those of the stored
//! bytes, the stored tree is the one over them, every signed checkpoint is of this history, and every view equals the fold
//! of the log.
//!
//! `SEGUE_FAULT_KILLS` asks for more kills (200 by default), `SEGUE_FAULT_SEED` repeats a run as far as a schedule of
//! processes can be repeated: the plan of kills and every request are the same, their interleaving is not.
//! `SEGUE_FAULT_STEPS` asks for more faults on the production stack (one of each kind by default, and then pauses of a
//! minute among them), `SEGUE_FAULT_PAUSE_SECONDS` for pauses of that length, of each role and server in turn,
//! `SEGUE_FAULT_BACKLOG` for a longer backlog (20,000 events). A seed that failed is noted beside the
//! test's binary; one that belongs into every run is a line of `seeds.txt`.

mod chaos;
mod disk_full;
mod history;
mod kills;
mod poison;
mod schedule;
mod sealed;
mod trouble;
mod watcher;
mod wishes;
mod world;
mod writer;

use std::sync::{Mutex, MutexGuard, PoisonError};

use bench::cluster::Models;

/// Where base models lie in the production stack: Firestore, when the binary can speak to it.
const MODELS: Models = if cfg!(feature = "production") {
    Models::Firestore
} else {
    Models::Files
};

/// Held by each of the long tests: side by side they would take the machine from each other, and what is late would look lost.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Waits for its turn, also when the test before failed.
fn turn() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The number that an environment variable holds.
fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}
