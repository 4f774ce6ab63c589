//! A live view of Segue's processes in a terminal: what they say at `/metrics` and `/readyz?verbose`, and the last events.
//!
//! Pure: reading the exposition format ([`exposition`]), the figures of a moment ([`Summary`]) and the frames that show them.
//! Not here: where events come from besides HTTP; whoever can open the log hands them in.

mod event;
pub mod exposition;
mod follow;
mod increase;
mod look;
mod names;
mod process;
mod readiness;
mod screen;
mod signals;
mod state;
mod summary;
mod url;
mod view;
mod watch;

pub use event::{EventLine, Told};
pub use follow::{PAST, follow};
pub use readiness::{Check, NoReadiness, Readiness};
pub use summary::{Follower, FollowerKind, LogFigures, ProcessLine, Rates, Summary};
pub use url::{InvalidUrl, ProcessUrl};
pub use watch::{WatchError, Watching, live, once};
