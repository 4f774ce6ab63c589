//! The current catalogue and base model in memory, and former catalogues on demand for playlists that were made from them.

use std::sync::Arc;

use classifier::{BaseModel, Catalogue};
use domain::Digest;
use eventing::{EventLog, LogError, Position};
use parking_lot::RwLock;
use projectors::{CatalogueError, Catalogues, ViewError, ViewReader};
use tokio::sync::Mutex;

/// Follows the view `library`. Cheap to clone.
#[derive(Clone)]
pub struct CatalogueHandle(Arc<Inner>);

struct Inner {
    log: EventLog,
    views: ViewReader,
    current: RwLock<Current>,
    catalogues: Catalogues,
    refreshing: Mutex<()>,
}

#[derive(Clone, Default)]
struct Current {
    catalogue: Option<Loaded<Catalogue>>,
    model: Option<Loaded<BaseModel>>,
}

/// Something loaded, with its digest and where the log says that it became current.
pub struct Loaded<T> {
    /// What was loaded.
    pub content: Arc<T>,
    /// Its digest.
    pub digest: Digest,
    /// Where it became current.
    pub position: Position,
}

impl<T> Clone for Loaded<T> {
    fn clone(&self) -> Self {
        Self {
            content: self.content.clone(),
            digest: self.digest,
            position: self.position,
        }
    }
}

/// Why a catalogue or model could not be loaded. What was current stays so.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueFault {
    /// The view cannot be read.
    #[error("the view of the library cannot be read")]
    View(#[from] ViewError),
    /// The log cannot be read.
    #[error("the log cannot be read")]
    Log(#[from] LogError),
    /// The catalogue cannot be loaded.
    #[error("the catalogue cannot be loaded")]
    Catalogue(#[from] CatalogueError),
    /// The log has no content of this digest.
    #[error("the log has no content {0}")]
    Missing(Digest),
    /// The content is not what its event says.
    #[error("content {digest} cannot be read: {reason}")]
    Unreadable {
        /// Its digest.
        digest: Digest,
        /// What the reader said.
        reason: String,
    },
}

impl CatalogueHandle {
    /// A handle without content; [`refresh`](Self::refresh) or [`follow`](Self::follow) loads it.
    #[must_use]
    pub fn new(log: EventLog, views: ViewReader, catalogues: Catalogues) -> Self {
        Self(Arc::new(Inner {
            log,
            views,
            current: RwLock::default(),
            catalogues,
            refreshing: Mutex::default(),
        }))
    }

    /// The current catalogue; `None` before the first import.
    #[must_use]
    pub fn current(&self) -> Option<Loaded<Catalogue>> {
        self.0.current.read().catalogue.clone()
    }

    /// The current base model; `None` before the first publication.
    #[must_use]
    pub fn model(&self) -> Option<Loaded<BaseModel>> {
        self.0.current.read().model.clone()
    }

    /// The decoded catalogues that all parts of this process share.
    #[must_use]
    pub fn catalogues(&self) -> &Catalogues {
        &self.0.catalogues
    }

    /// Loads what the view says is current, if it is not loaded. Cheap when nothing changed.
    ///
    /// # Errors
    /// [`CatalogueFault`]; what was current stays so.
    pub async fn refresh(&self) -> Result<(), CatalogueFault> {
        let _one_at_a_time = self.0.refreshing.lock().await;
        self.refresh_catalogue().await?;
        self.refresh_model().await
    }

    async fn refresh_catalogue(&self) -> Result<(), CatalogueFault> {
        let Some(viewed) = unless_unbuilt(self.0.views.catalogue().await)? else {
            return Ok(());
        };
        let (imported, position) = (viewed.view.imported, viewed.view.position);
        if self
            .current()
            .is_some_and(|loaded| loaded.digest == imported.version)
        {
            return Ok(());
        }
        let content = self.0.catalogues.get(imported.version, imported.blob).await?;
        self.0.current.write().catalogue = Some(Loaded {
            content,
            digest: imported.version,
            position,
        });
        tracing::info!(catalogue.version = %imported.version, catalogue.tracks = imported.tracks, "a catalogue is in use");
        Ok(())
    }

    async fn refresh_model(&self) -> Result<(), CatalogueFault> {
        let Some(viewed) = unless_unbuilt(self.0.views.model().await)? else {
            return Ok(());
        };
        let (published, position) = (viewed.view.published, viewed.view.position);
        if self
            .model()
            .is_some_and(|loaded| loaded.digest == published.model)
        {
            return Ok(());
        }
        let digest = published.blob;
        let bytes = self
            .0
            .log
            .blob(digest.as_bytes())
            .await?
            .ok_or(CatalogueFault::Missing(digest))?;
        let model = BaseModel::from_bytes(&bytes).map_err(|error| unreadable(digest, &error))?;
        let loaded = Loaded {
            content: Arc::new(model),
            digest: published.model,
            position,
        };
        self.0.current.write().model = Some(loaded);
        Ok(())
    }

    /// The catalogue of a version, current or former.
    ///
    /// # Errors
    /// [`CatalogueFault`]; `Missing` when this version was never imported here.
    pub async fn version(&self, version: Digest) -> Result<Arc<Catalogue>, CatalogueFault> {
        if let Some(current) = self.current().filter(|loaded| loaded.digest == version) {
            return Ok(current.content);
        }
        let history = self.0.views.catalogues().await?;
        let found = history
            .into_iter()
            .find(|known| known.imported.version == version);
        let imported = found.ok_or(CatalogueFault::Missing(version))?.imported;
        Ok(self.0.catalogues.get(version, imported.blob).await?)
    }

    /// Refreshes whenever the log moves. Ends only by being dropped.
    pub async fn follow(self) {
        let mut changes = self.0.views.changes();
        loop {
            if let Err(error) = self.refresh().await {
                tracing::error!(error = %error, "the catalogue could not be loaded; what was in use stays so");
            }
            // Views of another process move without telling; looking is one read of a small view.
            let _ = tokio::time::timeout(
                std::time::Duration::from_millis(100),
                library_change(&mut changes),
            )
            .await;
        }
    }
}

async fn library_change(changes: &mut projectors::Changes) {
    let is_library = |change: &projectors::Change| match change {
        projectors::Change::View { projection, .. } => {
            *projection == projectors::ProjectionKind::Library.name()
        }
        projectors::Change::Checkpoint { .. } => false,
    };
    while let Some(changes) = changes.next().await {
        if changes.iter().any(is_library) {
            return;
        }
    }
}

fn unless_unbuilt<T>(read: Result<Option<T>, ViewError>) -> Result<Option<T>, ViewError> {
    match read {
        // What is in use stays so.
        Err(ViewError::NotBuilt(_) | ViewError::BeingRebuilt(_)) => Ok(None),
        other => other,
    }
}

fn unreadable(digest: Digest, error: &dyn std::error::Error) -> CatalogueFault {
    CatalogueFault::Unreadable {
        digest,
        reason: error.to_string(),
    }
}
