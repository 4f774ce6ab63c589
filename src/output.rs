//! What tools print: lines for a person or one JSON document on standard output; progress and failures on standard error.

use std::io::{IsTerminal, Write, stderr, stdout};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::settings::Format;

/// Where a tool's result goes, and in which form.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    format: Format,
}

impl Output {
    pub(crate) fn new(format: Format) -> Self {
        Self { format }
    }

    /// Prints `value` as JSON, or what `text` makes of it.
    pub(crate) fn print<T: Serialize>(
        self,
        value: &T,
        text: impl FnOnce(&T) -> String,
    ) -> anyhow::Result<()> {
        let printed = match self.format {
            Format::Text => text(value),
            Format::Json => serde_json::to_string_pretty(value)?,
        };
        write_line(printed.trim_end()).map(drop)
    }

    /// Prints `value` as one line of JSON, or what `text` makes of it, at once. False when nobody reads it any more.
    pub(crate) fn line<T: Serialize>(
        self,
        value: &T,
        text: impl FnOnce(&T) -> String,
    ) -> anyhow::Result<bool> {
        match self.format {
            Format::Text => write_line(&text(value)),
            Format::Json => write_line(&serde_json::to_string(value)?),
        }
    }

    /// Prints each of `values` as one line of JSON, or what `text` makes of them together.
    pub(crate) fn print_lines<T: Serialize>(
        self,
        values: &[T],
        text: impl FnOnce(&[T]) -> String,
    ) -> anyhow::Result<()> {
        match self.format {
            Format::Text => write_line(text(values).trim_end()).map(drop),
            Format::Json => {
                for value in values {
                    if !write_line(&serde_json::to_string(value)?)? {
                        break;
                    }
                }
                Ok(())
            }
        }
    }
}

/// Writes a line to standard output. A reader that closed the pipe has seen what it wanted: then the answer is false.
fn write_line(line: &str) -> anyhow::Result<bool> {
    let mut out = stdout().lock();
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Says on standard error why a command failed, with its causes.
pub(crate) fn complain(error: &anyhow::Error) {
    let mut sentence = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if !sentence.ends_with(&cause) {
            sentence = if sentence.is_empty() {
                cause
            } else {
                format!("{sentence}: {cause}")
            };
        }
    }
    // Nobody is left to tell when standard error is closed.
    let _ = writeln!(stderr().lock(), "segue: {sentence}");
}

/// Says something on standard error that is not part of the result.
pub(crate) fn remark(sentence: &str) {
    let _ = writeln!(stderr().lock(), "{sentence}");
}

/// A line on standard error that says how far a long piece of work is: rewritten in place on a terminal,
/// otherwise a line every few seconds.
pub(crate) struct Progress {
    what: &'static str,
    every: Duration,
    last: Instant,
}

impl Progress {
    /// `what` follows the number, as in `20000 lines read`.
    pub(crate) fn of(what: &'static str) -> Self {
        let every = if stderr().is_terminal() {
            Duration::from_millis(100)
        } else {
            Duration::from_secs(2)
        };
        Self {
            what,
            every,
            last: Instant::now(),
        }
    }

    /// Says how far it is, if it has not been said just now.
    pub(crate) fn at(&mut self, count: u64) {
        if self.last.elapsed() < self.every {
            return;
        }
        self.last = Instant::now();
        let end = if stderr().is_terminal() { "\r" } else { "\n" };
        let _ = write!(stderr().lock(), "{count} {}{end}", self.what);
    }
}

/// How often work that is watched is looked at.
const WATCH_EVERY: Duration = Duration::from_millis(100);

/// How far a piece of work of known length is, on standard error: a bar on a terminal, otherwise a line every few
/// seconds.
pub(crate) struct Bar {
    what: &'static str,
    started: Instant,
    last: Option<Instant>,
}

impl Bar {
    const WIDTH: u64 = 30;

    /// `what` follows the numbers, as in `20 of 400 cells`.
    pub(crate) fn of(what: &'static str) -> Self {
        Self {
            what,
            started: Instant::now(),
            last: None,
        }
    }

    /// Says how far it is, if it has not been said just now; the end is always said.
    pub(crate) fn at(&mut self, done: u64, total: u64) {
        let is_terminal = stderr().is_terminal();
        let every = Duration::from_millis(if is_terminal { 100 } else { 5_000 });
        if done < total && self.last.is_some_and(|last| last.elapsed() < every) {
            return;
        }
        self.last = Some(Instant::now());
        let left = self.started.elapsed().as_secs_f64() * (total - done) as f64 / done.max(1) as f64;
        let said = format!("{done} of {total} {}, about {left:.0} s left", self.what);
        let filled = (Self::WIDTH * done / total.max(1)) as usize;
        let bar = format!("[{:<width$}]", "#".repeat(filled), width = Self::WIDTH as usize);
        let _ = match (is_terminal, done < total) {
            (false, _) => writeln!(stderr().lock(), "{said}"),
            (true, true) => write!(stderr().lock(), "\r{bar} {said}   "),
            (true, false) => writeln!(stderr().lock(), "\r{bar} {said}   "),
        };
    }
}

/// A count with the noun that it counts, as in `1 playlist` and `2 playlists`.
pub(crate) fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Rows as aligned columns under a header.
pub(crate) fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([header[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let padded: Vec<String> = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}", width = *width))
            .collect();
        padded.join("  ").trim_end().to_owned()
    };
    let body = rows
        .iter()
        .map(|row| line(row.iter().map(String::as_str).collect()));
    std::iter::once(line(header.to_vec()))
        .chain(body)
        .collect::<Vec<_>>()
        .join("\n")
}

/// Does `work` and says meanwhile how far it is: `count` of `total`, or without a total `count` alone.
pub(crate) async fn watching<T>(
    what: &'static str,
    total: Option<u64>,
    count: &AtomicU64,
    work: impl Future<Output = T>,
) -> T {
    let (mut bar, mut progress) = (Bar::of(what), Progress::of(what));
    let mut ticks = tokio::time::interval(WATCH_EVERY);
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            _ = ticks.tick() => {}
        }
        let counted = count.load(Ordering::Relaxed);
        match total {
            _ if counted == 0 => {}
            // A log that grows meanwhile may give more than there were.
            Some(total) => bar.at(counted.min(total.saturating_sub(1)), total),
            None => progress.at(counted),
        }
    }
}
