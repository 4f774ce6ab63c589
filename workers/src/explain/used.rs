//! What was current at a request: catalogue, base model, companions, each with where the log says so.

use chrono::{DateTime, Utc};
use domain::{BaseModelEvent, CatalogueEvent, CompanionsEvent, Digest};
use eventing::{EventLog, Position};
use serde::Serialize;

use crate::inputs::{COUNTED, IMPORTED, InputsError, PUBLISHED, said_openly};

/// The catalogue that was current.
#[derive(Clone, Debug, Serialize)]
pub struct UsedCatalogue {
    /// Its version.
    pub version: Digest,
    /// How many tracks it has.
    pub tracks: u64,
    /// Where it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Where its import stands.
    pub position: Position,
    /// When it was imported.
    pub imported_at: DateTime<Utc>,
}

/// The base model that was current.
#[derive(Clone, Debug, Serialize)]
pub struct UsedModel {
    /// Its fingerprint.
    pub fingerprint: Digest,
    /// What kind of model it is.
    pub kind: String,
    /// What it was trained on.
    pub trained_on: String,
    /// Where its publication stands.
    pub position: Position,
    /// When it was published.
    pub published_at: DateTime<Utc>,
}

/// The companions that were current.
#[derive(Clone, Debug, Serialize)]
pub struct UsedCompanions {
    /// Their digest.
    pub digest: Digest,
    /// How far they reach.
    pub as_of: u64,
    /// How many listeners they count.
    pub listeners: u64,
    /// Where their publication stands.
    pub position: Position,
}

pub(super) async fn catalogue(
    log: &EventLog,
    before: Position,
) -> Result<Option<UsedCatalogue>, InputsError> {
    let Some(event) = log.last_of_type_before(IMPORTED, before).await? else {
        return Ok(None);
    };
    let CatalogueEvent::Imported(imported) = said_openly(&event)?;
    Ok(Some(UsedCatalogue {
        version: imported.version,
        tracks: imported.tracks,
        source: imported.source,
        position: event.position,
        imported_at: imported.imported_at,
    }))
}

pub(super) async fn model(log: &EventLog, before: Position) -> Result<Option<UsedModel>, InputsError> {
    let Some(event) = log.last_of_type_before(PUBLISHED, before).await? else {
        return Ok(None);
    };
    let BaseModelEvent::Published(published) = said_openly(&event)?;
    Ok(Some(UsedModel {
        fingerprint: published.model,
        kind: published.kind,
        trained_on: published.trained_on,
        position: event.position,
        published_at: published.published_at,
    }))
}

pub(super) async fn companions(
    log: &EventLog,
    before: Position,
) -> Result<Option<UsedCompanions>, InputsError> {
    let Some(event) = log.last_of_type_before(COUNTED, before).await? else {
        return Ok(None);
    };
    let CompanionsEvent::Published(published) = said_openly(&event)?;
    Ok(Some(UsedCompanions {
        digest: published.digest,
        as_of: published.as_of,
        listeners: published.listeners,
        position: event.position,
    }))
}
