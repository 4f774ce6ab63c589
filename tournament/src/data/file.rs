//! A file, plain or gzip, and what is said when it cannot be used.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use classifier::catalogue::{CsvError, RejectedLine};
use domain::Digest;
use flate2::read::MultiGzDecoder;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Why data cannot be used. Nothing was kept.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The file is absent, cannot be read, or is a damaged gzip file.
    #[error("{} cannot be read", .file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What reading failed with.
        #[source]
        source: io::Error,
    },
    /// The tracks in it cannot be read.
    #[error("{} holds no tracks", .file.display())]
    NoTracks {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: CsvError,
    },
    /// A column is missing.
    #[error("{} lacks the column {column}", .file.display())]
    MissingColumn {
        /// The file.
        file: PathBuf,
        /// The column.
        column: &'static str,
    },
    /// One value cannot be used.
    #[error("{}, line {line}, column {column}: {reason}", .file.display())]
    Value {
        /// The file.
        file: PathBuf,
        /// The line; the header is line 1.
        line: u64,
        /// The column at fault.
        column: String,
        /// Why, as the rest of a sentence about the column.
        reason: String,
    },
    /// There is too little in it to split.
    #[error("{}: {reason}", .file.display())]
    TooLittle {
        /// The file.
        file: PathBuf,
        /// What is missing.
        reason: String,
    },
}

/// A file's content, unpacked, and the digest of the file as it lies there.
pub(super) struct Content {
    pub(super) file: PathBuf,
    pub(super) bytes: Vec<u8>,
    pub(super) digest: Digest,
}

impl Content {
    pub(super) fn read(file: &Path) -> Result<Self, DataError> {
        let unreadable = |source| DataError::Unreadable {
            file: file.to_owned(),
            source,
        };
        let raw = std::fs::read(file).map_err(unreadable)?;
        let digest = Digest::of(&raw);
        let bytes = if raw.starts_with(&GZIP_MAGIC) {
            let mut bytes = Vec::new();
            MultiGzDecoder::new(raw.as_slice())
                .read_to_end(&mut bytes)
                .map_err(unreadable)?;
            bytes
        } else {
            raw
        };
        Ok(Self {
            file: file.to_owned(),
            bytes,
            digest,
        })
    }

    /// `NAME.csv` of the folder, or `NAME.csv.gz`.
    pub(super) fn read_named(folder: &Path, name: &str) -> Result<Self, DataError> {
        let plain = folder.join(format!("{name}.csv"));
        if plain.exists() {
            return Self::read(&plain);
        }
        Self::read(&folder.join(format!("{name}.csv.gz")))
    }

    /// The lines below the header, each with its number and the values of `columns`: the first `required` of them must
    /// be there, an absent optional one is empty.
    pub(super) fn lines(
        &self,
        columns: &[&'static str],
        required: usize,
    ) -> Result<Vec<(u64, Vec<String>)>, DataError> {
        let mut reader = csv::ReaderBuilder::new()
            .flexible(true)
            .from_reader(self.bytes.as_slice());
        let header = reader.headers().map_err(|error| self.broken(&error))?.clone();
        let place = |name: &str| {
            header
                .iter()
                .position(|column| column.trim_start_matches('\u{feff}') == name)
        };
        if let Some(&column) = columns[..required].iter().find(|name| place(name).is_none()) {
            return Err(DataError::MissingColumn {
                file: self.file.clone(),
                column,
            });
        }
        let places: Vec<Option<usize>> = columns.iter().map(|name| place(name)).collect();
        let mut lines = Vec::new();
        for record in reader.records() {
            let record = record.map_err(|error| self.broken(&error))?;
            let value =
                |place: &Option<usize>| place.and_then(|at| record.get(at)).unwrap_or_default().to_owned();
            let line = record.position().map_or(0, csv::Position::line);
            lines.push((line, places.iter().map(value).collect()));
        }
        Ok(lines)
    }

    pub(super) fn value(&self, line: u64, column: impl Into<String>, reason: impl Into<String>) -> DataError {
        DataError::Value {
            file: self.file.clone(),
            line,
            column: column.into(),
            reason: reason.into(),
        }
    }

    pub(super) fn rejected(&self, line: &RejectedLine) -> DataError {
        self.value(
            line.line,
            line.column.unwrap_or("(the whole line)"),
            line.reason.clone(),
        )
    }

    pub(super) fn no_tracks(&self, source: CsvError) -> DataError {
        match &source {
            CsvError::NothingAccepted(lines) if !lines.is_empty() => self.rejected(&lines[0]),
            _ => DataError::NoTracks {
                file: self.file.clone(),
                source,
            },
        }
    }

    pub(super) fn too_little(&self, reason: impl Into<String>) -> DataError {
        DataError::TooLittle {
            file: self.file.clone(),
            reason: reason.into(),
        }
    }

    fn broken(&self, error: &csv::Error) -> DataError {
        let line = error.position().map_or(0, csv::Position::line);
        self.value(line, "(the whole line)", error.to_string())
    }
}
