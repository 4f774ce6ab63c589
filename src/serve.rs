//! Composes the roles of one process, and ends them in order.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use command_api::{ApiConfig, ApiParts, ApiState, CatalogueHandle, ThrottleConfig};
use eventing::bus::Bus;
use eventing::relay::{Relay, RelayStart};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use workers::{ClassifierSettings, ClassifierWorker, Library, Parts, UsermanagementWorker};

use crate::Outcome;
use crate::cli::{Serving, Settings, Switch};
use crate::stack::Stack;

/// What a role's task hands back.
type Role = JoinHandle<anyhow::Result<()>>;

/// Everything in one process, running.
pub(crate) struct Running {
    address: SocketAddr,
    /// Ends the HTTP interface.
    closing: CancellationToken,
    /// Ends the roles behind it, which must outlive the last request.
    stopping: CancellationToken,
    api: Role,
    roles: Vec<Role>,
}

/// Serves until SIGTERM or SIGINT, or until a part fails.
pub(crate) async fn run(settings: &Settings, serving: &Serving) -> anyhow::Result<Outcome> {
    let stack = Stack::open(settings).await?;
    let running = Running::start(&stack, serving).await?;
    tracing::info!(
        address = %running.address,
        data = %settings.data.display(),
        forms = Stack::forms(),
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
    /// Starts the bus, the relay, both worker roles and the HTTP interface.
    pub(crate) async fn start(stack: &Stack, serving: &Serving) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(serving.listen);
        let listener = listener
            .await
            .with_context(|| format!("cannot listen on {}", serving.listen))?;
        let bus = Bus::in_process();
        bus.declare(&workers::topology()).await?;
        let parts = Parts {
            log: stack.log.clone(),
            keys: stack.keys.clone(),
            executor: stack.executor.clone(),
            views: stack.views.clone(),
            bus: bus.clone(),
        };
        let stopping = CancellationToken::new();
        let roles = start_roles(&parts, stack, bus, &stopping)?;
        let closing = CancellationToken::new();
        let api = api_state(stack, serving).await?;
        let address = listener.local_addr()?;
        let closed = closing.clone().cancelled_owned();
        let api = tokio::spawn(async move { Ok(command_api::serve(listener, api, closed).await?) });
        Ok(Self {
            address,
            closing,
            stopping,
            api,
            roles,
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
            failed = first_to_end(&mut self.roles) => Some(failed),
            ended = &mut self.api => return ended?.context("the HTTP interface ended"),
        };
        let stopped = self.stop().await;
        failed.map_or(stopped, Err)
    }

    /// Stops in three steps: nothing new is accepted; running requests finish within their bound; the roles finish the
    /// batch in hand and leave.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.closing.cancel();
        self.api.await??;
        self.stopping.cancel();
        for role in self.roles {
            if !role.is_finished() {
                role.await??;
            }
        }
        Ok(())
    }
}

async fn first_to_end(roles: &mut [Role]) -> anyhow::Error {
    let ended = std::future::poll_fn(|context| {
        for role in roles.iter_mut() {
            if let std::task::Poll::Ready(ended) = std::pin::Pin::new(role).poll(context) {
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

fn start_roles(
    parts: &Parts,
    stack: &Stack,
    bus: Bus,
    stopping: &CancellationToken,
) -> anyhow::Result<Vec<Role>> {
    let relay = Relay::new(stack.log.clone(), bus, RelayStart::Head);
    let accounts = UsermanagementWorker::new(parts)?;
    let library = Library::new(
        stack.log.clone(),
        stack.registry.clone(),
        stack.catalogues.clone(),
    );
    let classifier = ClassifierWorker::new(parts, library, ClassifierSettings::default())?;
    let [for_relay, for_accounts, for_classifier] = [(); 3].map(|()| stopping.clone());
    Ok(vec![
        tokio::spawn(async move { relay.run(for_relay).await.context("the relay failed") }),
        tokio::spawn(async move {
            accounts
                .run(for_accounts)
                .await
                .context("the role usermanagement failed")
        }),
        tokio::spawn(async move {
            classifier
                .run(for_classifier)
                .await
                .context("the role classifier failed")
        }),
    ])
}

async fn api_state(stack: &Stack, serving: &Serving) -> anyhow::Result<ApiState> {
    let views = stack.views.reader();
    let parts = ApiParts {
        log: stack.log.clone(),
        keys: stack.keys.clone(),
        executor: stack.executor.clone(),
        catalogue: CatalogueHandle::new(stack.log.clone(), views.clone(), stack.catalogues.clone()),
        views,
    };
    let config = ApiConfig {
        throttle: (serving.throttle == Switch::On).then(ThrottleConfig::default),
        drain_timeout: Duration::from_secs(serving.drain_timeout_s),
        ..ApiConfig::default()
    };
    Ok(ApiState::start(parts, config).await?)
}
