//! Storing a batch, in whichever store.

use eventing::StreamId;

use super::{Adapter, Batch, Raise, Refusal, Snapshot, ViewError, ViewStore};
use crate::changes::Change;

/// What became of each write of a batch, in their order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcomes(pub(crate) Vec<Result<(), Refusal>>);

/// What became of each write of a batch and its stream, in their order.
pub(crate) type Stored = Vec<(StreamId, Result<(), Refusal>)>;

impl Outcomes {
    /// Whether a checkpoint must not pass these writes: one of them may have to be folded again.
    pub(crate) fn leave_a_gap(&self) -> bool {
        let refusals = self.0.iter().filter_map(|outcome| outcome.err());
        refusals.into_iter().any(Refusal::leaves_a_gap)
    }
}

impl ViewStore {
    /// Stores the batch and answers what became of each write and its stream, in their order. Blocks until it is stored.
    ///
    /// # Errors
    /// Nothing of the batch is stored, but for `Unavailable`, where a part or all of it may be; the checkpoint never
    /// without the writes.
    pub(crate) fn commit(&self, mut batch: Batch) -> Result<Stored, ViewError> {
        self.sealing().seal(&mut batch)?;
        let outcomes = match &self.inner.adapter {
            Adapter::Embedded(views) => views.commit(&batch)?,
            Adapter::Redis(views) => views.commit(&batch)?,
        };
        self.announce(changes(&batch, &outcomes));
        let streams = batch.writes.into_iter().map(|write| write.stream);
        Ok(streams.zip(outcomes.0).collect())
    }

    /// Stores the batch that `make` makes as if nobody else could write: what it reads is what its writes are compared
    /// with, so none is refused but for what must not be written at all. `make` may be called several times.
    ///
    /// # Errors
    /// As [`commit`](Self::commit), and whatever `make` answers, when nothing is stored but whom it forgot.
    pub(crate) fn exclusively<T>(
        &self,
        mut make: impl FnMut(&Snapshot) -> Result<(Batch, T), ViewError>,
    ) -> Result<T, ViewError> {
        let mut make = |snapshot: &Snapshot| {
            let (mut batch, made) = make(snapshot)?;
            self.sealing().seal(&mut batch)?;
            Ok((batch, made))
        };
        let (batch, outcomes, made) = match &self.inner.adapter {
            Adapter::Embedded(views) => views.exclusively(|snapshot| make(&Snapshot::Embedded(snapshot)))?,
            Adapter::Redis(views) => views.exclusively(make)?,
        };
        self.announce(changes(&batch, &outcomes));
        Ok(made)
    }
}

fn changes(batch: &Batch, outcomes: &Outcomes) -> Vec<Change> {
    let stored = batch.writes.iter().zip(&outcomes.0);
    let stored = stored.filter(|(_, outcome)| outcome.is_ok());
    let views = stored.map(|(write, _)| Change::View {
        projection: write.projection,
        stream: write.stream.clone(),
        version: write.to,
        position: write.position,
    });
    let raised = batch.checkpoints.iter().filter(|_| !outcomes.leave_a_gap());
    let checkpoints = raised.map(|Raise { projection, to, .. }| Change::Checkpoint {
        projection,
        position: *to,
    });
    views.chain(checkpoints).collect()
}

#[cfg(test)]
impl ViewStore {
    /// Changes a row of an embedded store as no program of ours does; `None` deletes it. `key` comes without the
    /// generation.
    pub(crate) fn tamper(
        &self,
        table: super::Table,
        generation: super::Generation,
        key: &[u8],
        value: Option<&[u8]>,
    ) {
        match &self.inner.adapter {
            Adapter::Embedded(views) => views.tamper(table, generation, key, value),
            Adapter::Redis(_) => panic!("a Redis is changed by its own commands"),
        }
    }
}
