//! Keys, and the news that the terminal has another size.

use std::io;

use crossterm::event::{Event, EventStream, KeyEvent};
use futures::StreamExt;

/// Hears the keys of the terminal.
pub(super) struct Keyboard(EventStream);

impl Keyboard {
    pub(super) fn open() -> Self {
        Self(EventStream::new())
    }

    /// The next key, or nothing when the terminal has another size. May be dropped without losing a key.
    ///
    /// # Errors
    /// The terminal is gone.
    pub(super) async fn next(&mut self) -> io::Result<Option<KeyEvent>> {
        loop {
            match self.0.next().await {
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
                Some(Err(error)) => return Err(error),
                Some(Ok(Event::Key(key))) => return Ok(Some(key)),
                Some(Ok(Event::Resize(..))) => return Ok(None),
                Some(Ok(_)) => {}
            }
        }
    }
}
