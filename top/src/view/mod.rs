//! Frames: pure functions from the figures of a moment and what a person chose to see to what stands on the screen.

mod events;
mod format;
mod overview;
mod processes;
mod section;

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget};

use crate::screen::{Screen, Tab};
use crate::summary::Summary;

/// The keys, in the last line.
const KEYS: &str = " q quit   p pause   ←→ or Tab pages   ↑↓ lines";
/// The narrowest and lowest frame that is written where there is no terminal.
pub(crate) const PLAIN_SIZE: (u16, u16) = (80, 24);

/// Draws a frame over the whole of `buffer`.
pub(crate) fn draw(summary: &Summary, screen: &Screen, buffer: &mut Buffer) {
    let rows = Layout::vertical([Constraint::Length(1), Constraint::Min(0), Constraint::Length(1)]);
    let [head, body, foot] = rows.areas(buffer.area);
    header(summary, screen, head, buffer);
    match screen.tab {
        Tab::Overview => overview::draw(summary, body, buffer),
        Tab::Processes => processes::draw(summary, screen.line, body, buffer),
        Tab::Events => events::draw(summary, screen.line, body, buffer),
    }
    Line::from(KEYS.dim()).render(foot, buffer);
}

/// How many lines the page has that a person can move through.
pub(crate) fn lines(summary: &Summary, tab: Tab) -> usize {
    match tab {
        Tab::Overview => 0,
        Tab::Processes => summary.processes.len(),
        Tab::Events => summary.events.len(),
    }
}

/// The overview as lines of text, in `columns` and at least as many rows as it needs.
pub(crate) fn plain(summary: &Summary, columns: u16) -> String {
    let troubles = processes::troubles(summary);
    let troubled = u16::try_from(troubles.len()).unwrap_or(u16::MAX);
    let rows = overview::rows_needed(summary)
        .max(PLAIN_SIZE.1)
        .saturating_add(troubled);
    let mut buffer = Buffer::empty(Rect::new(0, 0, columns.max(PLAIN_SIZE.0), rows));
    let rows = [
        Constraint::Length(1),
        Constraint::Length(troubled),
        Constraint::Min(0),
    ];
    let [head, trouble, body] = Layout::vertical(rows).areas(buffer.area);
    Line::from(answering(summary)).render(head, &mut buffer);
    Paragraph::new(troubles).render(trouble, &mut buffer);
    overview::draw(summary, body, &mut buffer);
    text(&buffer)
}

fn text(buffer: &Buffer) -> String {
    let row = |y: u16| {
        let cells = (0..buffer.area.width).map(|x| buffer[(x, y)].symbol());
        cells.collect::<String>().trim_end().to_owned()
    };
    let rows: Vec<String> = (0..buffer.area.height).map(row).collect();
    rows.join("\n").trim_end().to_owned()
}

fn header(summary: &Summary, screen: &Screen, area: Rect, buffer: &mut Buffer) {
    let columns = Layout::horizontal([Constraint::Min(0), Constraint::Length(31)]);
    let [left, right] = columns.areas(area);
    let mut said = answering(summary);
    if screen.is_paused {
        // In the place of the gap: what is behind it may be cut off, and this must not be.
        said[1] = " PAUSED ".reversed();
        said.insert(1, " ".into());
        said.insert(3, " ".into());
    }
    Line::from(said).render(left, buffer);
    let tabs = Tab::ALL.map(|tab| {
        let title = format!(" {} ", tab.title());
        if tab == screen.tab {
            title.reversed()
        } else {
            title.dim()
        }
    });
    Line::from(tabs.to_vec()).right_aligned().render(right, buffer);
}

