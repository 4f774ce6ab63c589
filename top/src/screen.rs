//! What a person has chosen to see, and the keys that change it.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// How far a page key moves.
const PAGE: usize = 10;

/// One of the pages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Tab {
    /// Rates, the log, lags and the last events.
    #[default]
    Overview,
    /// Each process and its parts.
    Processes,
    /// The last events.
    Events,
}

impl Tab {
    /// All, in order.
    pub(crate) const ALL: [Self; 3] = [Self::Overview, Self::Processes, Self::Events];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Processes => "Processes",
            Self::Events => "Events",
        }
    }

    fn step(self, by: usize) -> Self {
        let at = Self::ALL.iter().position(|tab| *tab == self).unwrap_or_default();
        Self::ALL[(at + by) % Self::ALL.len()]
    }
}

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Screen {
    pub(crate) tab: Tab,
    /// The line of the page that is looked at: the process that is chosen, or the first event that is shown.
    pub(crate) line: usize,
    /// Whether the figures stand still.
    pub(crate) is_paused: bool,
}

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// To end.
    Quit,
    /// To be drawn anew.
    Redraw,
    /// Nothing.
    Nothing,
}

impl Screen {
    /// Does what `key` asks for, on a page of `lines` lines.
    pub(crate) fn press(&mut self, key: KeyEvent, lines: usize) -> Wish {
        if key.kind == KeyEventKind::Release {
            return Wish::Nothing;
        }
        let has_control = key.modifiers.contains(KeyModifiers::CONTROL);
        let last = lines.saturating_sub(1);
        match key.code {
            KeyCode::Char('c') if has_control => return Wish::Quit,
            KeyCode::Char('q') | KeyCode::Esc => return Wish::Quit,
            KeyCode::Char('p' | ' ') => self.is_paused = !self.is_paused,
            KeyCode::Tab | KeyCode::Right => self.turn(1),
            KeyCode::BackTab | KeyCode::Left => self.turn(Tab::ALL.len() - 1),
            KeyCode::Char(digit @ '1'..='3') => self.go(Tab::ALL[digit as usize - '1' as usize]),
            KeyCode::Up => self.line = self.line.min(last).saturating_sub(1),
            KeyCode::Down => self.line = (self.line + 1).min(last),
            KeyCode::PageUp => self.line = self.line.min(last).saturating_sub(PAGE),
            KeyCode::PageDown => self.line = (self.line + PAGE).min(last),
            KeyCode::Home => self.line = 0,
            KeyCode::End => self.line = last,
            _ => return Wish::Nothing,
        }
        Wish::Redraw
    }

    fn turn(&mut self, by: usize) {
        self.go(self.tab.step(by));
    }

    fn go(&mut self, tab: Tab) {
        (self.tab, self.line) = (tab, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(screen: &mut Screen, code: KeyCode) -> Wish {
        screen.press(KeyEvent::from(code), 3)
    }

    #[test]
    fn keys_turn_pages_move_within_them_pause_and_quit() {
        let mut screen = Screen::default();
        press(&mut screen, KeyCode::Tab);
        assert_eq!(screen.tab, Tab::Processes);
        for _ in 0..5 {
            press(&mut screen, KeyCode::Down);
        }
        assert_eq!(screen.line, 2, "no further than the last line");
        press(&mut screen, KeyCode::Up);
        assert_eq!(screen.line, 1);
        press(&mut screen, KeyCode::Left);
        assert_eq!((screen.tab, screen.line), (Tab::Overview, 0));
        press(&mut screen, KeyCode::Left);
        assert_eq!(screen.tab, Tab::Events);
        assert_eq!(press(&mut screen, KeyCode::Char('p')), Wish::Redraw);
        assert!(screen.is_paused);
        assert_eq!(press(&mut screen, KeyCode::Char('x')), Wish::Nothing);
        assert_eq!(press(&mut screen, KeyCode::Char('q')), Wish::Quit);
        let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(screen.press(interrupt, 3), Wish::Quit);
        assert_eq!(press(&mut screen, KeyCode::Char('c')), Wish::Nothing);
    }
}
