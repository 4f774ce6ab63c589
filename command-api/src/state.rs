//! What every handler works with.

use std::{ops::Deref, sync::Arc};

use eventing::sealer::Sealer;
use eventing::{EventLog, Keys, LogError};
use projectors::{DomainExecutor, ViewReader};
use prometheus_client::registry::Registry;
use tokio_util::{sync::CancellationToken, sync::DropGuard, task::TaskTracker};

use crate::{
    catalogue::CatalogueHandle,
    config::ApiConfig,
    erasure,
    health::Probe,
    idempotency::Running,
    metrics::{self, HttpMeasures},
    passwords::{PasswordError, Passwords},
    sessions::SessionGate,
    streams::Streams,
    throttle::Throttle,
};

/// The parts that the API is put together from.
#[derive(Clone)]
pub struct ApiParts {
    /// The event log.
    pub log: EventLog,
    /// The keys of persons, beside the log.
    pub keys: Keys,
    /// Carries out commands on that log.
    pub executor: DomainExecutor,
    /// Reads the views.
    pub views: ViewReader,
    /// The current catalogue.
    pub catalogue: CatalogueHandle,
    /// Seals the log, and proves what is in it.
    pub sealer: Sealer,
    /// What readiness looks at besides the API's own parts.
    pub probes: Vec<Probe>,
    /// What `/metrics` tells besides that and what the API counts itself.
    pub instruments: Arc<Registry>,
}

/// Everything a handler needs. Cheap to clone; its background tasks end with the last clone.
#[derive(Clone)]
pub struct ApiState(Arc<Inner>);

/// See [`ApiState`].
pub struct Inner {
    parts: ApiParts,
    config: ApiConfig,
    passwords: Passwords,
    throttle: Throttle,
    gate: SessionGate,
    running: Running,
    http: HttpMeasures,
    counted: Registry,
    streams: Streams,
    draining: CancellationToken,
    memory: erasure::Memory,
    tasks: TaskTracker,
    _stop: DropGuard,
}

/// Why the API cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The log cannot be read.
    #[error("the event log cannot be read")]
    Log(#[from] LogError),
    /// The password settings are not possible.
    #[error("passwords cannot be hashed as configured")]
    Passwords(#[from] PasswordError),
    /// An erasure that had begun could not be finished.
    #[error("an erasure that had begun could not be finished")]
    Erasure(#[source] erasure::ErasureError),
}

impl ApiState {
    /// Puts the API together, finishes erasures that a crash cut short, loads the catalogue that the view names, and begins
    /// to follow the log.
    ///
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`StartError`]: nothing runs.
    pub async fn start(parts: ApiParts, config: ApiConfig) -> Result<Self, StartError> {
        let streams = Streams::new(config.streams_max, config.streams_of_account_max);
        let passwords = Passwords::new(config.passwords.clone())?;
        let throttle = config.throttle.clone().map_or(Throttle::Off, Throttle::in_memory);
        let finished = erasure::finish(&parts.log, &parts.keys).await;
        finished.map_err(StartError::Erasure)?.tell();
        let head = parts.log.head().await?;
        if let Err(error) = parts.catalogue.refresh().await {
            tracing::error!(error = %error, "the catalogue could not be loaded; it is tried again");
        }
        let gate = SessionGate::new(parts.log.clone(), parts.views.clone(), head, config.session_wait);
        let http = HttpMeasures::new();
        let counted = metrics::of_api(&http, passwords.clone(), parts.catalogue.clone());
        let stop = CancellationToken::new();
        follow(&stop, gate.clone().follow());
        follow(&stop, parts.catalogue.clone().follow());
        let memory = erasure::Memory {
            executor: parts.executor.clone(),
            edge: Some((gate.clone(), throttle.clone())),
        };
        follow(&stop, memory.clone().follow(head));
        Ok(Self(Arc::new(Inner {
            parts,
            config,
            passwords,
            throttle,
            gate,
            running: Running::default(),
            http,
            counted,
            streams,
            draining: CancellationToken::new(),
            tasks: TaskTracker::new(),
            memory,
            _stop: stop.drop_guard(),
        })))
    }
}

impl Deref for ApiState {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Inner {
    /// The event log.
    #[must_use]
    pub fn log(&self) -> &EventLog {
        &self.parts.log
    }

    /// The keys of persons.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.parts.keys
    }

    /// Carries out commands.
    #[must_use]
    pub fn executor(&self) -> &DomainExecutor {
        &self.parts.executor
    }

    /// Reads views.
    #[must_use]
    pub fn views(&self) -> &ViewReader {
        &self.parts.views
    }

    /// The current catalogue.
    #[must_use]
    pub fn catalogue(&self) -> &CatalogueHandle {
        &self.parts.catalogue
    }

    /// Seals the log, and proves what is in it.
    #[must_use]
    pub fn sealer(&self) -> &Sealer {
        &self.parts.sealer
    }

    pub(crate) fn probes(&self) -> &[Probe] {
        &self.parts.probes
    }

    /// Everything that is counted in this process, for `/metrics`.
    pub(crate) fn instruments(&self) -> [&Registry; 2] {
        [&self.parts.instruments, &self.counted]
    }

    pub(crate) fn http_measures(&self) -> &HttpMeasures {
        &self.http
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &ApiConfig {
        &self.config
    }

    /// Hashes and checks passwords.
    #[must_use]
    pub fn passwords(&self) -> &Passwords {
        &self.passwords
    }

    /// Slows down guessing.
    #[must_use]
    pub fn throttle(&self) -> &Throttle {
        &self.throttle
    }

    /// Lets sessions through.
    #[must_use]
    pub fn gate(&self) -> &SessionGate {
        &self.gate
    }

    /// What this process remembers of people.
    pub(crate) fn memory(&self) -> &erasure::Memory {
        &self.memory
    }

    pub(crate) fn running(&self) -> &Running {
        &self.running
    }

    /// Work that goes on after an answer, such as hashing a password again. Waited for at the end.
    pub(crate) fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    /// The streams of events that are open.
    pub(crate) fn streams(&self) -> &Streams {
        &self.streams
    }

    /// Makes readiness say no, for the rest of the process, and ends the streams of events.
    pub fn begin_drain(&self) {
        self.draining.cancel();
    }

    /// Completes when the process is about to stop.
    pub async fn draining(&self) {
        self.draining.cancelled().await;
    }

    /// Whether the process is about to stop.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }
}

fn follow(stop: &CancellationToken, work: impl Future<Output = ()> + Send + 'static) {
    let stop = stop.clone();
    tokio::spawn(async move { stop.run_until_cancelled(work).await });
}
