//! `segue topology apply`: the broker's exchange, queues and bindings.

use anyhow::Context;
use eventing::bus::{DEAD_QUEUE, EXCHANGE};
use serde::Serialize;

use crate::Outcome;
use crate::output::Output;
use crate::settings::Settings;
use crate::stack;

/// What is there now.
#[derive(Serialize)]
struct Applied {
    exchange: &'static str,
    queues: Vec<String>,
}

pub(crate) async fn apply(settings: &Settings, output: Output) -> anyhow::Result<Outcome> {
    let broker = settings
        .hosts
        .rabbitmq()?
        .context("RABBITMQ_HOST is not set; queues inside a process need no topology")?;
    let topology = workers::topology();
    stack::broker(broker).declare(&topology).await?;
    let queues = topology.queues.into_iter().map(|queue| queue.name);
    let applied = Applied {
        exchange: EXCHANGE,
        queues: queues.chain([DEAD_QUEUE.to_owned()]).collect(),
    };
    output.print(&applied, |applied| {
        format!(
            "exchange {} with the queues {}",
            applied.exchange,
            applied.queues.join(", ")
        )
    })?;
    Ok(Outcome::Done)
}
