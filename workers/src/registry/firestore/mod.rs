//! The registry in Firestore: documents of metadata and chunks, and a history of the pointer's moves.
//!
//! Uses only what Google's service, Google's emulator and npm's emulator do alike: commits that create a document once
//! (`exists = false`), reads by name, and one ordered query.

mod connection;
mod documents;
mod owner;
mod trouble;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use domain::Digest;
use firestore::errors::FirestoreError;
use firestore::{
    FirestoreDb, FirestoreDocument, FirestoreResult, FirestoreTransactionOps, FirestoreWritePrecondition,
};
use futures::TryStreamExt;
use serde::Serialize;

use self::connection::Connection;
use self::documents::{CHUNKS, CHUNKS_AT_ONCE, ChunkDocument, GENERATION, MODELS, MOVES};
use self::documents::{ModelDocument, MoveDocument, chunk_name};
pub use self::trouble::FirestoreTrouble;
use super::{Current, Entry, Generation, RegistryError};

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// Which Firestore.
#[derive(Clone, Debug)]
pub struct FirestoreConfig {
    /// The project: `FIRESTORE_PROJECT`.
    pub project: String,
    /// Host and port of an emulator: `FIRESTORE_EMULATOR_HOST`. Without one, Google's service is used with the
    /// application default credentials.
    pub emulator_host: Option<String>,
    /// How long one request may take before it is tried once more, and then given up.
    pub patience: Duration,
}

/// A registry in Firestore.
#[derive(Clone)]
pub struct Firestore {
    connection: Arc<Connection>,
}

impl FirestoreConfig {
    /// Google's service.
    #[must_use]
    pub fn new(project: impl Into<String>) -> Self {
        Self {
            project: project.into(),
            emulator_host: None,
            patience: PATIENCE,
        }
    }

    /// The emulator at `host`, as `127.0.0.1:8080`.
    #[must_use]
    pub fn emulator(self, host: impl Into<String>) -> Self {
        Self {
            emulator_host: Some(host.into()),
            ..self
        }
    }
}

impl Firestore {
    pub(super) fn new(config: FirestoreConfig) -> Self {
        Self {
            connection: Arc::new(Connection::new(config)),
        }
    }

    pub(super) async fn put(&self, model: Bytes) -> Result<Digest, RegistryError> {
        let digest = Digest::of(&model);
        if self.get(digest).await?.is_none() {
            self.write(digest, &model).await?;
        }
        Ok(digest)
    }

    pub(super) async fn get(&self, model: Digest) -> Result<Option<Bytes>, RegistryError> {
        let Some(described) = self.read_one(MODELS, model.to_string()).await? else {
            return Ok(None);
        };
        let described: ModelDocument = FirestoreDb::deserialize_doc_to(&described)
            .map_err(|_| RegistryError::damaged(model, "its metadata cannot be read"))?;
        let (length, chunks) = described.size(model)?;
        let bytes = self.read_chunks(model, length, chunks).await?;
        if bytes.len() != length {
            return Err(RegistryError::damaged(model, "its bytes have another length"));
        }
        if Digest::of(&bytes) != model {
            return Err(RegistryError::damaged(model, "its bytes have another digest"));
        }
        Ok(Some(bytes))
    }

    pub(super) async fn list(&self) -> Result<Vec<Entry>, RegistryError> {
        let documents = self.connection.ask(|db| async move {
            let found = db
                .fluent()
                .select()
                .from(MODELS)
                .stream_query_with_errors()
                .await?;
            found.try_collect::<Vec<_>>().await
        });
        Ok(documents.await?.iter().filter_map(entry).collect())
    }

    pub(super) async fn current(&self) -> Result<Option<Current>, RegistryError> {
        let last = self.connection.ask(|db| async move {
            let moves = db.fluent().select().from(MOVES).limit(1);
            let last = moves.order(|by| by.fields([by.field(GENERATION).descending()]));
            last.stream_query_with_errors().await?.try_next().await
        });
        let Some(document) = last.await? else {
            return Ok(None);
        };
        let generation = Generation::of_record(name_of(&document)).unwrap_or(Generation(0));
        let read: Option<MoveDocument> = FirestoreDb::deserialize_doc_to(&document).ok();
        let current = read.and_then(|read| read.current(generation));
        current.map(Some).ok_or(RegistryError::PointerDamaged(generation))
    }

    /// Records a move of the pointer; false when there is one of this number.
    pub(super) async fn create_move(&self, to: Current) -> Result<bool, RegistryError> {
        let record = MoveDocument::of(to);
        self.create(MOVES, to.generation.record_name(), &record).await
    }

