//! One consumer of one queue, on a channel of its own.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _, future::OptionFuture};
use lapin::{
    Acker, Queue,
    message::Delivery as Received,
    options::{BasicAckOptions, BasicNackOptions, QueueDeclareOptions},
    types::FieldTable,
};
use tokio::time::error::Elapsed;

use super::{
    super::{BusError, Delivery, Malformed, envelope},
    fault::Fault,
    link::{Link, OpenChannel},
};
use crate::RecordedEvent;

/// Where RabbitMQ says how often a message came before.
const COUNT_HEADER: &str = "x-delivery-count";

/// See the module. Dropping it closes the channel, and the broker gives what is unacknowledged to others.
pub(in crate::bus) struct RabbitMqConsumer {
    consumer: lapin::Consumer,
    open: OpenChannel,
    link: Arc<Link>,
    prefetch: usize,
    /// Deliveries that were handed out and not answered.
    held: Arc<AtomicUsize>,
    look_every: Duration,
    next_look: Instant,
    /// The question to the queue that is not answered yet. It outlives the call that asked it.
    looking: Option<Looking>,
    /// Whether the last look found messages that should have come.
    is_suspicious: bool,
    /// Why it ended, once it has: nothing more ever comes.
    ended: Option<Fault>,
}

type Looking = Pin<Box<dyn Future<Output = Result<Result<Queue, lapin::Error>, Elapsed>> + Send>>;

impl std::fmt::Debug for RabbitMqConsumer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RabbitMqConsumer").finish_non_exhaustive()
    }
}

impl RabbitMqConsumer {
    pub(super) fn new(
        consumer: lapin::Consumer,
        open: OpenChannel,
        link: Arc<Link>,
        prefetch: usize,
        look_every: Duration,
    ) -> Self {
        Self {
            consumer,
            open,
            link,
            prefetch,
            held: Arc::default(),
            look_every,
            next_look: Instant::now() + look_every,
            looking: None,
            is_suspicious: false,
            ended: None,
        }
    }

    pub(in crate::bus) async fn next(&mut self, max: usize) -> Result<Vec<Delivery>, BusError> {
        let mut taken = Vec::new();
        while taken.is_empty() {
            if let Some(fault) = &self.ended {
                return Err(fault.clone().into());
            }
            tokio::select! {
                biased;
                next = self.consumer.next() => self.take(next, &mut taken, max),
                Some(answer) = OptionFuture::from(self.looking.as_mut()) => self.looked(answer),
                () = tokio::time::sleep_until(self.next_look.into()), if self.looking.is_none() => self.look(),
            }
        }
        self.next_look = Instant::now() + self.look_every;
        self.is_suspicious = false;
        Ok(taken)
    }

    /// Takes `next`, and what is there besides.
    fn take(
        &mut self,
        mut next: Option<Result<Received, lapin::Error>>,
        taken: &mut Vec<Delivery>,
        max: usize,
    ) {
        loop {
            match next {
                Some(Ok(received)) => taken.push(delivery(received, &self.held)),
                Some(Err(error)) => return self.end(Fault::Away(error.to_string())),
                None => return self.end(Fault::Away("RabbitMQ ended the subscription".to_owned())),
            }
            if taken.len() >= max {
                return;
            }
            let Some(more) = self.consumer.next().now_or_never() else {
                return;
            };
            next = more;
        }
    }

    /// Asks the queue, from which nothing came for a while, whether it has something.
    fn look(&mut self) {
        let options = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        let (channel, queue) = (self.open.channel.clone(), self.consumer.queue());
        let asking = async move { channel.queue_declare(queue, options, FieldTable::default()).await };
        let limit = self.link.answer_limit();
        self.looking = Some(Box::pin(tokio::time::timeout(limit, asking)));
    }

    /// Ends when the queue has something for the second time, or does not answer.
    fn looked(&mut self, answer: Result<Result<Queue, lapin::Error>, Elapsed>) {
        self.looking = None;
        self.next_look = Instant::now() + self.look_every;
        match answer {
            Ok(Ok(found)) => {
                let is_owed = found.message_count() > 0 && self.held.load(Ordering::Relaxed) < self.prefetch;
                if is_owed && self.is_suspicious {
                    self.end(Fault::Away(
                        "RabbitMQ has messages and does not send them".to_owned(),
                    ));
                }
                self.is_suspicious = is_owed;
            }
            Ok(Err(error)) => self.end(Fault::Away(error.to_string())),
            Err(Elapsed { .. }) => {
                let fault = self.link.silence();
                self.link.lost(&self.open.connection, fault.clone());
                self.end(fault);
            }
        }
    }

    fn end(&mut self, fault: Fault) {
        if !self.open.connection.status().connected() {
            self.link.lost(&self.open.connection, fault.clone());
        }
        self.ended = Some(fault);
    }
}

fn delivery(received: Received, held: &Arc<AtomicUsize>) -> Delivery {
    let attempt = attempt(&received);
    held.fetch_add(1, Ordering::Relaxed);
    let receipt = Receipt {
        acker: received.acker.clone(),
        held: Arc::clone(held),
    };
    Delivery::rabbitmq(content(received).map(Arc::new), attempt, receipt)
}

fn attempt(received: &Received) -> u32 {
    let headers = received.properties.headers().as_ref();
    let before = headers.and_then(|headers| headers.inner().get(COUNT_HEADER)?.as_long_long_int());
    u32::try_from(before.unwrap_or_default())
        .unwrap_or_default()
        .saturating_add(1)
}

fn content(received: Received) -> Result<RecordedEvent, Malformed> {
    let content_type = received.properties.content_type().as_ref();
    if content_type.map(|text| text.as_str()) != Some(envelope::CONTENT_TYPE) {
        return Err(Malformed(format!(
            "its content type is not {}",
            envelope::CONTENT_TYPE
        )));
    }
    let id = received.properties.message_id().as_ref().map(ToString::to_string);
    let event = envelope::read(&Bytes::from(received.data))?;
    if id.is_some_and(|id| id != event.id.to_string()) {
        return Err(Malformed("its message id is not its event's".to_owned()));
    }
    Ok(event)
}

/// The right to answer for one delivery, as long as its channel lives.
///
/// An answer is handed to the connection and not awaited: the broker never confirms it, and when the connection is
/// lost before it went out, the message comes again, as it may after any answer.
#[derive(Debug)]
pub(in crate::bus) struct Receipt {
    acker: Acker,
    held: Arc<AtomicUsize>,
}

impl Receipt {
    pub(in crate::bus) fn ack(self) -> Result<(), BusError> {
        self.held.fetch_sub(1, Ordering::Relaxed);
        handed_over(self.acker.ack(BasicAckOptions::default()).now_or_never())
    }

    pub(in crate::bus) fn nack(self, requeue: bool) -> Result<(), BusError> {
        let options = BasicNackOptions {
            requeue,
            ..BasicNackOptions::default()
        };
        self.held.fetch_sub(1, Ordering::Relaxed);
        handed_over(self.acker.nack(options).now_or_never())
    }
}

fn handed_over(answered: Option<Result<bool, lapin::Error>>) -> Result<(), BusError> {
    match answered {
        None | Some(Ok(true)) => Ok(()),
        Some(Ok(false)) => Err(Fault::Away("the delivery's channel is gone".to_owned()).into()),
        Some(Err(error)) => Err(Fault::Away(error.to_string()).into()),
    }
}
