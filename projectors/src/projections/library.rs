//! The current catalogue and the current base model, and what was current before.

use domain::{BaseModelEvent, BaseModelId, CatalogueEvent, CatalogueId, Event, base_model, catalogue};
use eventing::{Position, StreamId, SubjectId};
use serde::{Deserialize, Serialize};

use crate::{
    projection::{Fact, Projection},
    store::{Generation, Snapshot, ViewError},
    view::ViewAt,
};

pub(crate) const HISTORY: &str = "h/";

/// A version of the catalogue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CatalogueView {
    /// What its import recorded.
    #[serde(flatten)]
    pub imported: catalogue::Imported,
    /// Where the import stands in the log.
    pub position: Position,
}

/// A published base model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelView {
    /// What its publication recorded.
    #[serde(flatten)]
    pub published: base_model::Published,
    /// Where the publication stands in the log.
    pub position: Position,
}

/// One of the two is there, as the stream is the catalogue's or the models'.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Head {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) catalogue: Option<CatalogueView>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) model: Option<ModelView>,
}

pub(crate) struct Library;

impl Projection for Library {
    const NAME: &'static str = "library";
    const REVISION: u32 = 1;
    type Head = Head;

    fn wants(category: &str) -> bool {
        category == CatalogueId::CATEGORY || category == BaseModelId::CATEGORY
    }

    fn apply(view: &mut ViewAt<'_, Head>, fact: &Fact<'_>) -> Result<(), ViewError> {
        let position = fact.position;
        let key = format!("{HISTORY}{:020}", position.0);
        match fact.event {
            Event::Catalogue(CatalogueEvent::Imported(imported)) => {
                let current = CatalogueView {
                    imported: imported.clone(),
                    position,
                };
                view.put_entry(key, &current)?;
                view.head_mut().catalogue = Some(current);
            }
            Event::BaseModel(BaseModelEvent::Published(published)) => {
                let current = ModelView {
                    published: published.clone(),
                    position,
                };
                view.put_entry(key, &current)?;
                view.head_mut().model = Some(current);
            }
            _ => {}
        }
        Ok(())
    }

    fn streams_about(_: &Snapshot, _: Generation, _: SubjectId) -> Result<Vec<StreamId>, ViewError> {
        Ok(Vec::new())
    }
}
