//! Notices when a consumer dies again and again at the same place.

use crate::{EventLog, LogError, Position};

/// Deaths at one place after which a consumer suspects an event of it. One death is no sign: processes are killed.
const DEATHS_MAX: u64 = 2;

/// A note in the log's database: whether the consumer runs, from which checkpoint, and how often it died there.
#[derive(Debug)]
pub(super) struct Lives {
    log: EventLog,
    begun: String,
    deaths: String,
}

impl Lives {
    pub(super) fn new(log: EventLog, consumer: &str) -> Self {
        Self {
            log,
            begun: format!("consumer/{consumer}/begun"),
            deaths: format!("consumer/{consumer}/deaths"),
        }
    }

    /// Begins a life at `checkpoint`. True when the lives before died here too often.
    pub(super) async fn begin(&self, checkpoint: Position) -> Result<bool, LogError> {
        let here = checkpoint.next();
        let died_here = self.log.checkpoint(&self.begun).await? == Some(here);
        let deaths = match self.log.checkpoint(&self.deaths).await? {
            Some(Position(deaths)) if died_here => deaths + 1,
            _ => u64::from(died_here),
        };
        self.log.set_checkpoint(&self.deaths, Position(deaths)).await?;
        self.log.set_checkpoint(&self.begun, here).await?;
        Ok(deaths >= DEATHS_MAX)
    }

    /// Ends a life in good order.
    pub(super) async fn end(&self) -> Result<(), LogError> {
        self.log.set_checkpoint(&self.begun, Position::START).await
    }
}
