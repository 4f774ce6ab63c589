//! The documents of the registry, and how a model is cut into them.
//!
//! | collection | document | holds |
//! |---|---|---|
//! | `segue_models` | `<digest>` | what is said of a model; written last, so a model is there as a whole or not at all |
//! | `segue_model_chunks` | `<digest>-<n>` | its n-th piece |
//! | `segue_registry` | `current-<number>` | one move of the pointer |

use std::time::SystemTime;

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use domain::Digest;
use serde::{Deserialize, Serialize};

use super::super::{Current, Entry, Generation, MODEL_BYTES_MAX, RegistryError};

pub(super) const MODELS: &str = "segue_models";
pub(super) const CHUNKS: &str = "segue_model_chunks";
pub(super) const MOVES: &str = "segue_registry";
/// The field that the moves are ordered by.
pub(super) const GENERATION: &str = "generation";

/// Bytes in a chunk. A document may have 1 MiB with its name and fields. Part of the stored shape: a chunk's name does
/// not say its size, so another size is another [`LAYOUT`] with other names.
const CHUNK_BYTES: usize = 256 << 10;
/// Chunks written by one commit and read by one request: 2 MiB, where Firestore takes 10 and a gRPC server by default 4.
pub(super) const CHUNKS_AT_ONCE: usize = 8;
/// The shape of these documents.
const LAYOUT: u32 = 1;

/// What is said of a model.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ModelDocument {
    layout: u32,
    length: u64,
    chunks: u64,
    kind: Option<String>,
    schema: Option<String>,
    created_at: String,
}

/// A piece of a model.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ChunkDocument {
    pub(super) bytes: Bytes,
}

/// One move of the pointer.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct MoveDocument {
    generation: u64,
    model: String,
    moved_at: String,
}

impl ModelDocument {
    pub(super) fn of(digest: Digest, model: &[u8]) -> Self {
        let now = DateTime::from(SystemTime::now());
        let Entry { kind, schema, .. } = Entry::describe(digest, model, now);
        Self {
            layout: LAYOUT,
            length: model.len() as u64,
            chunks: chunks_of(model.len()) as u64,
            kind,
            schema: schema.map(|schema| schema.to_string()),
            created_at: written(now),
        }
    }

    /// How many bytes and chunks the model has: only what adds up and is within bounds is believed.
    pub(super) fn size(&self, model: Digest) -> Result<(usize, usize), RegistryError> {
        if self.layout != LAYOUT {
            return Err(RegistryError::damaged(
                model,
                "its layout is another than this program knows",
            ));
        }
        let length = usize::try_from(self.length).unwrap_or(usize::MAX);
        if length > MODEL_BYTES_MAX || self.chunks != chunks_of(length) as u64 {
            return Err(RegistryError::damaged(
                model,
                "its length and its chunks do not add up",
            ));
        }
        Ok((length, chunks_of(length)))
    }

    /// `None` when it cannot be believed.
    pub(super) fn entry(self, model: Digest) -> Option<Entry> {
        let schema = match self.schema {
            Some(schema) => Some(Digest::parse(&schema).ok()?),
            None => None,
        };
        Some(Entry {
            model,
            length: self.length,
            kind: self.kind,
            schema,
            created_at: DateTime::parse_from_rfc3339(&self.created_at).ok()?.to_utc(),
        })
    }
}

impl MoveDocument {
    pub(super) fn of(current: Current) -> Self {
        Self {
            generation: current.generation.0,
            model: current.model.to_string(),
            moved_at: written(SystemTime::now().into()),
        }
    }

    /// `None` when it names no model, or contradicts its own name.
    pub(super) fn current(&self, name: Generation) -> Option<Current> {
        let model = Digest::parse(&self.model).ok()?;
        (self.generation == name.0).then_some(Current {
            generation: name,
            model,
        })
    }
}

/// The chunks of `model` with their names, as many at a time as one commit takes.
pub(super) fn chunks(digest: Digest, model: &Bytes) -> Vec<Vec<(String, ChunkDocument)>> {
    let pieces = (0..chunks_of(model.len())).map(|n| {
        let (from, to) = (n * CHUNK_BYTES, ((n + 1) * CHUNK_BYTES).min(model.len()));
        let bytes = model.slice(from..to);
        (chunk_name(digest, n), ChunkDocument { bytes })
    });
    let mut commits: Vec<Vec<_>> = Vec::new();
    for piece in pieces {
        match commits.last_mut() {
            Some(commit) if commit.len() < CHUNKS_AT_ONCE => commit.push(piece),
            _ => commits.push(vec![piece]),
        }
    }
    commits
}

pub(super) fn chunk_name(model: Digest, n: usize) -> String {
    format!("{model}-{n}")
}

fn chunks_of(length: usize) -> usize {
    length.div_ceil(CHUNK_BYTES)
}

fn written(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_hold_the_model_in_order_and_within_firestores_limits() {
        const DOCUMENT_MAX: usize = 1 << 20;
        for length in [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, 9 * CHUNK_BYTES + 7] {
            let model: Bytes = (0..length).map(|n| (n % 251) as u8).collect();
            let digest = Digest::of(&model);
            let commits = chunks(digest, &model);
            assert!(commits.iter().all(|commit| commit.len() <= CHUNKS_AT_ONCE));
            let chunks: Vec<_> = commits.into_iter().flatten().collect();
            let expected: Vec<_> = (0..chunks_of(length)).map(|n| chunk_name(digest, n)).collect();
            assert_eq!(
                chunks.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>(),
                expected
            );
            assert!(
                chunks
                    .iter()
                    .all(|(_, chunk)| chunk.bytes.len() < DOCUMENT_MAX / 2)
            );
            let whole: Vec<u8> = chunks.iter().flat_map(|(_, chunk)| chunk.bytes.clone()).collect();
            assert!(whole == model);
            let described = ModelDocument::of(digest, &model);
            assert_eq!(described.size(digest).unwrap(), (length, chunks.len()));
        }
    }

    #[test]
    fn a_size_that_cannot_be_is_not_believed() {
        let digest = Digest::of("model");
        let sized = |length, chunks, layout| {
            let described = ModelDocument::of(digest, b"model");
            ModelDocument {
                length,
                chunks,
                layout,
                ..described
            }
            .size(digest)
        };
        sized(5, 1, LAYOUT).unwrap();
        for (length, chunks, layout) in [
            (5, 2, LAYOUT),
            (u64::MAX, 1, LAYOUT),
            (5, 1, 2),
            (1 << 40, 1 << 22, LAYOUT),
        ] {
            assert!(matches!(
                sized(length, chunks, layout),
                Err(RegistryError::Damaged { .. })
            ));
        }
    }
}
