//! `segue top`: a live view of one or several processes.

mod log_events;

use std::io::{IsTerminal, stdout};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use tokio::sync::mpsc;
use top::{ProcessUrl, Told, Watching};

use crate::Outcome;
use crate::output::Output;
use crate::settings::{Format, Settings};

/// What is told of the events and waits to be shown.
const TOLD_MAX: usize = 1_024;
/// Columns where there is no terminal: the name of a stream is not shortened.
const PLAIN_COLUMNS: u16 = 100;

/// What is looked at.
#[derive(Debug, Args)]
pub(crate) struct TopArguments {
    /// A process, by where it listens; may be given several times.
    #[arg(long = "url", value_name = "URL", default_value = "http://127.0.0.1:5000")]
    urls: Vec<ProcessUrl>,
    /// How often each is asked, 1 to 60.
    #[arg(long = "interval", value_name = "SECONDS", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=60))]
    interval_s: u64,
    /// File whose first line is an auditor's token: the last events then come from the first process, and not from the log.
    #[arg(long, value_name = "FILE", conflicts_with = "no_events")]
    token_file: Option<PathBuf>,
    /// Shows no events. Following them is recorded in the log, as every reading of the history is.
    #[arg(long)]
    no_events: bool,
    /// Prints one frame and ends, as it does without a terminal. Exit status 1 when no process answers.
    #[arg(long)]
    once: bool,
}

pub(crate) async fn run(
    settings: &Settings,
    output: Output,
    arguments: TopArguments,
) -> anyhow::Result<Outcome> {
    let (sender, mut told) = mpsc::channel(TOLD_MAX);
    tell_events(settings, &arguments, sender)?;
    let watching = Watching {
        urls: arguments.urls,
        every: Duration::from_secs(arguments.interval_s),
    };
    if !arguments.once && settings.format == Format::Text && has_terminal() {
        top::live(watching, told).await?;
        return Ok(Outcome::Done);
    }
    let summary = top::once(&watching, &mut told).await;
    output.print(&summary, |summary| summary.text(PLAIN_COLUMNS))?;
    Ok(match summary.answering() {
        0 => Outcome::Refused,
        _ => Outcome::Done,
    })
}

fn has_terminal() -> bool {
    stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Begins to follow the events wherever they can be read. That they cannot is told in their place.
fn tell_events(
    settings: &Settings,
    arguments: &TopArguments,
    told: mpsc::Sender<Told>,
) -> anyhow::Result<()> {
    if arguments.no_events {
        told.try_send(Told::State("not asked for".to_owned()))?;
        return Ok(());
    }
    match (&arguments.token_file, arguments.urls.first()) {
        (Some(file), Some(url)) => {
            tokio::spawn(top::follow(url.clone(), token(file)?, told));
        }
        _ => {
            tokio::spawn(log_events::follow(settings.clone(), told));
        }
    }
    Ok(())
}

fn token(file: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("--token-file names {}, which cannot be read", file.display()))?;
    let token = text.lines().next().unwrap_or_default().trim();
    let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    anyhow::ensure!(
        is_token,
        "--token-file names {}, whose first line is no token",
        file.display()
    );
    Ok(token.to_owned())
}
