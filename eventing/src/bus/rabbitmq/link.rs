//! One connection that is kept: when it is lost it is made again, for as long as the link lives.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime},
};

use lapin::{Channel, Connection, ConnectionProperties};
use tokio::{
    sync::{Notify, watch},
    task::AbortHandle,
};

use super::{
    super::{BusError, BusStatus},
    RabbitMqConfig,
    fault::Fault,
};

/// The wait before a first new attempt; it doubles up to [`BACKOFF_MAX`].
const BACKOFF_MIN: Duration = Duration::from_millis(100);
/// The longest wait between two attempts: a broker that is back is noticed this soon.
const BACKOFF_MAX: Duration = Duration::from_secs(3);
/// How often a connection is asked whether it still stands, besides those who use it telling that it does not.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// See the module. The first call makes the connection. Dropping the link ends it.
#[derive(Debug)]
pub(super) struct Link {
    shared: Arc<Shared>,
    keeper: OnceLock<AbortHandle>,
}

#[derive(Debug)]
struct Shared {
    config: Arc<RabbitMqConfig>,
    /// What it is for; part of the name that the broker shows.
    purpose: &'static str,
    state: watch::Sender<State>,
    lost: Notify,
}

#[derive(Debug, Clone)]
enum State {
    /// No attempt has ended yet.
    New,
    Up(Arc<Connection>),
    Down {
        since: SystemTime,
        fault: Fault,
    },
}

impl Link {
    pub(super) fn new(config: Arc<RabbitMqConfig>, purpose: &'static str) -> Self {
        let shared = Shared {
            config,
            purpose,
            state: watch::Sender::new(State::New),
            lost: Notify::new(),
        };
        Self {
            shared: Arc::new(shared),
            keeper: OnceLock::new(),
        }
    }

    /// How the connection stands; nothing when none was needed yet.
    pub(super) fn status(&self) -> Option<BusStatus> {
        self.keeper.get()?;
        Some(match &*self.shared.state.borrow() {
            State::New => BusStatus::disconnected(SystemTime::now(), "the first connection is being made"),
            State::Up(connection) if connection.status().connected() => BusStatus::Connected,
            State::Up(_) => BusStatus::disconnected(SystemTime::now(), "the connection was lost"),
            State::Down { since, fault } => BusStatus::disconnected(*since, &fault.to_string()),
        })
    }

    /// A channel of its own, on the connection as it is or is about to be.
    pub(super) async fn channel(&self) -> Result<OpenChannel, BusError> {
        let connection = self.connection().await?;
        let limit = self.shared.config.answer_limit;
        match tokio::time::timeout(limit, connection.create_channel()).await {
            Ok(Ok(channel)) => Ok(OpenChannel { connection, channel }),
            Ok(Err(error)) => {
                let fault = Fault::of_connecting(&self.shared.config, &error);
                Err(self.lost(&connection, fault))
            }
            Err(_) => Err(self.silent(&connection)),
        }
    }

    async fn connection(&self) -> Result<Arc<Connection>, BusError> {
        self.keeper
            .get_or_init(|| tokio::spawn(keep(Arc::clone(&self.shared))).abort_handle());
        let mut state = self.shared.state.subscribe();
        let limit = self.shared.config.connect_limit;
        let decided = tokio::time::timeout(limit, state.wait_for(State::is_decided)).await;
        // Also when it was not decided in time, the reason for that stands in the state.
        drop(decided);
        match &*self.shared.state.borrow() {
            State::Up(connection) => Ok(Arc::clone(connection)),
            State::Down { fault, .. } => Err(fault.clone().into()),
            State::New => Err(Fault::silence(&self.shared.config, limit).into()),
        }
    }

    /// Gives up `connection`, for the broker does not answer on it.
    pub(super) fn silent(&self, connection: &Arc<Connection>) -> BusError {
        self.lost(connection, self.silence())
    }

    /// How long an answer is waited for.
    pub(super) fn answer_limit(&self) -> Duration {
        self.shared.config.answer_limit
    }

    /// That none came in that time.
    pub(super) fn silence(&self) -> Fault {
        Fault::silence(&self.shared.config, self.answer_limit())
    }

