//! The rules of base models.

use cqrs_es::{Aggregate, event_sink::EventSink};
use serde::{Deserialize, Serialize};

use super::{BaseModelCommand, BaseModelEvent, BaseModelRejection, Published};
use crate::Digest;

/// The line of base models, folded from its events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseModel {
    current: Option<Digest>,
}

impl BaseModel {
    /// The fingerprint of the current model.
    pub fn current(&self) -> Option<Digest> {
        self.current
    }

    /// Decides what follows from `command`.
    ///
    /// # Errors
    /// [`BaseModelRejection`]: nothing follows.
    pub fn decide(&self, command: BaseModelCommand) -> Result<Option<BaseModelEvent>, BaseModelRejection> {
        let BaseModelCommand::Publish {
            model,
            schema,
            kind,
            trained_on,
            blob,
            at,
        } = command;
        if self.current == Some(model) {
            return Ok(None);
        }
        if kind.trim().is_empty() || trained_on.trim().is_empty() {
            return Err(BaseModelRejection::Unexplained);
        }
        Ok(Some(
            Published {
                model,
                schema,
                kind,
                trained_on,
                blob,
                published_at: at,
            }
            .into(),
        ))
    }
}

impl Aggregate for BaseModel {
    const TYPE: &'static str = "model";
    type Command = BaseModelCommand;
    type Event = BaseModelEvent;
    type Error = BaseModelRejection;
    type Services = ();

    async fn handle(
        &mut self,
        command: BaseModelCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), BaseModelRejection> {
        if let Some(event) = self.decide(command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: BaseModelEvent) {
        let BaseModelEvent::Published(event) = event;
        self.current = Some(event.model);
    }
}
