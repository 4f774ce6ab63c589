//! The roles of a process, and how each is started.

use anyhow::Context;
use command_api::Probe;
use eventing::bus::Bus;
use eventing::relay::{Relay, RelayStart};
use eventing::sealer::Sealer;
use prometheus_client::registry::Registry;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use workers::{
    ClassifierSettings, ClassifierWorker, CompanionsSettings, CompanionsTask, Library, ModelInfo, Parts,
    UsermanagementWorker,
};

use crate::measures;
use crate::probes;
use crate::stack::Stack;

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Takes commands and answers queries, publishes the log, and seals it.
    Rest,
    /// Keeps the views of accounts and sessions.
    Usermanagement,
    /// Keeps the views of taste and playlists, and makes playlists.
    Classifier,
}

impl Role {
    /// A process that does everything.
    pub(crate) const ALL: &[Self] = &[Self::Rest, Self::Usermanagement, Self::Classifier];

    /// The command that runs it alone.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rest => "rest",
            Self::Usermanagement => "usermanagement",
            Self::Classifier => "classifier",
        }
    }
}

/// What a part's task hands back.
pub(crate) type Task = JoinHandle<anyhow::Result<()>>;

/// The parts behind the HTTP interface, running.
pub(crate) struct Started {
    pub(crate) tasks: Vec<Task>,
    pub(crate) probes: Vec<Probe>,
    /// What the process counts, for `/metrics`.
    pub(crate) instruments: Registry,
}

/// Starts what runs behind the HTTP interface. Each ends when `stopping` is cancelled.
pub(crate) fn start(
    stack: &Stack,
    sealer: &Sealer,
    bus: &Bus,
    roles: &[Role],
    stopping: &CancellationToken,
) -> anyhow::Result<Started> {
    let mut started = Started {
        tasks: Vec::new(),
        probes: probes::of_stack(stack, bus, roles),
        instruments: measures::of_process(stack),
    };
    let parts = Parts {
        log: stack.log.clone(),
        keys: stack.keys.clone(),
        executor: stack.executor.clone(),
        views: stack.views.clone(),
        bus: bus.clone(),
    };
    for role in roles {
        match role {
            Role::Rest => {
                started.relay(stack, bus, stopping.clone());
                started.sealer(sealer.clone(), stopping.clone());
            }
            Role::Usermanagement => started.usermanagement(&parts, stopping.clone())?,
            Role::Classifier => started.classifier(&parts, stack, stopping.clone())?,
        }
    }
    Ok(started)
}

impl Started {
    fn relay(&mut self, stack: &Stack, bus: &Bus, stopping: CancellationToken) {
        let start = match bus {
            Bus::InProcess(_) => RelayStart::Head,
            Bus::RabbitMq(_) => RelayStart::Noted,
        };
        let relay = Relay::new(stack.log.clone(), bus.clone(), start);
        self.probes.push(probes::relay(relay.status(), stack.log.clone()));
        self.spawn("the relay failed", relay.run(stopping));
    }

    fn sealer(&mut self, sealer: Sealer, stopping: CancellationToken) {
        if sealer.verifier().is_none() {
            tracing::warn!(
                "SEGUE_AUDIT_KEY and SEGUE_AUDIT_KEY_FILE are not set: the log can be proved, and no checkpoint is signed"
            );
        }
        self.probes.push(probes::sealer(sealer.clone()));
        self.spawn("the log is not sealed", async move {
            sealer.run(stopping).await;
            anyhow::Ok(())
        });
    }

    fn usermanagement(&mut self, parts: &Parts, stopping: CancellationToken) -> anyhow::Result<()> {
        let worker = UsermanagementWorker::new(parts)?;
        self.probes
            .push(probes::consumer("usermanagement", worker.status()));
        self.spawn("the role usermanagement failed", worker.run(stopping));
        Ok(())
    }

    fn classifier(
        &mut self,
        parts: &Parts,
        stack: &Stack,
        stopping: CancellationToken,
    ) -> anyhow::Result<()> {
        let library = Library::new(
            stack.log.clone(),
            stack.registry.clone(),
            stack.catalogues.clone(),
        );
        self.probes.push(probes::models(library.health()));
        ModelInfo::new(library.health()).register(measures::ours(&mut self.instruments));
        let following = library.clone().follow(stopping.clone());
        self.spawn("the registry of models is not followed", async move {
            following.await;
            anyhow::Ok(())
        });
        self.companions(parts, stack, stopping.clone());
        let worker = ClassifierWorker::new(parts, library, ClassifierSettings::default())?;
        self.probes.push(probes::consumer("classifier", worker.status()));
        worker.measures().register(measures::ours(&mut self.instruments));
        self.spawn("the role classifier failed", worker.run(stopping));
        Ok(())
    }

    fn companions(&mut self, parts: &Parts, stack: &Stack, stopping: CancellationToken) {
        let task = CompanionsTask::new(parts, CompanionsSettings::default());
        self.probes
            .push(probes::companions(task.status(), stack.log.clone()));
        self.spawn("companions are not kept up", async move {
            task.run(stopping).await;
            anyhow::Ok(())
        });
    }

    fn spawn<E>(&mut self, failure: &'static str, work: impl Future<Output = Result<(), E>> + Send + 'static)
    where
        Result<(), E>: Context<(), E>,
    {
        self.tasks
            .push(tokio::spawn(async move { work.await.context(failure) }));
    }
}
