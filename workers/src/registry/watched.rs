//! A registry that is asked with bounded patience, and what is known of its health.

use std::fmt;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use domain::Digest;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::{Current, Registry, RegistryError};

/// How long a playlist waits for the registry before the log's copy is taken. Shorter than a registry's own patience:
/// the log has the same bytes.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a registry that gave trouble is not asked again for a playlist.
const TROUBLE_REMEMBERED: Duration = Duration::from_secs(15);

/// What is known of a registry, for readiness and metrics. Trouble with it stops no playlist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryHealth {
    /// Which form it has: `files` or `Firestore`.
    pub form: &'static str,
    /// When it last did what was asked.
    pub last_success_at: Option<SystemTime>,
    /// The last trouble, which may be over.
    pub last_error: Option<LastError>,
    /// What was done instead of what the registry was asked for; `None` while all is well.
    pub fallback: Option<Fallback>,
    /// The last model that was verified, from the registry or from the log.
    pub verified: Option<Digest>,
    /// How often the registry did not help.
    pub failures_total: u64,
    /// How often it gave something damaged: a person must look.
    pub damaged_total: u64,
    /// How many models were taken from the log's copy.
    pub from_log_total: u64,
}

/// A trouble with the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastError {
    /// When.
    pub at: SystemTime,
    /// What, with its causes, and never a model's bytes.
    pub text: String,
}

/// What was done without the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// This model was served from the log's copy.
    LogCopy(Digest),
    /// This model was kept: the last one verified, while what the registry holds now is not to be had.
    Kept(Digest),
    /// There was no model to keep.
    Nothing,
}

/// The registry did not help; it has been told and counted.
#[derive(Debug)]
pub(crate) struct Unhelpful;

/// A registry with its health.
#[derive(Debug)]
pub(crate) struct Watched {
    registry: Registry,
    health: watch::Sender<RegistryHealth>,
    /// Until when it is not asked for a playlist.
    rests_until: Mutex<Option<Instant>>,
}

impl RegistryHealth {
    fn new(form: &'static str) -> Self {
        Self {
            form,
            last_success_at: None,
            last_error: None,
            fallback: None,
            verified: None,
            failures_total: 0,
            damaged_total: 0,
            from_log_total: 0,
        }
    }

    /// True while the registry does what is asked of it.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.fallback.is_none()
    }
}

/// One sentence for readiness.
impl fmt::Display for RegistryHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.form)?;
        match (self.fallback, self.verified) {
            (None, None) => f.write_str("no model was asked for yet")?,
            (None, Some(model)) => write!(f, "model {model} is verified")?,
            (Some(Fallback::LogCopy(model)), _) => write!(f, "served model {model} from the log's copy")?,
            (Some(Fallback::Kept(model)), _) => write!(f, "kept the last verified model {model}")?,
            (Some(Fallback::Nothing), _) => f.write_str("there is no verified model to keep")?,
        }
        match &self.last_error {
            Some(error) if !self.is_well() => write!(f, "; {}", error.text),
            _ => Ok(()),
        }
    }
}

impl Watched {
    pub(crate) fn new(registry: Registry) -> Self {
        let (health, _) = watch::channel(RegistryHealth::new(registry.form()));
        Self {
            registry,
            health,
            rests_until: Mutex::new(None),
        }
    }

    pub(crate) fn health(&self) -> watch::Receiver<RegistryHealth> {
        self.health.subscribe()
    }

    /// A model for a playlist, within [`PATIENCE`], and at once without it after recent trouble.
    pub(crate) async fn get_soon(&self, model: Digest) -> Result<Bytes, Unhelpful> {
        if self
            .rests_until
            .lock()
            .is_some_and(|until| Instant::now() < until)
        {
            return Err(Unhelpful);
        }
        let answer = match timeout(PATIENCE, self.get(model)).await {
            Ok(answer) => answer,
            Err(elapsed) => Err(RegistryError::unavailable(elapsed)),
        };
        self.heard(answer)
    }

    /// What the pointer names and its bytes, within the registry's own bounds and whatever was before.
    pub(crate) async fn get_current(&self) -> Result<Option<(Current, Bytes)>, Unhelpful> {
        let answer = match self.registry.current().await {
            Ok(Some(current)) => self.get(current.model).await.map(|bytes| Some((current, bytes))),
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        };
        self.heard(answer)
    }

    /// A model was verified: it came from the registry, or from the log.
    pub(crate) fn verified(&self, model: Digest, is_from_log: bool) {
        self.health.send_modify(|health| {
            health.verified = Some(model);
            if is_from_log {
                health.from_log_total += 1;
                health.fallback = Some(Fallback::LogCopy(model));
            }
        });
    }

    async fn get(&self, model: Digest) -> Result<Bytes, RegistryError> {
        self.registry
            .get(model)
            .await?
            .ok_or(RegistryError::Absent(model))
    }

    fn heard<T>(&self, answer: Result<T, RegistryError>) -> Result<T, Unhelpful> {
        answer.inspect(|_| self.succeeded()).map_err(|error| {
            self.failed(&error);
            Unhelpful
        })
    }

    fn succeeded(&self) {
        *self.rests_until.lock() = None;
        self.health.send_modify(|health| {
            health.last_success_at = Some(SystemTime::now());
            health.fallback = None;
        });
    }

    /// Tells of the trouble: what is damaged loudly, what goes by itself less so.
    pub(crate) fn failed(&self, error: &RegistryError) {
        let is_damaged = matches!(
            error,
            RegistryError::Damaged { .. } | RegistryError::PointerDamaged(_)
        );
        if !is_damaged && !matches!(error, RegistryError::Absent(_)) {
            *self.rests_until.lock() = Some(Instant::now() + TROUBLE_REMEMBERED);
        }
        let text = error.in_full();
        if is_damaged {
            tracing::error!(
                error = text,
                "the registry of models holds something damaged; it is not used"
            );
        } else {
            tracing::warn!(error = text, "the registry of models did not help");
        }
        self.health.send_modify(|health| {
            health.failures_total += 1;
            health.damaged_total += u64::from(is_damaged);
            health.fallback = Some(health.verified.map_or(Fallback::Nothing, Fallback::Kept));
            health.last_error = Some(LastError {
                at: SystemTime::now(),
                text,
            });
        });
    }
}
