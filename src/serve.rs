//! Composes the roles of one process, and ends them in order.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use command_api::{ApiConfig, ApiParts, ApiState, CatalogueHandle, Probe, ThrottleConfig};
use eventing::bus::Bus;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::Outcome;
use crate::roles::{self, Started, Task};
use crate::settings::{Serving, Settings, Switch};
use crate::stack::Stack;

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
pub(crate) async fn run(settings: &Settings, serving: &Serving) -> anyhow::Result<Outcome> {
    let stack = Stack::open(settings).await?;
    let running = Running::start(&stack, serving).await?;
    tracing::info!(
        address = %running.address,
        data = %settings.data.display(),
        forms = Stack::forms(settings),
        "Segue serves on http://{}",
        running.address
    );
    if serving.throttle == Switch::Off {
        tracing::warn!("THROTTLING IS OFF: sign-ins and registrations are not limited; for load tests only");
    }
    let asked = asked_to_stop()?;
    running.until(asked).await?;
    tracing::info!("Segue stopped; everything acknowledged is in the log");
    Ok(Outcome::Done)
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
    /// Starts the bus, the roles behind it, and the HTTP interface.
    pub(crate) async fn start(stack: &Stack, serving: &Serving) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(serving.listen);
        let listener = listener
            .await
            .with_context(|| format!("cannot listen on {}", serving.listen))?;
        let address = listener.local_addr()?;
        let bus = Bus::in_process();
        bus.declare(&workers::topology()).await?;
        let stopping = CancellationToken::new();
        let Started { tasks, probes } = roles::start(stack, &bus, &stopping)?;
        let closing = CancellationToken::new();
        let closed = closing.clone().cancelled_owned();
        let api = api_state(stack, serving, probes).await?;
        let http = tokio::spawn(async move { Ok(command_api::serve(listener, api, closed).await?) });
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
        self.http.await??;
        self.stopping.cancel();
        for task in self.tasks {
            if !task.is_finished() {
                task.await??;
            }
        }
        Ok(())
    }
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

async fn api_state(stack: &Stack, serving: &Serving, probes: Vec<Probe>) -> anyhow::Result<ApiState> {
    let views = stack.views.reader();
    let parts = ApiParts {
        log: stack.log.clone(),
        keys: stack.keys.clone(),
        executor: stack.executor.clone(),
        catalogue: CatalogueHandle::new(stack.log.clone(), views.clone(), stack.catalogues.clone()),
        views,
        probes,
    };
    let config = ApiConfig {
        throttle: (serving.throttle == Switch::On).then(ThrottleConfig::default),
        drain_delay: Duration::from_secs(serving.drain_delay_s),
        drain_timeout: Duration::from_secs(serving.drain_timeout_s),
        ..ApiConfig::default()
    };
    Ok(ApiState::start(parts, config).await?)
}
