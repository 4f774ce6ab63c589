//! `segue audit history`: what was recorded, as a table or as JSON lines; as it comes; or one request with all it caused.
//!
//! What is shown is what auditors see over HTTP: what listeners did is opened, identities stay sealed. Reading is recorded in
//! the access log before anything is printed; following is recorded once, as it begins.

use anyhow::{Context, anyhow, bail};
use command_api::chain::{Chain, Link};
use command_api::cloud_event::CloudEvent;
use command_api::selection::{Selected, Selection};
use domain::{AccessCall, Asked};
use eventing::{CorrelationId, EventFilter, Position, RecordedEvent};
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use uuid::Uuid;

use crate::Outcome;
use crate::access;
use crate::output::{Output, Progress, remark, table};
use crate::stack::Stack;

/// Records read at a time while following: what may be held in memory for a reader who is slow.
const READ_AT_A_TIME: usize = 256;

/// Which part of the history, and how.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct HistoryArguments {
    /// Only this stream, as `playlist-0198c5f2-...`.
    #[arg(long)]
    stream: Option<String>,
    /// Only what is about this person, by the id of the account.
    #[arg(long, value_name = "ACCOUNT")]
    subject: Option<String>,
    /// Only this type; with a dot at its end, all that start so, as `listener.`.
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Option<String>,
    /// Only what one request caused, by its correlation id.
    #[arg(long, value_name = "ID")]
    correlation: Option<String>,
    /// Only what was recorded at this RFC 3339 time or later.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only what was recorded before this RFC 3339 time.
    #[arg(long, value_name = "TIME", conflicts_with = "follow")]
    before: Option<String>,
    /// Only what stands after this position.
    #[arg(long, value_name = "POSITION")]
    after: Option<u64>,
    /// Only what stands up to this position.
    #[arg(long, value_name = "POSITION", conflicts_with = "follow")]
    until: Option<u64>,
    /// At most so many events, 1 to 100000.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000), conflicts_with = "follow")]
    limit: u32,
    /// Goes on with what is recorded from now on, or from `--after` or `--since` on, until interrupted.
    #[arg(long)]
    follow: bool,
    /// Shows one request and all that it caused, by its correlation id, as a tree.
    #[arg(long, value_name = "ID", conflicts_with_all = [
        "stream", "subject", "event_type", "correlation", "since", "before", "until", "limit", "follow",
    ])]
    chain: Option<Uuid>,
}

/// An event as it is printed.
#[derive(Serialize)]
#[serde(transparent)]
struct Line {
    event: CloudEvent,
    #[serde(skip)]
    columns: [String; 6],
}

const HEADER: [&str; 6] = ["position", "recorded at", "stream", "version", "type", "data"];

pub(crate) async fn run(
    stack: &Stack,
    output: Output,
    arguments: &HistoryArguments,
) -> anyhow::Result<Outcome> {
    if let Some(correlation) = arguments.chain {
        return chain(stack, output, correlation, arguments.after).await;
    }
    let selected = arguments.selection().understand();
    let selected = selected.map_err(|error| anyhow!("--{error}"))?;
    match arguments.follow {
        true => follow(stack, output, arguments, selected).await,
        false => list(stack, output, arguments, selected).await,
    }
}

impl HistoryArguments {
    fn selection(&self) -> Selection {
        Selection {
            stream: self.stream.clone(),
            subject: self.subject.clone(),
            event_type: self.event_type.clone(),
            correlation: self.correlation.clone(),
            since: self.since.clone(),
            before: self.before.clone(),
        }
    }
}

async fn list(
    stack: &Stack,
    output: Output,
    arguments: &HistoryArguments,
    selected: Selected,
) -> anyhow::Result<Outcome> {
    let filter = EventFilter {
        after: beginning(stack, arguments, &selected).await?.unwrap_or_default(),
        until: end(stack, arguments, &selected).await?,
        limit: arguments.limit as usize,
        ..selected.filter
    };
    let (events, goes_on) = tokio::select! {
        read = read(stack, filter) => read?,
        stopped = interrupted() => {
            stopped?;
            bail!("interrupted; nothing was printed");
        }
    };
    let asked = Asked {
        after: arguments.after,
        until: arguments.until,
        ..selected.asked
    };
    access::record(stack, AccessCall::EventsList, asked).await?;
    let mut lines = Vec::with_capacity(events.len());
    for event in &events {
        lines.push(Line::of(stack, event).await?);
    }
    output.print_lines(&lines, table_of)?;
    if let (true, Some(last)) = (goes_on, events.last()) {
        remark(&format!("there is more: --after {}", last.position));
    }
    Ok(Outcome::Done)
}

