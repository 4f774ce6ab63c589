//! The bus of the production stack: quorum queues of a RabbitMQ broker, 3.10 or newer, by plain AMQP 0-9-1.
//!
//! Publishing and consuming have a connection each, since a broker that is short of memory stops reading from those
//! that publish. Both are made at first use and again whenever they are lost ([`link`]); a call made meanwhile fails
//! within a bound. What was declared is remembered, and declared again on each new channel: a broker that lost its disk
//! gets its queues back.
//!
//! The broker counts deliveries and bounds lengths a little differently from queues in memory. A bound on the length is
//! soft: some messages more may be taken while those before are on their way.

mod config;
mod consume;
mod declare;
mod fault;
mod link;
mod publish;

use std::sync::Arc;

use lapin::{
    options::{BasicConsumeOptions, BasicQosOptions, ConfirmSelectOptions, QueueDeclareOptions},
    types::FieldTable,
};
use parking_lot::RwLock;

pub use self::config::RabbitMqConfig;
pub(super) use self::consume::{RabbitMqConsumer, Receipt};
use self::{
    fault::Fault,
    link::{Link, OpenChannel},
};
use super::{BusError, BusStatus, Confirmation, Depth, EXCHANGE, Topology};
use crate::RecordedEvent;

/// Queues of a broker. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RabbitMqBus(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Arc<RabbitMqConfig>,
    publishing: Link,
    consuming: Arc<Link>,
    topology: RwLock<Option<Topology>>,
    /// The channel that publishes, as long as nothing went wrong on it.
    window: tokio::sync::Mutex<Option<OpenChannel>>,
}

impl RabbitMqBus {
    pub(super) fn new(config: RabbitMqConfig) -> Self {
        let config = Arc::new(config);
        Self(Arc::new(Inner {
            publishing: Link::new(Arc::clone(&config), "publishing"),
            consuming: Arc::new(Link::new(Arc::clone(&config), "consuming")),
            config,
            topology: RwLock::new(None),
            window: tokio::sync::Mutex::new(None),
        }))
    }

    pub(super) fn status(&self) -> BusStatus {
        let used = [self.0.publishing.status(), self.0.consuming.status()];
        let mut used = used.into_iter().flatten().peekable();
        if used.peek().is_none() {
            return BusStatus::disconnected(std::time::SystemTime::now(), "no connection was needed yet");
        }
        used.find(|status| *status != BusStatus::Connected)
            .unwrap_or(BusStatus::Connected)
    }

    pub(super) async fn declare(&self, topology: &Topology) -> Result<(), BusError> {
        let before = self.0.topology.write().replace(topology.clone());
        let declared = self.declared_channel(&self.0.publishing).await.map(|_| ());
        if let Err(BusError::Conflict { .. }) = declared {
            *self.0.topology.write() = before;
        }
        declared
    }

    pub(super) async fn publish(&self, events: &[Arc<RecordedEvent>]) -> Result<Vec<Confirmation>, BusError> {
        let topology = self.topology()?;
        let mut window = self.0.window.lock().await;
        // Taken out until all went well, so that one that failed, or whose caller went away, is never used again.
        let open = match window.take().filter(OpenChannel::is_usable) {
            Some(open) => open,
            None => self.confirming_channel().await?,
        };
        if open.connection.status().blocked() {
            let why = "RabbitMQ takes no messages, since it is short of memory or disk";
            return Err(Fault::Away(why.to_owned()).into());
        }
        let link = &self.0.publishing;
        let publishing = publish::publish(&open.channel, &topology, events);
        match self.in_time(link, &open, EXCHANGE, publishing).await {
            Ok(confirmations) => {
                // What no queue takes may be due to a queue that somebody deleted: a new channel declares it again.
                if !confirmations.contains(&Confirmation::Unroutable) {
                    *window = Some(open);
                }
                Ok(confirmations)
            }
            Err(BusError::NotDeclared(name)) => {
                let why = format!("{name} was deleted; it is declared again");
                Err(Fault::Away(why).into())
            }
            Err(error) => Err(error),
        }
    }

    pub(super) async fn consume(&self, queue: &str, prefetch: usize) -> Result<RabbitMqConsumer, BusError> {
        let link = &self.0.consuming;
        let open = self.declared_channel(link).await?;
        let prefetch = u16::try_from(prefetch.max(1)).unwrap_or(u16::MAX);
        let name = declare::short(queue)?;
        let subscribing = async {
            let channel = &open.channel;
            channel.basic_qos(prefetch, BasicQosOptions::default()).await?;
            let options = BasicConsumeOptions::default();
            channel
                .basic_consume(name, "".into(), options, FieldTable::default())
                .await
        };
        let consumer = self.in_time(link, &open, queue, subscribing).await?;
        let look_every = self.0.config.look_every;
        Ok(RabbitMqConsumer::new(
            consumer,
            open,
            Arc::clone(link),
            usize::from(prefetch),
            look_every,
        ))
    }

    pub(super) async fn depth(&self, queue: &str) -> Result<Depth, BusError> {
        let link = &self.0.publishing;
        let open = link.channel().await?;
        let options = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        let name = declare::short(queue)?;
        let asking = open.channel.queue_declare(name, options, FieldTable::default());
        let found = self.in_time(link, &open, queue, asking).await?;
        Ok(Depth {
            ready: usize::try_from(found.message_count()).unwrap_or(usize::MAX),
            unacknowledged: None,
        })
    }

    fn topology(&self) -> Result<Topology, BusError> {
        let topology = self.0.topology.read().clone();
        topology.ok_or_else(|| BusError::NotDeclared(EXCHANGE.to_owned()))
    }

    /// A channel, after everything that was ever declared exists.
    async fn declared_channel(&self, link: &Link) -> Result<OpenChannel, BusError> {
        let open = link.channel().await?;
        let topology = self.0.topology.read().clone();
        if let Some(topology) = topology {
            let limit = self.0.config.answer_limit;
            match tokio::time::timeout(limit, declare::declare(&open.channel, &topology)).await {
                Ok(Ok(())) => {}
                Ok(Err(fault)) => return Err(after(link, &open, fault)),
                Err(_) => return Err(link.silent(&open.connection)),
            }
        }
        Ok(open)
    }

    async fn confirming_channel(&self) -> Result<OpenChannel, BusError> {
        let link = &self.0.publishing;
        let open = self.declared_channel(link).await?;
        let asking = open.channel.confirm_select(ConfirmSelectOptions::default());
        self.in_time(link, &open, EXCHANGE, asking).await?;
        Ok(open)
    }

    /// Awaits an answer about `name`; gives up the connection when none comes.
    async fn in_time<T>(
        &self,
        link: &Link,
        open: &OpenChannel,
        name: &str,
        asking: impl Future<Output = Result<T, lapin::Error>>,
    ) -> Result<T, BusError> {
        match tokio::time::timeout(self.0.config.answer_limit, asking).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(after(link, open, Fault::of_asking(name, &error))),
            Err(_) => Err(link.silent(&open.connection)),
        }
    }
}

/// What a failure on a channel means: also for its connection, when that is gone.
fn after(link: &Link, open: &OpenChannel, fault: Fault) -> BusError {
    if open.connection.status().connected() {
        return fault.into();
    }
    link.lost(&open.connection, fault)
}
