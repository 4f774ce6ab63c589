//! Faults: the real binary under load from real HTTP clients, killed at every failpoint and at random moments,
//! and on a disk that is full.
//!
//! What is held after each: every acknowledged command stands in the log exactly once and in its client's order, the
//! same `Idempotency-Key` gets the same answer again, positions are gapless, leaf hashes are those of the stored
//! bytes, and every view equals the fold of the log.
//!
//! `SEGUE_FAULT_KILLS` asks for more kills (200 by default), `SEGUE_FAULT_SEED` repeats a run as far as a schedule of
//! processes can be repeated: the plan of kills and every request are the same, their interleaving is not.

mod disk_full;
mod history;
mod kills;
mod schedule;
mod wishes;
mod world;
mod writer;