    /// Chunks first and metadata last. Chunks that a writer left behind when it died, or that another writes at the same
    /// time, have the same bytes under the same names.
    async fn write(&self, digest: Digest, model: &Bytes) -> Result<(), RegistryError> {
        for chunks in documents::chunks(digest, model) {
            let chunks = Arc::new(chunks);
            let written = self.connection.ask(|db| {
                let chunks = chunks.clone();
                async move { commit(&db, CHUNKS, &chunks, None).await }
            });
            written.await?;
        }
        let described = ModelDocument::of(digest, model);
        let is_first = self.create(MODELS, digest.to_string(), &described).await?;
        if !is_first {
            tracing::debug!(model.fingerprint = %digest, "another process kept the same model at the same time");
        }
        Ok(())
    }

    /// Creates a document; false when there is one of this name.
    async fn create<T: Serialize + Send + Sync>(
        &self,
        collection: &'static str,
        name: String,
        document: &T,
    ) -> Result<bool, RegistryError> {
        let documents = Arc::new([(name, document)]);
        let created = self.connection.ask(|db| {
            let documents = documents.clone();
            async move {
                let once = Some(FirestoreWritePrecondition::Exists(false));
                match commit(&db, collection, &*documents, once).await {
                    Ok(()) => Ok(true),
                    Err(FirestoreError::DataConflictError(_)) => Ok(false),
                    Err(error) => Err(error),
                }
            }
        });
        Ok(created.await?)
    }

    async fn read_chunks(&self, model: Digest, length: usize, chunks: usize) -> Result<Bytes, RegistryError> {
        let names: Vec<_> = (0..chunks).map(|n| chunk_name(model, n)).collect();
        let mut bytes = BytesMut::with_capacity(length);
        for names in names.chunks(CHUNKS_AT_ONCE) {
            let mut found = self.read(CHUNKS, names).await?;
            for name in names {
                let document = found
                    .remove(name)
                    .ok_or(RegistryError::damaged(model, "a chunk is missing"))?;
                let chunk: ChunkDocument = FirestoreDb::deserialize_doc_to(&document)
                    .map_err(|_| RegistryError::damaged(model, "a chunk cannot be read"))?;
                bytes.extend_from_slice(&chunk.bytes);
            }
        }
        Ok(bytes.freeze())
    }

    async fn read_one(
        &self,
        collection: &'static str,
        name: String,
    ) -> Result<Option<FirestoreDocument>, RegistryError> {
        let mut found = self.read(collection, std::slice::from_ref(&name)).await?;
        Ok(found.remove(&name))
    }

    /// The documents of these names that exist.
    async fn read(
        &self,
        collection: &'static str,
        names: &[String],
    ) -> Result<HashMap<String, FirestoreDocument>, RegistryError> {
        let names: Arc<[String]> = names.into();
        let read = self.connection.ask(|db| {
            let names = names.clone();
            async move {
                let by_name = db.fluent().select().by_id_in(collection);
                let found = by_name.batch_with_errors(names.iter()).await?;
                let found = found.try_filter_map(|(name, document)| async move {
                    Ok(document.map(|document| (name, document)))
                });
                found.try_collect().await
            }
        });
        Ok(read.await?)
    }
}

impl fmt::Debug for Firestore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.connection.fmt(f)
    }
}

/// Writes `documents` in one commit.
async fn commit<T: Serialize + Send + Sync>(
    db: &FirestoreDb,
    collection: &str,
    documents: &[(String, T)],
    precondition: Option<FirestoreWritePrecondition>,
) -> FirestoreResult<()> {
    let mut transaction = db.begin_transaction().await?;
    for (name, document) in documents {
        transaction.update_object(collection, name, document, None, precondition.clone(), Vec::new())?;
    }
    transaction.commit().await.map(drop)
}

/// What a document says of a model; none for one that cannot be read, which is told.
fn entry(document: &FirestoreDocument) -> Option<Entry> {
    let read = Digest::parse(name_of(document)).ok().and_then(|model| {
        let described: ModelDocument = FirestoreDb::deserialize_doc_to(document).ok()?;
        described.entry(model)
    });
    if read.is_none() {
        tracing::warn!(
            model.fingerprint = name_of(document),
            "the registry's metadata of a model cannot be read; it is not listed"
        );
    }
    read
}

fn name_of(document: &FirestoreDocument) -> &str {
    document.name.rsplit('/').next().unwrap_or_default()
}
