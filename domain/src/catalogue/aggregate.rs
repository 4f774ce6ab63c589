//! The rules of the catalogue.

use cqrs_es::{Aggregate, event_sink::EventSink};
use serde::{Deserialize, Serialize};

use super::{CatalogueCommand, CatalogueEvent, CatalogueRejection, FeatureSchema, Imported};
use crate::Digest;

/// The catalogue, folded from its events.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Catalogue {
    version: Option<Digest>,
    schema: Option<FeatureSchema>,
}

impl Catalogue {
    /// The current version.
    pub fn version(&self) -> Option<Digest> {
        self.version
    }

    /// The schema of the current version. An import with the same features must use it as it is.
    pub fn schema(&self) -> Option<&FeatureSchema> {
        self.schema.as_ref()
    }

    /// Decides what follows from `command`.
    ///
    /// # Errors
    /// [`CatalogueRejection`]: nothing follows.
    pub fn decide(&self, command: CatalogueCommand) -> Result<Option<CatalogueEvent>, CatalogueRejection> {
        let CatalogueCommand::Import {
            version,
            tracks,
            schema,
            blob,
            source,
            at,
        } = command;
        if self.version == Some(version) {
            return Ok(None);
        }
        if tracks == 0 {
            return Err(CatalogueRejection::Empty);
        }
        self.check_schema(&schema)?;
        Ok(Some(
            Imported {
                version,
                tracks,
                schema,
                blob,
                source,
                imported_at: at,
            }
            .into(),
        ))
    }

    fn check_schema(&self, schema: &FeatureSchema) -> Result<(), CatalogueRejection> {
        if !schema.is_usable() {
            return Err(CatalogueRejection::UnusableSchema);
        }
        match &self.schema {
            Some(frozen) if frozen.has_same_names(schema) && frozen != schema => {
                Err(CatalogueRejection::SchemaMismatch)
            }
            _ => Ok(()),
        }
    }
}

impl Aggregate for Catalogue {
    const TYPE: &'static str = "catalogue";
    type Command = CatalogueCommand;
    type Event = CatalogueEvent;
    type Error = CatalogueRejection;
    type Services = ();

    async fn handle(
        &mut self,
        command: CatalogueCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), CatalogueRejection> {
        if let Some(event) = self.decide(command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: CatalogueEvent) {
        let CatalogueEvent::Imported(event) = event;
        self.version = Some(event.version);
        self.schema = Some(event.schema);
    }
}
