//! Between the consumer and the projections: whoever stored a request is the one to answer it.

use domain::PlaylistId;
use eventing::{
    Position, StreamId, Version,
    consumer::{Handler, HandlerError, Run, Verdict},
};
use projectors::ProjectionHandler;

use crate::generator::Inbox;
use crate::inputs::REQUESTED;

/// Keeps the views, and tells the generator of requests that this process stored.
pub(crate) struct Intake {
    projections: ProjectionHandler,
    inbox: Inbox,
}

impl Intake {
    pub(crate) fn new(projections: ProjectionHandler, inbox: Inbox) -> Self {
        Self { projections, inbox }
    }
}

impl Handler for Intake {
    fn name(&self) -> &'static str {
        self.projections.name()
    }

    fn wants(&self, stream: &StreamId) -> bool {
        self.projections.wants(stream)
    }

    async fn applied(&self, streams: &[StreamId]) -> Result<Vec<Version>, HandlerError> {
        self.projections.applied(streams).await
    }

    async fn checkpoint(&self) -> Result<Position, HandlerError> {
        self.projections.checkpoint().await
    }

    async fn store_checkpoint(&self, position: Position) -> Result<Position, HandlerError> {
        self.projections.store_checkpoint(position).await
    }

    async fn handle(&self, runs: Vec<Run>) -> Vec<Verdict> {
        let asked: Vec<Option<PlaylistId>> = runs.iter().map(unanswered).collect();
        let verdicts = self.projections.handle(runs).await;
        for (playlist, verdict) in asked.into_iter().zip(&verdicts) {
            // `AlreadySeen` means that another replica stored the request, and answers it.
            if let (Some(playlist), Verdict::Done) = (playlist, verdict) {
                self.inbox.ask(playlist);
            }
        }
        verdicts
    }

    async fn pass_over(
        &self,
        stream: &StreamId,
        version: Version,
        position: Position,
    ) -> Result<(), HandlerError> {
        self.projections.pass_over(stream, version, position).await
    }
}

/// The playlist whose request is the last that is heard of it in this run.
fn unanswered(run: &Run) -> Option<PlaylistId> {
    let is_request = run
        .events
        .last()
        .is_some_and(|event| event.event_type == REQUESTED);
    is_request.then(|| PlaylistId::new(run.stream.uuid()))
}
