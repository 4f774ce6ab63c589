//! Rates, the log, what follows it, and the last events.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Style, Stylize};
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Row, Table, Widget};

use super::events;
use super::format::{DASH, age, count, duration, rate, spark};
use super::section::{alarming, section};
use crate::summary::{Follower, LogFigures, Summary};

/// Rows of the two parts at the top, with their title.
const FIGURES_ROWS: u16 = 8;
/// Columns of the bars of the log's growth.
const BARS: usize = 12;
/// A fingerprint is known by its beginning.
const FINGERPRINT_SHOWN: usize = 12;
/// Last events that text without a terminal shows.
const EVENTS_PLAIN: u16 = 5;

/// How many rows the whole takes.
pub(super) fn rows_needed(summary: &Summary) -> u16 {
    let followers = u16::try_from(summary.followers.len()).unwrap_or(u16::MAX);
    followers.saturating_add(1 + FIGURES_ROWS + 2 + 1 + EVENTS_PLAIN)
}

pub(super) fn draw(summary: &Summary, area: Rect, buffer: &mut Buffer) {
    let followers = u16::try_from(summary.followers.len().max(1)).unwrap_or(u16::MAX);
    let rows = Layout::vertical([
        Constraint::Length(FIGURES_ROWS),
        Constraint::Length(followers.saturating_add(2)),
        Constraint::Min(0),
    ]);
    let [figures, behind, last] = rows.areas(area);
    let columns = Layout::horizontal([Constraint::Percentage(50), Constraint::Percentage(50)]);
    let [left, right] = columns.areas(figures);
    rates(summary, left, buffer);
    log(&summary.log, right, buffer);
    following(&summary.followers, behind, buffer);
    events::list(summary, 0, last, buffer);
}

fn rates(summary: &Summary, area: Rect, buffer: &mut Buffer) {
    let area = section("Each second", area, buffer);
    let rates = &summary.rates;
    let with_p99 =
        |name: &str, value, p99| Line::from(format!("{name:<10}{:>10}  p99 {}", rate(value), duration(p99)));
    let alone = |name: &str, value| Line::from(format!("{name:<10}{:>10}", rate(value)));
    let is_some = |value: Option<f64>| value.is_some_and(|value| value > 0.0);
    let growth = spark(&summary.history, BARS);
    let lines = vec![
        with_p99("requests", rates.requests_per_s, rates.request_p99_s),
        alarming(
            alone("  failed", rates.failures_per_s),
            is_some(rates.failures_per_s),
        ),
        with_p99("appends", rates.appends_per_s, rates.append_p99_s),
        alarming(
            alone("  failed", rates.append_failures_per_s),
            is_some(rates.append_failures_per_s),
        ),
        Line::from(format!(
            "{:<10}{:>10}  {growth}",
            "records",
            rate(rates.records_per_s)
        )),
        with_p99("playlists", rates.playlists_per_s, rates.playlist_p99_s),
        Line::from(format!(
            "{:<10}{:>10}  waiting",
            "passwords",
            count(rates.passwords_waiting)
        )),
    ];
    Paragraph::new(lines).render(area, buffer);
}

fn log(log: &LogFigures, area: Rect, buffer: &mut Buffer) {
    let area = section("Log", area, buffer);
    let line = |name: &str, value: String, more: String| Line::from(format!("{name:<11}{value:>12}  {more}"));
    let behind = log
        .head
        .zip(log.tree_size)
        .map(|(head, size)| (head - size).max(0.0));
    let tree = match (log.seal_failed, behind) {
        (Some(true), _) => "sealing failed".to_owned(),
        (_, Some(behind)) => format!("{} behind", count(Some(behind))),
        (_, None) => String::new(),
    };
    let signed = log
        .checkpoint_age_s
        .map_or_else(String::new, |seconds| format!("{} old", age(Some(seconds))));
    let (bus, registry) = (
        word(log.bus_connected, ["away", "connected"]),
        word(log.registry_well, ["in trouble", "well"]),
    );
    let lines = vec![
        line("head", count(log.head), String::new()),
        alarming(
            line("tree", count(log.tree_size), tree),
            log.seal_failed == Some(true),
        ),
        line("checkpoint", count(log.checkpoint_size), signed),
        alarming(line("bus", bus, String::new()), log.bus_connected == Some(false)),
        line("model", model(log), String::new()),
        alarming(
            line("registry", registry, String::new()),
            log.registry_well == Some(false),
        ),
        line("catalogue", count(log.catalogue_tracks), "tracks".to_owned()),
    ];
    Paragraph::new(lines).render(area, buffer);
}

fn word(value: Option<bool>, [no, yes]: [&str; 2]) -> String {
    value
        .map_or(DASH, |value| if value { yes } else { no })
        .to_owned()
}

fn model(log: &LogFigures) -> String {
    let short = |model: &String| model.chars().take(FINGERPRINT_SHOWN).collect::<String>();
    match &log.models[..] {
        [] => DASH.to_owned(),
        [one] => short(one),
        several => format!("{} at once", several.len()),
    }
}

fn following(followers: &[Follower], area: Rect, buffer: &mut Buffer) {
    let area = section("Behind the log", area, buffer);
    let header = ["", "", "position", "behind", "oldest", "retrying", "dead letters"];
    let header = Row::new(header.map(right)).dim();
    let widths = [11, 15, 11, 9, 9, 10, 13].map(Constraint::Length);
    Table::new(followers.iter().map(row), widths)
        .header(header)
        .column_spacing(0)
        .render(area, buffer);
}

fn right(text: impl Into<String>) -> Line<'static> {
    Line::from(text.into()).right_aligned()
}

fn row(follower: &Follower) -> Row<'static> {
    let is_set_aside = follower.dead_letters.is_some_and(|letters| letters > 0.0);
    let style = match follower.is_well {
        Some(false) => Style::new().red(),
        _ if is_set_aside => Style::new().yellow(),
        _ => Style::new(),
    };
    let numbers = [
        count(follower.position),
        count(follower.lag_events),
        duration(follower.lag_seconds),
        count(follower.retrying),
        count(follower.dead_letters),
    ];
    let words = [follower.kind.as_str().to_owned(), follower.name.clone()].map(Line::from);
    Row::new(words.into_iter().chain(numbers.map(right))).style(style)
}
