//! Composes the roles of one process, and ends them in order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use command_api::{ApiConfig, ApiParts, ApiState, CatalogueHandle, Probe, ThrottleConfig};
use eventing::bus::{Bus, BusError};
use eventing::sealer::Sealer;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::Outcome;
use crate::roles::{self, Role, Started, Task};
use crate::sealing;
use crate::settings::{Serving, Settings, Switch};
use crate::stack::{self, Stack};
use crate::traces;

/// How long the roles may take to finish what they have in hand. With the drain of the HTTP interface it stays below the half
/// minute that a process is usually given.
pub(crate) const STOP_LIMIT: Duration = Duration::from_secs(15);

/// The roles of one process, running.
pub(crate) struct Running {
    address: SocketAddr,
    /// Ends the HTTP interface.
    closing: CancellationToken,
    /// Ends the roles behind it, which must outlive the last request.
    stopping: CancellationToken,
    http: Task,
    tasks: Vec<Task>,
}

/// Serves until SIGTERM or SIGINT, or until a part fails.
pub(crate) async fn run(settings: &Settings, serving: &Serving, roles: &[Role]) -> anyhow::Result<Outcome> {
    let exporting = traces::start(&serving.traces, roles)?;
    let bus = bus_for(settings, roles)?;
    if roles != Role::ALL {
        warn_of_private_parts(settings)?;
    }
    let stack = Stack::open(settings).await?;
    let sealer = sealing::sealer(&stack, settings).await?;
    let running = Running::start(&stack, sealer, bus, serving, roles).await?;
    tracing::info!(
        address = %running.address,
        data = %settings.data.display(),
        forms = Stack::forms(settings)?,
        roles = ?roles,
        "Segue serves on http://{}",
        running.address
    );
    if serving.throttle == Switch::Off {
        tracing::warn!("THROTTLING IS OFF: sign-ins and registrations are not limited; for load tests only");
    }
    let asked = asked_to_stop()?;
    let served = running.until(asked).await;
    if let Some(exporting) = exporting {
        exporting.stop().await;
    }
    served?;
    tracing::info!("Segue stopped; everything acknowledged is in the log");
    Ok(Outcome::Done)
}

/// Queues inside a process carry events to that process's roles and to no other.
fn bus_for(settings: &Settings, roles: &[Role]) -> anyhow::Result<Bus> {
    match settings.hosts.rabbitmq()? {
        Some(broker) => Ok(stack::broker(broker)),
        None if roles == Role::ALL => Ok(Bus::in_process()),
        None => anyhow::bail!(
            "RABBITMQ_HOST is not set: a role in a process of its own takes its events from the broker; `segue serve` runs all roles in one process"
        ),
    }
}

/// A part that lies in the data folder is shared only by the processes of this machine that use the same folder.
fn warn_of_private_parts(settings: &Settings) -> anyhow::Result<()> {
    let parts = [
        (
            "DATABASE_URL",
            "the log and the keys",
            settings.database_url.is_some(),
        ),
        ("REDIS_HOST", "the views", settings.hosts.redis()?.is_some()),
    ];
    for (setting, what, _) in parts.into_iter().filter(|(_, _, is_set)| !is_set) {
        tracing::warn!(
            "{setting} is not set: {what} lie in {}, which every role must share",
            settings.data.display()
        );
    }
    Ok(())
}

/// Completes at the first SIGTERM or SIGINT.
fn asked_to_stop() -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: taking nothing new, finishing what runs");
    })
}