/// The events that `filter` lets through, and whether there are more.
async fn read(stack: &Stack, filter: EventFilter) -> anyhow::Result<(Vec<RecordedEvent>, bool)> {
    let mut progress = Progress::of("records looked through");
    let (mut events, mut after) = (Vec::new(), filter.after);
    loop {
        let part = EventFilter {
            after,
            limit: filter.limit + 1 - events.len(),
            ..filter.clone()
        };
        let found = stack.log.search(part).await?;
        events.extend(found.events);
        after = found.searched_to;
        let has_more = events.len() > filter.limit;
        if has_more || found.is_at_the_end {
            events.truncate(filter.limit);
            return Ok((events, has_more));
        }
        progress.at(after.get());
    }
}

/// Prints what is recorded, until interrupted or until nobody reads it any more.
async fn follow(
    stack: &Stack,
    output: Output,
    arguments: &HistoryArguments,
    selected: Selected,
) -> anyhow::Result<Outcome> {
    let mut head = stack.log.subscribe_head();
    let begins = beginning(stack, arguments, &selected).await?;
    let asked = Asked {
        after: arguments.after,
        ..selected.asked
    };
    let recorded = access::record(stack, AccessCall::EventsFollow, asked).await?;
    let mut filter = EventFilter {
        after: begins.unwrap_or(recorded),
        limit: READ_AT_A_TIME,
        ..selected.filter
    };
    let stopped = interrupted();
    tokio::pin!(stopped);
    loop {
        head.mark_unchanged();
        let found = tokio::select! {
            found = stack.log.search(filter.clone()) => found?,
            stopped = &mut stopped => return stopped.map(|()| Outcome::Done),
        };
        for event in &found.events {
            if !output.line(&Line::of(stack, event).await?, Line::text)? {
                return Ok(Outcome::Done);
            }
        }
        filter.after = found.searched_to;
        if !found.is_at_the_end {
            continue;
        }
        tokio::select! {
            moved = head.changed() => moved.context("the log is closed")?,
            stopped = &mut stopped => return stopped.map(|()| Outcome::Done),
        }
    }
}

async fn chain(
    stack: &Stack,
    output: Output,
    correlation: Uuid,
    after: Option<u64>,
) -> anyhow::Result<Outcome> {
    let from = after.map_or(Position::START, Position);
    let chain = Chain::read(&stack.log, CorrelationId(correlation), from).await?;
    let asked = Asked {
        after,
        ..Asked::correlation(correlation)
    };
    access::record(stack, AccessCall::CorrelationRead, asked).await?;
    let chain = chain.with_context(|| format!("no record has the correlation id {correlation}"))?;
    output.print(&chain, tree)?;
    Ok(Outcome::Done)
}

/// Completes at the first SIGINT or SIGTERM.
async fn interrupted() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Where to begin, if that was said: after a position, or at a time.
async fn beginning(
    stack: &Stack,
    arguments: &HistoryArguments,
    selected: &Selected,
) -> anyhow::Result<Option<Position>> {
    let after = arguments.after.map(Position);
    let since = match selected.asked.since {
        Some(since) => Some(stack.log.last_before(since).await?),
        None => None,
    };
    Ok(after.max(since))
}

async fn end(
    stack: &Stack,
    arguments: &HistoryArguments,
    selected: &Selected,
) -> anyhow::Result<Option<Position>> {
    let until = arguments.until.map(Position);
    let Some(before) = selected.asked.before else {
        return Ok(until);
    };
    let last = stack.log.last_before(before).await?;
    Ok(Some(until.map_or(last, |until| until.min(last))))
}

impl Line {
    async fn of(stack: &Stack, event: &RecordedEvent) -> anyhow::Result<Self> {
        let shown = CloudEvent::for_auditors(&stack.keys, event).await;
        let shown = shown.with_context(|| format!("position {} cannot be shown", event.position))?;
        let columns = [
            event.position.to_string(),
            event.recorded_at.format("%Y-%m-%d %H:%M:%S%.6fZ").to_string(),
            event.stream.to_string(),
            event.version.to_string(),
            event.event_type.clone(),
            shown.data_state().as_str().to_owned(),
        ];
        Ok(Self {
            event: shown,
            columns,
        })
    }

    /// One line, as wide as most are: following knows no later ones.
    fn text(&self) -> String {
        let [position, time, stream, version, event_type, data] = &self.columns;
        format!("{position:>9}  {time}  {stream:<46}  {version:>5}  {event_type:<25}  {data}")
    }
}

fn table_of(lines: &[Line]) -> String {
    if lines.is_empty() {
        return "no events".to_owned();
    }
    let rows: Vec<_> = lines.iter().map(|line| line.columns.to_vec()).collect();
    table(&HEADER, &rows)
}

/// Each record under its cause.
fn tree(chain: &Chain) -> String {
    let line = |(depth, link): (usize, &Link)| {
        format!(
            "{}{}  {}  {}  {}",
            "  ".repeat(depth),
            link.position,
            link.recorded_at.format("%Y-%m-%d %H:%M:%S%.6fZ"),
            link.event_type,
            link.stream,
        )
    };
    let mut lines: Vec<String> = chain.walk().into_iter().map(line).collect();
    if let Some(next) = &chain.next_cursor {
        lines.push(format!("there may be more: --after {next}"));
    }
    lines.join("\n")
}
