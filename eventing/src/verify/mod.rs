//! Verifies a history: an export, or the records of the live log.
//!
//! - [`export`]: the file that `segue audit export` writes, and how it is read and verified without a log;
//! - [`live`]: the log itself, with every column, index, tile and checkpoint that stands beside the records;
//! - [`Checker`]: checks records in their order, wherever they come from, and tells the roots of their tree;
//! - [`Fault`]: the first thing that is wrong, of which kind, and where.
//!
//! # What is checked
//! Each record has the strict form; positions are dense from 1, versions of each stream are dense from 1, and times never go
//! back; each record hashes to the leaf that is kept beside it; the root of the tree is the one that was signed; and an older
//! checkpoint is one of the same history.
//!
//! # Invariants
//! 1. The first fault by position is told, and where a record and its hash disagree, the signed root says which of the two
//!    was changed.
//! 2. Whatever bytes are given, the answer is a fault or that all is well: nothing panics, and memory is bounded by the
//!    longest line and the number of streams.
//!
//! Not here: a clock, or any database: [`live`] reads the log through its handle.

mod checker;
mod correlations;
pub mod export;
mod fault;
pub mod live;
mod summary;

pub use checker::{Checker, Columns, Disagreement, Kept};
pub use fault::{Fault, FaultKind};
pub use summary::{Trust, Verified};