impl Running {
    /// Starts the roles on `bus`, and the HTTP interface: the whole of it for the role `rest`, else health alone.
    pub(crate) async fn start(
        stack: &Stack,
        sealer: Sealer,
        bus: Bus,
        serving: &Serving,
        roles: &[Role],
    ) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(serving.listen);
        let listener = listener
            .await
            .with_context(|| format!("cannot listen on {}", serving.listen))?;
        let address = listener.local_addr()?;
        declare(&bus).await?;
        // Whoever is forgotten must be so before any role reads.
        command_api::erasure::finish(&stack.log, &stack.keys)
            .await?
            .tell();
        let stopping = CancellationToken::new();
        let Started {
            tasks,
            probes,
            instruments,
        } = roles::start(stack, &sealer, &bus, roles, &stopping)?;
        let instruments = Arc::new(instruments);
        let closing = CancellationToken::new();
        let closed = closing.clone().cancelled_owned();
        let http = if roles.contains(&Role::Rest) {
            let api = api_state(stack, sealer, serving, probes, instruments).await?;
            tokio::spawn(async move { Ok(command_api::serve(listener, api, closed).await?) })
        } else {
            forget_as_others_do(stack, stopping.clone()).await?;
            tokio::spawn(async move {
                Ok(command_api::serve_health(listener, probes, instruments, closed).await?)
            })
        };
        Ok(Self {
            address,
            closing,
            stopping,
            http,
            tasks,
        })
    }

    /// Where the HTTP interface listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Runs until `asked` completes or a role ends by itself, which is a failure, and then stops.
    async fn until(mut self, asked: impl Future<Output = ()>) -> anyhow::Result<()> {
        let failed = tokio::select! {
            () = asked => None,
            failed = first_to_end(&mut self.tasks) => Some(failed),
            ended = &mut self.http => return ended?.context("the HTTP interface ended"),
        };
        let stopped = self.stop().await;
        failed.map_or(stopped, Err)
    }

    /// Stops in three steps: nothing new is accepted; running requests finish within their bound; the roles finish the
    /// batch in hand and leave.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.closing.cancel();
        let mut result = flat(self.http.await);
        self.stopping.cancel();
        let deadline = Instant::now() + STOP_LIMIT;
        for mut task in self.tasks.into_iter().filter(|task| !task.is_finished()) {
            let ended = match timeout_at(deadline, &mut task).await {
                Ok(ended) => flat(ended),
                // What it had not stored is done again by the next one, as after a crash.
                Err(_) => Err(anyhow::anyhow!("a role did not end within {STOP_LIMIT:?}")),
            };
            if let Err(error) = &ended {
                tracing::error!(error = %error, "a role did not end in order");
            }
            result = result.and(ended);
        }
        result
    }
}

/// Keeps people out of this process's memory who were erased by another. The API does so by itself.
async fn forget_as_others_do(stack: &Stack, stopping: CancellationToken) -> anyhow::Result<()> {
    let memory = command_api::erasure::Memory {
        executor: stack.executor.clone(),
        edge: None,
    };
    let head = stack.log.head().await?;
    tokio::spawn(async move { stopping.run_until_cancelled(memory.follow(head)).await });
    Ok(())
}

/// A broker that is not there now is no reason not to start: commands are taken, and readiness says what is missing.
async fn declare(bus: &Bus) -> anyhow::Result<()> {
    match bus.declare(&workers::topology()).await {
        Err(error @ BusError::Unavailable(_)) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the broker cannot be reached; starting without it"
            );
            Ok(())
        }
        declared => Ok(declared?),
    }
}

fn flat(ended: Result<anyhow::Result<()>, tokio::task::JoinError>) -> anyhow::Result<()> {
    ended?
}

async fn first_to_end(tasks: &mut [Task]) -> anyhow::Error {
    let ended = std::future::poll_fn(|context| {
        for task in tasks.iter_mut() {
            if let std::task::Poll::Ready(ended) = std::pin::Pin::new(task).poll(context) {
                return std::task::Poll::Ready(ended);
            }
        }
        std::task::Poll::Pending
    });
    match ended.await {
        Ok(Ok(())) => anyhow::anyhow!("a role ended although nobody asked it to"),
        Ok(Err(error)) => error,
        Err(panic) => panic.into(),
    }
}

async fn api_state(
    stack: &Stack,
    sealer: Sealer,
    serving: &Serving,
    probes: Vec<Probe>,
    instruments: Arc<Registry>,
) -> anyhow::Result<ApiState> {
    let views = stack.views.reader();
    let parts = ApiParts {
        log: stack.log.clone(),
        keys: stack.keys.clone(),
        executor: stack.executor.clone(),
        catalogue: CatalogueHandle::new(stack.log.clone(), views.clone(), stack.catalogues.clone()),
        views,
        sealer,
        probes,
        instruments,
    };
    let config = ApiConfig {
        throttle: (serving.throttle == Switch::On).then(ThrottleConfig::default),
        drain_delay: Duration::from_secs(serving.drain_delay_s),
        drain_timeout: Duration::from_secs(serving.drain_timeout_s),
        ..ApiConfig::default()
    };
    Ok(ApiState::start(parts, config).await?)
}
