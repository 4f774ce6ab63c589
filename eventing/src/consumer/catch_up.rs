//! Reads the log ahead of the handler, so that reading one batch and applying another overlap.

use tokio::{sync::mpsc, task::JoinHandle};

use crate::{EventLog, LogError, Position, RecordedEvent};

/// Batches read and not yet applied. One is enough to keep both sides busy; each can be some megabytes.
const BATCHES_AHEAD: usize = 1;

/// The log from a position to its head, in batches. Dropping it stops the reading.
#[derive(Debug)]
pub(super) struct ReadAhead {
    batches: mpsc::Receiver<Result<Vec<RecordedEvent>, LogError>>,
    reader: JoinHandle<()>,
}

impl ReadAhead {
    pub(super) fn start(log: EventLog, after: Position, batch: usize) -> Self {
        let (sender, batches) = mpsc::channel(BATCHES_AHEAD);
        let reader = tokio::spawn(read(log, after, batch, sender));
        Self { batches, reader }
    }

    /// The next batch, never empty; none at the head.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<RecordedEvent>>, LogError> {
        self.batches.recv().await.transpose()
    }
}

impl Drop for ReadAhead {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

async fn read(
    log: EventLog,
    mut after: Position,
    batch: usize,
    batches: mpsc::Sender<Result<Vec<RecordedEvent>, LogError>>,
) {
    loop {
        let read = log.read_after(after, batch).await;
        match read.as_ref().map(|events| events.last()) {
            Ok(None) => return,
            Ok(Some(last)) => after = last.position,
            Err(_) => {}
        }
        let failed = read.is_err();
        if batches.send(read).await.is_err() || failed {
            return;
        }
    }
}
