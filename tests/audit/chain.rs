//! A chain of causes that is longer than what is told at a time.

use anyhow::{Context, Result, ensure};
use eventing::{
    Append, CorrelationId, EventId, EventLog, ExpectedVersion, LogConfig, Metadata, NewEvent, SchemaVersion,
    StreamId,
};
use serde_json::Value;

use crate::history::Instance;

/// The records of the chain stand at the positions 2 to 1501.
const CHAIN: usize = 1_500;

async fn append_chain(instance: &Instance) -> Result<String> {
    let log = EventLog::open(LogConfig::new(instance.program.data())).await?;
    let (stream, chain) = (StreamId::new("test", EventId::new().0), CorrelationId::new());
    let event = |n| NewEvent::new("test.happened", SchemaVersion(1), format!("{{\"n\":{n}}}"));
    let events = (0..CHAIN).map(event).collect();
    let metadata = Metadata::correlated(chain);
    log.append(Append::new(stream, ExpectedVersion::NoStream, events, metadata))
        .await?;
    Ok(chain.to_string())
}

fn positions(chain: &Value) -> Result<Vec<u64>> {
    let roots = chain["roots"].as_array().context("roots")?;
    let positions = roots.iter().map(|root| root["position"].as_u64());
    positions.collect::<Option<_>>().context("positions")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_chain_goes_on_after_the_place_that_is_named() -> Result<()> {
    let instance = Instance::with(1).await?;
    let id = append_chain(&instance).await?;
    let chain = ["history", "--chain", &id];
    let text = instance.done(&chain).await?;
    ensure!(text.lines().count() == 1_001, "{}", text.lines().count());
    ensure!(
        text.trim_end().ends_with("there may be more: --after 1001"),
        "{text}"
    );
    let (_, first) = instance.json(&chain).await?;
    ensure!(positions(&first)? == (2..=1001).collect::<Vec<_>>());
    ensure!(first["complete"] == false && first["next_cursor"] == "1001");

    let rest = ["history", "--chain", &id, "--after", "1001"];
    let text = instance.done(&rest).await?;
    ensure!(text.lines().count() == 500 && !text.contains("more"), "{text}");
    let (_, rest) = instance.json(&rest).await?;
    ensure!(positions(&rest)? == (1002..=1501).collect::<Vec<_>>());
    ensure!(rest["complete"] == true && rest.get("next_cursor").is_none());

    let beyond = ["history", "--chain", &id, "--after", "1501"];
    let (status, _, said) = instance.audit(&beyond).await?;
    ensure!(
        status == 1 && said.contains("no record has the correlation id"),
        "{said}"
    );
    Ok(())
}
