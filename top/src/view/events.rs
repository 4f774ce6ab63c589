//! The last events.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Rect};
use ratatui::widgets::{Row, Table, Widget};

use super::format::count;
use super::section::section;
use crate::event::EventLine;
use crate::summary::Summary;

/// Columns of a position: a log of 999 million records.
const POSITION: u16 = 11;
/// Columns of a time of day.
const TIME: u16 = 8;
/// Columns of the longest type.
const TYPE: u16 = 25;
/// Columns before the stream, each with its space.
const BEFORE_STREAM: u16 = POSITION + 1 + TIME + 1 + TYPE + 1;
/// A stream's name is not shortened further.
const STREAM_MIN: usize = 20;

/// The page: all that are kept, from the line `first` on.
pub(super) fn draw(summary: &Summary, first: usize, area: Rect, buffer: &mut Buffer) {
    let first = first.min(summary.events.len().saturating_sub(1));
    list(summary, first, area, buffer);
}

/// The part: as many as there is room for.
pub(super) fn list(summary: &Summary, first: usize, area: Rect, buffer: &mut Buffer) {
    let title = match summary.events_state.as_str() {
        "" => "Last events".to_owned(),
        state => format!("Last events ({state})"),
    };
    let area = section(&title, area, buffer);
    let room = usize::from(area.width.saturating_sub(BEFORE_STREAM)).max(STREAM_MIN);
    let rows = summary.events.iter().skip(first).take(area.height.into());
    let rows = rows.map(|event| row(event, room));
    let widths = [
        Constraint::Length(POSITION),
        Constraint::Length(TIME),
        Constraint::Length(TYPE),
        Constraint::Min(0),
    ];
    Table::new(rows, widths).render(area, buffer);
}

fn row(event: &EventLine, room: usize) -> Row<'static> {
    let position = count(Some(event.position as f64));
    Row::new([
        format!("{position:>width$}", width = usize::from(POSITION)),
        clock(&event.time).to_owned(),
        event.event_type.clone(),
        shortened(&event.stream, room),
    ])
}

/// A stream's name in `room` columns: its category and the end of its id, which is what tells one from another.
fn shortened(stream: &str, room: usize) -> String {
    let length = stream.chars().count();
    if length <= room {
        return stream.to_owned();
    }
    let category = stream.split_once('-').map_or("", |(category, _)| category);
    let kept = room.saturating_sub(category.chars().count() + 2);
    let end: String = stream.chars().skip(length - kept.min(length)).collect();
    format!("{category}-…{end}")
}

/// The time of day of an RFC 3339 time.
fn clock(time: &str) -> &str {
    time.get(11..19).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_is_too_long_keeps_its_category_and_the_end_of_its_id() {
        let stream = "listener-0190c7a4-0000-7000-8000-00000000abcd";
        assert_eq!(shortened(stream, 45), stream);
        assert_eq!(shortened(stream, 20), "listener-…000000abcd");
        assert_eq!(shortened("odd", 2), "-…");
    }
}
