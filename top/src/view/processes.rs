//! Each process, and the parts of one of them.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Style, Stylize};
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Row, Table, Widget, Wrap};

use super::format::{age, mebibytes, rate, share};
use super::section::{alarming, section};
use crate::readiness::Check;
use crate::summary::{ProcessLine, Summary};

/// What stands above the columns, over the numbers at their right end.
const HEADER: [&str; 5] = ["process", " requests", "  cpu", "   memory", "state"];

/// The page; `chosen` is the process whose parts are shown.
pub(super) fn draw(summary: &Summary, chosen: usize, area: Rect, buffer: &mut Buffer) {
    let chosen = chosen.min(summary.processes.len().saturating_sub(1));
    let listed = u16::try_from(summary.processes.len())
        .unwrap_or(u16::MAX)
        .saturating_add(2);
    let rows = Layout::vertical([
        Constraint::Max(listed.min(area.height / 2 + 2)),
        Constraint::Min(0),
    ]);
    let [above, below] = rows.areas(area);
    list(&summary.processes, chosen, above, buffer);
    if let Some(process) = summary.processes.get(chosen) {
        parts(process, below, buffer);
    }
}

/// A line for each process that does not answer or is not ready.
pub(super) fn troubles(summary: &Summary) -> Vec<Line<'static>> {
    let troubled = summary.processes.iter().filter(|process| !process.is_ready);
    troubled
        .map(|process| Line::from(format!(" {} {}", process.url, state(process))))
        .collect()
}

fn list(processes: &[ProcessLine], chosen: usize, area: Rect, buffer: &mut Buffer) {
    let area = section("Processes", area, buffer);
    let header = Row::new(HEADER.map(Line::from)).dim();
    let room = usize::from(area.height.saturating_sub(1)).max(1);
    let first = (chosen + 1).saturating_sub(room);
    let rows = processes.iter().enumerate().skip(first).take(room);
    let rows = rows.map(|(at, process)| row(process, at == chosen));
    let widths = [
        Constraint::Length(28),
        Constraint::Length(9),
        Constraint::Length(5),
        Constraint::Length(9),
        Constraint::Min(16),
    ];
    Table::new(rows, widths).header(header).render(area, buffer);
}

fn row(process: &ProcessLine, is_chosen: bool) -> Row<'static> {
    let state = state(process);
    let style = match (process.answers, process.is_ready) {
        (true, true) => Style::new(),
        (true, false) => Style::new().yellow(),
        (false, _) => Style::new().red(),
    };
    let style = if is_chosen { style.bold() } else { style };
    let mark = if is_chosen { "> " } else { "  " };
    let numbers = [
        rate(process.requests_per_s),
        share(process.cores),
        mebibytes(process.memory_bytes),
    ];
    let numbers = numbers.map(|number| Line::from(number).right_aligned());
    let words = [format!("{mark}{}", process.url), state].map(Line::from);
    let [url, state] = words;
    let [requests, cores, memory] = numbers;
    Row::new([url, requests, cores, memory, state]).style(style)
}

fn state(process: &ProcessLine) -> String {
    let failing = process.failing().join(", ");
    match (&process.trouble, process.answers, process.is_ready) {
        (Some(why), _, _) => format!("away for {}: {why}", age(process.away_s)),
        (None, false, _) => "not asked yet".to_owned(),
        (None, true, true) => "ready".to_owned(),
        (None, true, false) => format!("not ready: {failing}"),
    }
}

fn parts(process: &ProcessLine, area: Rect, buffer: &mut Buffer) {
    let area = section(&format!("Parts of {}", process.url), area, buffer);
    let trouble = process.trouble.iter();
    let trouble = trouble.map(|why| alarming(Line::from(format!("does not answer: {why}")), true));
    let lines: Vec<Line<'static>> = trouble.chain(process.checks.iter().map(line)).collect();
    Paragraph::new(lines)
        .wrap(Wrap { trim: false })
        .render(area, buffer);
}

fn line(check: &Check) -> Line<'static> {
    let mark = if check.ok { "   " } else { "no " };
    alarming(
        Line::from(format!("{mark}{:<16} {}", check.name, check.detail)),
        !check.ok,
    )
}
