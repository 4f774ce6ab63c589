//! Waiting for views to get somewhere.

use std::{sync::Arc, time::Duration};

use eventing::{Position, StreamId, Version};
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::{Instant, timeout, timeout_at},
};

use crate::{ProjectionKind, ViewError, ViewReader};

/// How often a waiter looks at the store itself, for what another process has stored.
const POLL: Duration = Duration::from_millis(50);

/// Something that was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A view was brought to a version.
    View {
        /// The projection's name.
        projection: &'static str,
        /// The view's stream.
        stream: StreamId,
        /// The version it reflects.
        version: Version,
        /// The position of that version.
        position: Position,
    },
    /// A projection's checkpoint grew.
    Checkpoint {
        /// The projection's name.
        projection: &'static str,
        /// Everything wanted at or below this is stored.
        position: Position,
    },
}

impl Change {
    fn concerns(&self, kind: ProjectionKind, awaited: Option<&StreamId>) -> bool {
        match self {
            Self::View {
                projection, stream, ..
            } => *projection == kind.name() && Some(stream) == awaited,
            Self::Checkpoint { projection, .. } => *projection == kind.name(),
        }
    }
}

/// What is stored from now on: by this process, and in Redis by the others too. Whoever falls far behind misses some, and must look at the views.
#[derive(Debug)]
pub struct Changes {
    receiver: Receiver<Arc<[Change]>>,
}

/// What to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// A view reflects at least this version of its stream.
    Version(Version),
    /// A view reflects its stream as of this position or later.
    Position(Position),
}

impl Changes {
    pub(crate) fn new(receiver: Receiver<Arc<[Change]>>) -> Self {
        Self { receiver }
    }

    /// The next changes; `None` when some were missed. Cancel-safe.
    pub async fn next(&mut self) -> Option<Arc<[Change]>> {
        match self.receiver.recv().await {
            Ok(changes) => Some(changes),
            Err(RecvError::Lagged(_)) => None,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }

    /// Returns when something may have changed for `stream`, in this process or in another.
    async fn until_concerned(&mut self, kind: ProjectionKind, stream: Option<&StreamId>) {
        let concerned = async {
            while let Some(changes) = self.next().await {
                if changes.iter().any(|change| change.concerns(kind, stream)) {
                    return;
                }
            }
        };
        let _ = timeout(POLL, concerned).await;
    }
}

impl ViewReader {
    /// What is stored from now on.
    #[must_use]
    pub fn changes(&self) -> Changes {
        Changes::new(self.store().subscribe())
    }

    /// Returns as soon as the view of `stream` has got to `until`. Cancel-safe.
    ///
    /// # Errors
    /// - `Late`, `BeingRebuilt`: it has not at the `deadline`.
    /// - `Unavailable`, `Corrupt`: the store could not be read.
    pub async fn wait_for(
        &self,
        kind: ProjectionKind,
        stream: &StreamId,
        until: Until,
        deadline: Instant,
    ) -> Result<(), ViewError> {
        self.wait(kind, Awaited::View(stream, until), deadline).await
    }

    /// Returns as soon as everything that `kind` wants at or below `position` is stored. Cancel-safe.
    ///
    /// # Errors
    /// As [`wait_for`](Self::wait_for).
    pub async fn wait_for_checkpoint(
        &self,
        kind: ProjectionKind,
        position: Position,
        deadline: Instant,
    ) -> Result<(), ViewError> {
        self.wait(kind, Awaited::Checkpoint(position), deadline).await
    }

    async fn wait(
        &self,
        kind: ProjectionKind,
        awaited: Awaited<'_>,
        deadline: Instant,
    ) -> Result<(), ViewError> {
        let mut changes = self.changes();
        loop {
            match self.is_there(kind, awaited).await {
                Ok(true) => return Ok(()),
                Ok(false) | Err(ViewError::BeingRebuilt(_)) => {}
                Err(error) => return Err(error),
            }
            let concerned = changes.until_concerned(kind, awaited.stream());
            if timeout_at(deadline, concerned).await.is_err() {
                let is_there = self.is_there(kind, awaited).await?;
                return if is_there { Ok(()) } else { Err(ViewError::Late) };
            }
        }
    }

    async fn is_there(&self, kind: ProjectionKind, awaited: Awaited<'_>) -> Result<bool, ViewError> {
        match awaited {
            Awaited::View(stream, until) => self.has_reached(kind, stream, until).await,
            Awaited::Checkpoint(position) => Ok(self.checkpoint(kind).await? >= position),
        }
    }
}

#[derive(Clone, Copy)]
enum Awaited<'a> {
    View(&'a StreamId, Until),
    Checkpoint(Position),
}

impl<'a> Awaited<'a> {
    fn stream(self) -> Option<&'a StreamId> {
        match self {
            Self::View(stream, _) => Some(stream),
            Self::Checkpoint(_) => None,
        }
    }
}
