//! `segue dead-letters`: events that a consumer set aside for a person.

use anyhow::Context;
use eventing::dead_letters::DeadLetters;
use eventing::{DeadLetterKey, DeadLetterRow, StreamId, Version};
use serde::Serialize;

use crate::Outcome;
use crate::cli::{DeadLetterName, DeadLettersCommand};
use crate::output::{Output, table};
use crate::settings::Settings;
use crate::stack::Stack;

/// More than anybody reads; a log with more has one cause for all of them.
const LISTED_MAX: usize = 1_000;

#[derive(Serialize)]
struct Shown {
    consumer: String,
    stream: String,
    version: u64,
    position: u64,
    state: &'static str,
    reason: String,
    attempts: u32,
    last_error: String,
    first_at: String,
}

pub(crate) async fn run(
    settings: &Settings,
    output: Output,
    command: DeadLettersCommand,
) -> anyhow::Result<Outcome> {
    let letters = DeadLetters::new(Stack::open(settings).await?.log);
    match command {
        DeadLettersCommand::List => {
            let rows = letters.list(None, LISTED_MAX).await?;
            let shown: Vec<Shown> = rows.into_iter().map(Shown::from).collect();
            output.print(&shown, |shown| list_text(shown))?;
        }
        DeadLettersCommand::Show(name) => {
            let key = key_of(&name)?;
            let shown = letters.show(&key).await?.with_context(|| missing(&key))?;
            output.print(&Shown::from(shown.row), Shown::text)?;
        }
        DeadLettersCommand::Retry(name) => {
            let key = key_of(&name)?;
            letters.retry(&key).await?;
            output.print(&"retrying", |_| {
                format!("{} {} will be handled again", key.stream, key.version)
            })?;
        }
        DeadLettersCommand::Skip(name) => {
            let key = key_of(&name)?;
            letters.skip(&key).await?;
            output.print(&"skipped", |_| {
                format!("{} {} is given up", key.stream, key.version)
            })?;
        }
    }
    Ok(Outcome::Done)
}

fn key_of(name: &DeadLetterName) -> anyhow::Result<DeadLetterKey> {
    let stream = StreamId::parse(&name.stream)?;
    Ok(DeadLetterKey {
        consumer: name.consumer.clone(),
        stream,
        version: Version(name.version),
    })
}

fn missing(key: &DeadLetterKey) -> String {
    format!(
        "{} set aside no version {} of {}",
        key.consumer, key.version, key.stream
    )
}

impl From<DeadLetterRow> for Shown {
    fn from(row: DeadLetterRow) -> Self {
        Self {
            consumer: row.key.consumer,
            stream: row.key.stream.to_string(),
            version: row.key.version.get(),
            position: row.position.get(),
            state: row.state.as_str(),
            reason: row.reason,
            attempts: row.attempts,
            last_error: row.last_error,
            first_at: row.first_at.to_rfc3339(),
        }
    }
}

impl Shown {
    fn text(&self) -> String {
        format!(
            "{} {} version {} at position {}\nstate {}, tried {} times since {}\n{}: {}",
            self.consumer,
            self.stream,
            self.version,
            self.position,
            self.state,
            self.attempts,
            self.first_at,
            self.reason,
            self.last_error
        )
    }
}

fn list_text(shown: &[Shown]) -> String {
    if shown.is_empty() {
        return "no dead letters".to_owned();
    }
    let row = |shown: &Shown| {
        let numbers = [shown.version, u64::from(shown.attempts)].map(|number| number.to_string());
        let [version, attempts] = numbers;
        let words = [&shown.consumer, &shown.stream].map(Clone::clone);
        let [consumer, stream] = words;
        vec![
            consumer,
            stream,
            version,
            shown.state.to_owned(),
            attempts,
            shown.reason.clone(),
        ]
    };
    let rows: Vec<_> = shown.iter().map(row).collect();
    table(
        &["consumer", "stream", "version", "state", "attempts", "reason"],
        &rows,
    )
}
