//! The access log: who read the history, and what they asked for.
//!
//! There is no rule to keep here and so no aggregate: a read is recorded as it is asked, before its answer is given. The
//! payload stays open and names no person as its subject, so that nobody can make unknown what they looked at by closing
//! their account. For the same reason it has no room for free text: every field is a number, a time, an id or a name out of
//! a fixed list.

mod asked;
mod events;

pub use asked::{Asked, EventTypes, StreamName, UnknownEventTypes, UnknownStreamName};
pub use events::{AccessCall, AccessEvent, HistoryRead, Reader};
