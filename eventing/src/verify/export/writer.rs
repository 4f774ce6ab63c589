//! Writes an export.

use std::io::{self, Write};

use super::{Header, hash_line};
use crate::ids::Position;
use crate::merkle::{Frontier, Hash, TILE_WIDTH};
use crate::record::RecordedEvent;

/// Writes an export, record by record.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    size: u64,
    root: [u8; 32],
    frontier: Frontier,
    hashes: Vec<Hash>,
}

/// Why an export was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// It could not be written.
    #[error("the export cannot be written")]
    Io(#[from] io::Error),
    /// The record is not the next one.
    #[error("the log gave the record of position {found} in place of {expected}")]
    OutOfPlace {
        /// The position of the next record.
        expected: Position,
        /// The position of the one that was given.
        found: Position,
    },
    /// The log ends before the checkpoint does.
    #[error("the log ends at position {0}, before its checkpoint does")]
    TooFew(Position),
    /// The records are not those that the checkpoint was signed for.
    #[error("the records do not add up to the signed checkpoint: verify the log")]
    OtherRoot,
}

impl<W: Write> Writer<W> {
    /// Writes the header.
    ///
    /// # Errors
    /// [`WriteError::Io`].
    pub fn start(mut out: W, header: &Header, root: [u8; 32]) -> Result<Self, WriteError> {
        writeln!(out, "{}", header.line())?;
        Ok(Self {
            out,
            size: header.size,
            root,
            frontier: Frontier::new(),
            hashes: Vec::with_capacity(TILE_WIDTH),
        })
    }

    /// The position of the next record; `None` if all are written.
    #[must_use]
    pub fn next(&self) -> Option<Position> {
        let written = self.frontier.size();
        (written < self.size).then_some(Position(written + 1))
    }

    /// Writes the next record. Those beyond the checkpoint are left out.
    ///
    /// # Errors
    /// [`WriteError`]; then the export is not whole.
    pub fn record(&mut self, event: &RecordedEvent) -> Result<(), WriteError> {
        let Some(expected) = self.next() else {
            return Ok(());
        };
        if event.position != expected {
            let found = event.position;
            return Err(WriteError::OutOfPlace { expected, found });
        }
        self.out.write_all(&event.record)?;
        self.out.write_all(b"\n")?;
        self.frontier.push(Hash(event.leaf_hash));
        self.hashes.push(Hash(event.leaf_hash));
        if self.hashes.len() == TILE_WIDTH {
            self.end_tile()?;
        }
        Ok(())
    }

    fn end_tile(&mut self) -> io::Result<()> {
        let n = (self.frontier.size() - 1) / TILE_WIDTH as u64;
        writeln!(self.out, "{}", hash_line(n, &self.hashes))?;
        self.hashes.clear();
        Ok(())
    }

    /// Writes the last hashes, and gives the output back for its owner to make it durable.
    ///
    /// # Errors
    /// [`WriteError`]: records are missing, or are not those that the checkpoint is about.
    pub fn finish(mut self) -> Result<W, WriteError> {
        if let Some(next) = self.next() {
            return Err(WriteError::TooFew(Position(next.get() - 1)));
        }
        if self.frontier.root().0 != self.root {
            return Err(WriteError::OtherRoot);
        }
        if !self.hashes.is_empty() {
            self.end_tile()?;
        }
        self.out.flush()?;
        Ok(self.out)
    }
}
