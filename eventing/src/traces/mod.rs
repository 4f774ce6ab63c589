//! Spans: what happens to a request on its way through HTTP, log, broker and workers, told as one trace.
//!
//! A record carries the [context](TraceContext) of the span that appended it, so whoever handles the record goes on with its
//! trace, in whichever process and however it heard of it: a consumer that reads the log has no message to take a context from.
//!
//! ```text
//! POST /v1/playlists
//! └─ append playlist.requested
//!    ├─ publish playlist.requested
//!    ├─ process playlist.requested
//!    └─ generate playlist
//!       └─ append playlist.generated
//!          ├─ publish playlist.generated
//!          └─ process playlist.generated
//! ```
//!
//! Until [`tell_to`] is called nobody looks: no span is made, and asking costs one load. Afterwards a span is made for the
//! traces alone that are sampled. What is told of a record is its position and type; never a payload, a name, or whom it is about.
//!
//! Not here: how spans leave the process ([`Sink`]).

mod context;
mod records;
mod span;

use std::sync::OnceLock;
use std::time::SystemTime;

pub use self::context::{TraceContext, TraceId};
pub use self::records::trace_of;
pub(crate) use self::records::{Appending, Handling, Publishing};
pub use self::span::{Kind, Running, Span, Value};

/// Where spans go when they end.
pub trait Sink: Send + Sync + 'static {
    /// Whether a trace that begins in this process is told. A trace that came from outside says so itself.
    fn wants(&self, trace: TraceId) -> bool;

    /// Takes a span that ended at `ended`. Must not wait.
    fn take(&self, span: &Span, ended: SystemTime);
}

static SINK: OnceLock<Box<dyn Sink>> = OnceLock::new();

/// Spans of this process already go somewhere.
#[derive(Debug, thiserror::Error)]
#[error("the spans of this process already go somewhere")]
pub struct AlreadyTold;

/// Tells the spans of this process to `sink` from now on.
///
/// # Errors
/// [`AlreadyTold`] when that was said before; nothing changes.
pub fn tell_to(sink: impl Sink) -> Result<(), AlreadyTold> {
    SINK.set(Box::new(sink)).map_err(|_| AlreadyTold)
}

/// Whether spans go anywhere.
#[must_use]
pub fn are_told() -> bool {
    SINK.get().is_some()
}

fn sink() -> Option<&'static dyn Sink> {
    SINK.get().map(AsRef::as_ref)
}
