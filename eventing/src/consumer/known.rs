//! Which deliveries tell of events of this log.

use std::collections::HashMap;

use crate::{
    Position, RecordedEvent,
    bus::{Delivery, Malformed},
};

/// What the log says about a batch.
pub(super) enum Known {
    /// Its head. Enough for deliveries of the log's own events.
    Head(Position),
    /// The hashes of the records at the batch's positions. A message that came from elsewhere proves nothing by itself:
    /// it may be of another log, or of a part of this one that was lost when an older dump was put back.
    Records(HashMap<Position, [u8; 32]>),
}

impl Known {
    /// Whether this event is one of the log's.
    ///
    /// # Errors
    /// [`Malformed`], which says why it is none.
    pub(super) fn check(&self, event: &RecordedEvent) -> Result<(), Malformed> {
        let position = event.position;
        let is_there = match self {
            Self::Head(head) => position <= *head,
            Self::Records(hashes) => match hashes.get(&position) {
                Some(hash) if *hash != event.leaf_hash => {
                    return Err(Malformed(format!(
                        "position {position} of the log is another record"
                    )));
                }
                found => found.is_some(),
            },
        };
        if is_there {
            return Ok(());
        }
        Err(Malformed(format!("position {position} is not in the log")))
    }
}

/// The positions to ask for, when the batch came from elsewhere.
pub(super) fn to_prove(batch: &[Delivery]) -> Option<Vec<Position>> {
    if batch.iter().all(Delivery::is_of_this_process) {
        return None;
    }
    let events = batch.iter().filter_map(|delivery| delivery.content.as_ref().ok());
    Some(events.map(|event| event.position).collect())
}
