//! The whole screen of a terminal, for as long as the view lives.

use std::io;

use ratatui::DefaultTerminal;

use crate::screen::Screen;
use crate::summary::Summary;
use crate::view;

/// The terminal, which is given back as it was when this is dropped, and before a panic is told.
pub(super) struct Screenful(DefaultTerminal);

impl Screenful {
    /// Takes the screen over.
    ///
    /// # Errors
    /// It cannot be; then the terminal is as it was.
    pub(super) fn enter() -> io::Result<Self> {
        // What was done of it before it failed is undone.
        ratatui::try_init().map(Self).inspect_err(|_| ratatui::restore())
    }

    /// Shows a frame.
    pub(super) fn show(&mut self, summary: &Summary, screen: &Screen) -> io::Result<()> {
        self.0
            .draw(|frame| view::draw(summary, screen, frame.buffer_mut()))
            .map(drop)
    }
}

impl Drop for Screenful {
    fn drop(&mut self) {
        ratatui::restore();
    }
}
