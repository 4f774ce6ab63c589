//! The rules of companions.

use cqrs_es::{Aggregate, event_sink::EventSink};
use serde::{Deserialize, Serialize};

use super::{CompanionsCommand, CompanionsEvent, CompanionsRejection, Published};

/// The line of companions, folded from its events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Companions {
    current: Option<Published>,
}

impl Companions {
    /// The current counts.
    pub fn current(&self) -> Option<&Published> {
        self.current.as_ref()
    }

    /// Decides what follows from `command`: each publication knows more of the log than the one before.
    ///
    /// # Errors
    /// [`CompanionsRejection`]: nothing follows.
    pub fn decide(&self, command: CompanionsCommand) -> Result<Option<CompanionsEvent>, CompanionsRejection> {
        let CompanionsCommand::Publish {
            digest,
            blob,
            as_of,
            listeners,
            likes,
            at,
        } = command;
        if let Some(current) = &self.current {
            if current.digest == digest {
                return Ok(None);
            }
            let current = current.as_of;
            if as_of <= current {
                return Err(CompanionsRejection::Overtaken { as_of, current });
            }
        }
        Ok(Some(
            Published {
                digest,
                blob,
                as_of,
                listeners,
                likes,
                published_at: at,
            }
            .into(),
        ))
    }
}

impl Aggregate for Companions {
    const TYPE: &'static str = "companions";
    type Command = CompanionsCommand;
    type Event = CompanionsEvent;
    type Error = CompanionsRejection;
    type Services = ();

    async fn handle(
        &mut self,
        command: CompanionsCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), CompanionsRejection> {
        if let Some(event) = self.decide(command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: CompanionsEvent) {
        let CompanionsEvent::Published(event) = event;
        self.current = Some(event);
    }
}
