//! The hash that says which generations there are and how far they got.

use std::collections::HashMap;

use eventing::Position;

use super::super::{Built, Generation, ViewError, layout};

pub(super) const FORMAT: &str = "format";
pub(super) const LOG: &str = "log";
pub(super) const LIVE: &str = "live";
pub(super) const BUILDING: &str = "building";
/// With which generation the live views began that others have replaced since, each with all that the one before held.
pub(super) const LINE: &str = "line";

pub(super) fn field(kind: &str, projection: &str) -> String {
    format!("{kind}/{projection}")
}

pub(super) fn checkpoint_field(generation: Generation) -> String {
    format!("checkpoint/{generation}")
}

pub(super) fn encode(built: Built) -> Vec<u8> {
    let mut bytes = built.generation.0.to_be_bytes().to_vec();
    bytes.extend_from_slice(&built.revision.to_be_bytes());
    bytes
}

/// The hash as it was read.
#[derive(Debug)]
pub(crate) struct Meta(HashMap<String, Vec<u8>>);

impl Meta {
    pub(super) fn new(fields: HashMap<String, Vec<u8>>) -> Self {
        Self(fields)
    }

    pub(super) fn fields(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0
            .iter()
            .map(|(field, value)| (field.as_str(), value.as_slice()))
    }

    pub(super) fn format(&self) -> Option<&[u8]> {
        self.0.get(FORMAT).map(Vec::as_slice)
    }

    pub(super) fn log(&self) -> Option<&[u8]> {
        self.0.get(LOG).map(Vec::as_slice)
    }

    pub(super) fn built(&self, kind: &str, projection: &str) -> Result<Option<Built>, ViewError> {
        let Some(bytes) = self.0.get(&field(kind, projection)) else {
            return Ok(None);
        };
        Ok(Some(Built {
            generation: Generation(layout::u32_at(bytes, 0)?),
            revision: layout::u32_at(bytes, 4)?,
        }))
    }

    /// The line that the live views of a projection belong to; 0 before there are any.
    pub(super) fn line(&self, projection: &str) -> Result<u32, ViewError> {
        let bytes = self.0.get(&field(LINE, projection));
        let line = bytes.map(|bytes| layout::u32_at(bytes, 0)).transpose()?;
        Ok(line.unwrap_or_default())
    }

    pub(super) fn checkpoint(&self, generation: Generation) -> Result<Position, ViewError> {
        let bytes = self.0.get(&checkpoint_field(generation));
        let position = bytes.map(|bytes| layout::u64_at(bytes, 0)).transpose()?;
        Ok(position.map_or(Position::START, Position))
    }

    /// Every generation that is live or being built, in order.
    pub(super) fn generations(&self) -> Result<Vec<Generation>, ViewError> {
        let built = self
            .0
            .iter()
            .filter(|(field, _)| field.starts_with("live/") || field.starts_with("building/"));
        let mut generations = built
            .map(|(_, bytes)| layout::u32_at(bytes, 0).map(Generation))
            .collect::<Result<Vec<_>, _>>()?;
        generations.sort_unstable();
        Ok(generations)
    }
}
