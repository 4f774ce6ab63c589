//! A part of a page: a rule with a title, and what stands below it.

use ratatui::buffer::Buffer;
use ratatui::layout::{Margin, Rect};
use ratatui::style::Stylize;
use ratatui::text::Line;
use ratatui::widgets::{Block, Borders, Widget};

/// Draws the rule and answers where the part's content goes.
pub(super) fn section(title: &str, area: Rect, buffer: &mut Buffer) -> Rect {
    let block = Block::new()
        .borders(Borders::TOP)
        .title(Line::from(format!(" {title} ").bold()));
    let inner = block.inner(area);
    block.render(area, buffer);
    inner.inner(Margin::new(1, 0))
}

/// A line in red where something is wrong, and as it is otherwise.
pub(super) fn alarming(line: Line<'static>, is_wrong: bool) -> Line<'static> {
    if is_wrong { line.red().bold() } else { line }
}
