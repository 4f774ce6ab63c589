//! One private emulator for the tests that leave it alone, and registries of their own on it.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use domain::Digest;
use firestore::gcloud_sdk::google_cloud_auth::credentials::anonymous;
use firestore::{FirestoreDb, FirestoreDbOptions, FirestoreTransactionOps};
use futures::TryStreamExt;
use serde::Serialize;
use servers::Firestore;
use workers::Registry;
use workers::registry::{FirestoreConfig, Generation};

use crate::contract::UnderTest;

pub(crate) static SERVER: LazyLock<Firestore> = LazyLock::new(start);

/// Starts an emulator from within a test.
pub(crate) fn start() -> Firestore {
    // A test's own runtime must not be blocked, so the server is started beside it.
    let starting = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(Firestore::start()).expect("the emulator starts")
    });
    starting.join().expect("the emulator starts")
}

/// A registry in a project of its own, and a second way to its documents.
pub(crate) struct InFirestore {
    pub(crate) config: FirestoreConfig,
    db: FirestoreDb,
}

/// A document's one field that a test writes.
#[derive(Serialize)]
struct Piece {
    bytes: Bytes,
}

impl InFirestore {
    pub(crate) async fn at(host: &str) -> Self {
        static PROJECTS: AtomicU32 = AtomicU32::new(0);
        let project = format!("demo-{}", PROJECTS.fetch_add(1, Ordering::Relaxed));
        let mut options = FirestoreDbOptions::new(project.clone());
        options.firebase_api_url = Some(format!("http://{host}"));
        let anybody = anonymous::Builder::new().build();
        Self {
            config: FirestoreConfig::new(project).emulator(host),
            db: FirestoreDb::with_options_auth(options, anybody).await.unwrap(),
        }
    }

    /// Writes a document behind the registry's back.
    pub(crate) async fn write(
        &self,
        collection: &str,
        name: &str,
        document: &(impl Serialize + Sync + Send),
    ) {
        let mut transaction = self.db.begin_transaction().await.unwrap();
        transaction
            .update_object(collection, name, document, None, None, Vec::new())
            .unwrap();
        transaction.commit().await.unwrap();
    }

    pub(crate) async fn write_chunk(&self, model: Digest, n: usize, bytes: impl Into<Bytes>) {
        let piece = Piece { bytes: bytes.into() };
        self.write("segue_model_chunks", &format!("{model}-{n}"), &piece)
            .await;
    }

    pub(crate) async fn delete(&self, collection: &str, name: &str) {
        let mut transaction = self.db.begin_transaction().await.unwrap();
        transaction.delete_by_id(collection, name, None).unwrap();
        transaction.commit().await.unwrap();
    }

    pub(crate) async fn has_chunk(&self, model: Digest, n: usize) -> bool {
        let by_name = self.db.fluent().select().by_id_in("segue_model_chunks");
        let found = by_name.batch_with_errors([format!("{model}-{n}")]).await.unwrap();
        let found: Vec<_> = found.try_collect().await.unwrap();
        found.iter().any(|(_, document)| document.is_some())
    }

    /// The names of a collection's documents, and how many bytes each has on the wire.
    pub(crate) async fn documents(&self, collection: &str) -> Vec<(String, usize)> {
        use firestore::gcloud_sdk::prost::Message;
        let documents = self.db.fluent().select().from(collection).query().await.unwrap();
        let sized = documents.iter().map(|document| {
            let name = document.name.rsplit('/').next().unwrap().to_owned();
            (name, document.encoded_len())
        });
        sized.collect()
    }

    async fn last_chunk(&self, model: Digest) -> String {
        let prefix = format!("{model}-");
        let chunks = self.documents("segue_model_chunks").await;
        let names = chunks.into_iter().map(|(name, _)| name);
        names
            .filter(|name| name.starts_with(&prefix))
            .max()
            .expect("the model has a chunk")
    }
}

impl UnderTest for InFirestore {
    fn registry(&self) -> Registry {
        Registry::firestore(self.config.clone())
    }

    async fn change(&self, model: Digest) {
        let whole = self.registry().get(model).await.unwrap().expect("it is there");
        let mut first = whole.slice(..whole.len().min(256 << 10)).to_vec();
        first[0] ^= 1;
        self.write_chunk(model, 0, first).await;
    }

    async fn cut(&self, model: Digest) {
        let last = self.last_chunk(model).await;
        self.delete("segue_model_chunks", &last).await;
    }

    async fn spoil_move(&self, generation: Generation) {
        #[derive(Serialize)]
        struct Spoilt {
            generation: u64,
            model: &'static str,
        }
        let spoilt = Spoilt {
            generation: generation.0,
            model: "no digest",
        };
        self.write(
            "segue_registry",
            &format!("current-{:020}", generation.0),
            &spoilt,
        )
        .await;
    }
}