    /// Gives up `connection`: the next call gets another.
    pub(super) fn lost(&self, connection: &Arc<Connection>, fault: Fault) -> BusError {
        self.shared.down(Some(connection), fault.clone());
        self.shared.lost.notify_one();
        fault.into()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Some(keeper) = self.keeper.get() {
            keeper.abort();
        }
    }
}

/// A channel, and the connection that it is on.
#[derive(Debug)]
pub(super) struct OpenChannel {
    pub(super) connection: Arc<Connection>,
    pub(super) channel: Channel,
}

impl OpenChannel {
    pub(super) fn is_usable(&self) -> bool {
        self.connection.status().connected() && self.channel.status().connected()
    }
}

impl State {
    /// Whether waiting would change nothing.
    fn is_decided(&self) -> bool {
        match self {
            Self::Up(connection) => connection.status().connected(),
            Self::Down { fault, .. } => matches!(fault, Fault::Misconfigured(_)),
            Self::New => false,
        }
    }
}

impl Shared {
    fn up(&self, connection: Arc<Connection>) {
        let was_down = matches!(&*self.state.borrow(), State::Down { .. });
        let (purpose, place) = (self.purpose, self.config.place());
        if was_down {
            tracing::info!(bus.purpose = purpose, bus.place = %place, "RabbitMQ is connected again");
        }
        self.state.send_replace(State::Up(connection));
    }

    /// Takes note of a failure; of one that befell `of` only if that is still the connection.
    fn down(&self, of: Option<&Arc<Connection>>, fault: Fault) {
        self.state.send_if_modified(|state| {
            let since = match (&*state, of) {
                (State::Up(current), Some(of)) if !Arc::ptr_eq(current, of) => return false,
                (State::Down { since, .. }, None) => *since,
                (State::Down { .. }, Some(_)) => return false,
                _ => {
                    tracing::warn!(bus.purpose = self.purpose, error = %fault, "RabbitMQ is not connected; it is tried again");
                    SystemTime::now()
                }
            };
            *state = State::Down { since, fault };
            true
        });
    }

    async fn until_lost(&self, connection: &Arc<Connection>) {
        while connection.status().connected() && matches!(&*self.state.borrow(), State::Up(_)) {
            tokio::select! {
                () = self.lost.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
        self.down(
            Some(connection),
            Fault::Away("the connection was lost".to_owned()),
        );
    }

    async fn connect(&self) -> Result<Connection, Fault> {
        let config = &self.config;
        let place = (config.host.as_str(), config.port);
        // Asked for its own sake, to be told apart from a closed port. It may pass: a container's name is gone while the
        // container is, and a resolver can be away.
        if let Err(error) = tokio::net::lookup_host(place).await {
            let host = &config.host;
            return Err(Fault::Away(format!(
                "there is no host {host:?}: check RABBITMQ_HOST ({error})"
            )));
        }
        let name = format!("{} ({})", config.name, self.purpose);
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        Connection::connect_uri(config.uri(), properties)
            .await
            .map_err(|error| Fault::of_connecting(config, &error))
    }
}

/// Makes the connection, watches it, and makes it again, until it is aborted.
async fn keep(shared: Arc<Shared>) {
    let mut failures = 0;
    loop {
        let limit = shared.config.connect_limit;
        match tokio::time::timeout(limit, shared.connect()).await {
            Ok(Ok(connection)) => {
                failures = 0;
                let connection = Arc::new(connection);
                shared.up(Arc::clone(&connection));
                shared.until_lost(&connection).await;
            }
            Ok(Err(fault)) => shared.down(None, fault),
            Err(_) => shared.down(None, Fault::silence(&shared.config, limit)),
        }
        tokio::time::sleep(backoff(failures)).await;
        failures += 1;
    }
}

/// Half to all of a wait that doubles: replicas that lost one broker together do not come back together.
fn backoff(failures: u32) -> Duration {
    let whole = BACKOFF_MIN
        .saturating_mul(2_u32.saturating_pow(failures.min(10)))
        .min(BACKOFF_MAX);
    whole / 2 + crate::jitter::up_to(whole / 2)
}