fn answering(summary: &Summary) -> Vec<Span<'static>> {
    let (answering, all) = (summary.answering(), summary.processes.len());
    let said = match all {
        1 if answering == 1 => "1 process answers".to_owned(),
        1 => "the process does not answer".to_owned(),
        _ => format!("{answering} of {all} processes answer"),
    };
    let style = if answering == all {
        Style::new().green()
    } else {
        Style::new().red().bold()
    };
    vec![" segue top".bold(), "   ".into(), Span::styled(said, style)]
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::event::{EventLine, Told};
    use crate::state::tests::{busy, moment};

    fn summary() -> Summary {
        let mut state = busy(4);
        state.told(Told::State("from the log".to_owned()));
        for position in 1..=40 {
            state.told(Told::Event(EventLine {
                position,
                time: "2026-11-26T10:00:00.123456Z".to_owned(),
                event_type: "listener.track_rated".to_owned(),
                stream: format!("listener-0190c7a4-0000-7000-8000-{position:012}"),
            }));
        }
        state.summary(moment(4))
    }

    /// What a terminal of this size shows.
    fn shown(summary: &Summary, screen: &Screen, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
        terminal
            .draw(|frame| draw(summary, screen, frame.buffer_mut()))
            .expect("it is drawn");
        text(terminal.backend().buffer())
    }

    fn page(tab: Tab) -> Screen {
        Screen {
            tab,
            ..Screen::default()
        }
    }

    #[test]
    fn the_overview_fits_a_small_terminal_with_all_its_figures() {
        let shown = shown(&summary(), &Screen::default(), 80, 24);
        let expected = include_str!("overview.txt").trim_end();
        assert_eq!(shown, expected, "\n{shown}\n");
    }

    #[test]
    fn a_figure_that_nobody_tells_is_a_dash() {
        let nothing = crate::state::State::new(["http://127.0.0.1:1"]).summary(moment(0));
        let shown = shown(&nothing, &Screen::default(), 80, 24);
        assert!(shown.contains("the process does not answer"), "{shown}");
        for figure in ["requests", "appends", "playlists", "head", "model", "catalogue"] {
            let line = shown.lines().find(|line| line.contains(figure)).expect(figure);
            assert!(line.contains(" -"), "{line}");
        }
    }

    #[test]
    fn a_process_that_is_away_is_shown_as_such_with_the_reason() {
        let shown = shown(&summary(), &page(Tab::Processes), 80, 24);
        let line = |url: &str| {
            shown
                .lines()
                .find(|line| line.contains(url))
                .expect("it is listed")
        };
        assert!(line(":5001 ").contains("away for 4 s"), "{shown}");
        for part in ["ready", "101/s", "25%", "70 MiB"] {
            assert!(line("> http").contains(part), "no {part} in {shown}");
        }
        assert!(shown.contains("as it is"), "the parts of the first: {shown}");
    }

    #[test]
    fn the_parts_are_those_of_the_chosen_process() {
        let screen = Screen {
            line: 1,
            ..page(Tab::Processes)
        };
        let shown = shown(&summary(), &screen, 80, 24);
        assert!(
            shown.contains("does not answer: connection refused") && !shown.contains("as it is"),
            "{shown}"
        );
    }

    #[test]
    fn events_are_listed_from_the_chosen_line_on_newest_first() {
        let screen = Screen {
            line: 3,
            ..page(Tab::Events)
        };
        let shown = shown(&summary(), &screen, 80, 24);
        let first = shown
            .lines()
            .find(|line| line.contains("listener.track_rated"))
            .expect("an event");
        assert!(first.contains(" 37 ") && first.contains("10:00:00"), "{first}");
        assert!(shown.contains("from the log"), "{shown}");
    }

    #[test]
    fn a_pause_is_said_and_no_size_is_too_small() {
        let screen = Screen {
            is_paused: true,
            ..Screen::default()
        };
        let summary = summary();
        assert!(shown(&summary, &screen, 80, 24).contains("segue top  PAUSED  1 of 2 processes answer"));
        let nobody = crate::state::State::new(["http://127.0.0.1:1"]).summary(moment(0));
        let nobody = shown(&nobody, &screen, 80, 24);
        assert!(
            nobody.contains("PAUSED  the process does not answer "),
            "{nobody}"
        );
        for tab in Tab::ALL {
            for (width, height) in [(1, 1), (10, 3), (40, 10), (200, 60)] {
                shown(&summary, &page(tab), width, height);
            }
        }
    }

    #[test]
    fn text_without_a_terminal_has_no_keys_and_all_followers() {
        let text = plain(&summary(), 80);
        assert!(!text.contains("q quit"), "{text}");
        assert!(
            text.contains("http://127.0.0.1:5001 away for 4 s: connection refused"),
            "{text}"
        );
        for part in [
            "accounts",
            "classifier",
            "relay",
            "Last events",
            "listener.track_rated",
        ] {
            assert!(text.contains(part), "no {part} in {text}");
        }
    }
}
