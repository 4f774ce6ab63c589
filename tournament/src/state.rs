//! What was computed already, as lines of a file: an interrupted run goes on where it stopped.
//!
//! The first line says what the results are of: data, seed, extent, program and grids. A file of anything else is refused.
//! Each further line is one result. A last line that was cut off in the middle is computed again.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use domain::Digest;
use serde::{Deserialize, Serialize};

use crate::discipline::{Outcome, Phase};
use crate::extent::Extent;

/// The shape of the file.
const FORMAT: u32 = 1;

/// What results are of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    format: u32,
    /// The program's version.
    version: String,
    /// The digest of all contestants and their grids.
    contestants: String,
    seed: u64,
    extent: Extent,
    ratings: Option<String>,
    playlists: Option<String>,
}

impl Header {
    pub(crate) fn new(seed: u64, extent: Extent, ratings: Option<Digest>, playlists: Option<Digest>) -> Self {
        Self {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            contestants: contestants().to_string(),
            seed,
            extent,
            ratings: ratings.map(|digest| digest.to_string()),
            playlists: playlists.map(|digest| digest.to_string()),
        }
    }

    /// The first thing in which `other` differs.
    fn difference(&self, other: &Self) -> Option<&'static str> {
        let differences = [
            (self.format != other.format, "format"),
            (self.version != other.version, "version"),
            (self.contestants != other.contestants, "contestants"),
            (self.seed != other.seed, "seed"),
            (self.extent != other.extent, "extent"),
            (self.ratings != other.ratings, "ratings"),
            (self.playlists != other.playlists, "playlists"),
        ];
        differences
            .into_iter()
            .find(|(differs, _)| *differs)
            .map(|(_, what)| what)
    }
}

/// Other grids give other results.
fn contestants() -> Digest {
    use crate::models::{continuation, like};
    let like = like::CONTESTANTS
        .iter()
        .map(|c| format!("{} {:?} {:?}", c.name, c.grid, c.parts));
    let continuation = continuation::CONTESTANTS
        .iter()
        .map(|c| format!("{} {:?} {:?}", c.name, c.grid, c.parts));
    Digest::of(like.chain(continuation).collect::<Vec<_>>().join("\n"))
}

/// One result's place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Cell {
    pub(crate) contest: String,
    pub(crate) phase: Phase,
    pub(crate) contestant: String,
    pub(crate) setting: usize,
    pub(crate) unit: String,
}

#[derive(Serialize, Deserialize)]
struct Line {
    #[serde(flatten)]
    cell: Cell,
    outcome: Outcome,
}

/// Why a state file cannot be used. It is as it was.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Reading or writing failed; what stands in the file is sound.
    #[error("{} cannot be used", .file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What failed.
        #[source]
        source: io::Error,
    },
    /// It holds results of something else.
    #[error("{} holds results of other {what}: name another file, or remove it", .file.display())]
    OtherRun {
        /// The file.
        file: PathBuf,
        /// What differs.
        what: &'static str,
    },
    /// A line is no result.
    #[error("{}, line {line}: no result", .file.display())]
    Line {
        /// The file.
        file: PathBuf,
        /// The line, the header being line 1.
        line: usize,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

/// Results, in memory and in a file.
#[derive(Debug)]
pub(crate) struct State {
    cells: BTreeMap<Cell, Outcome>,
    to: Option<(PathBuf, File)>,
}

impl State {
    /// Kept in memory only.
    #[cfg(test)]
    pub(crate) fn in_memory() -> Self {
        Self {
            cells: BTreeMap::new(),
            to: None,
        }
    }

    /// Reads `file`, or begins it when it is absent.
    ///
    /// # Errors
    /// [`StateError`]; the file is as it was.
    pub(crate) fn open(file: &Path, header: &Header) -> Result<Self, StateError> {
        let io = |source| StateError::Io {
            file: file.to_owned(),
            source,
        };
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(io(error)),
        };
        let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
        let cells = read(file, whole, header)?;
        let mut to = OpenOptions::new()
            .create(true)
            .append(true)
            .open(file)
            .map_err(io)?;
        to.set_len(whole.len() as u64).map_err(io)?;
        if whole.is_empty() {
            writeln!(to, "{}", json(header)).map_err(io)?;
        }
        Ok(Self {
            cells,
            to: Some((file.to_owned(), to)),
        })
    }

    pub(crate) fn get(&self, cell: &Cell) -> Option<&Outcome> {
        self.cells.get(cell)
    }

    /// Keeps a result; it stands in the file when this returns.
    ///
    /// # Errors
    /// [`StateError::Io`]; results kept before are sound.
    pub(crate) fn keep(&mut self, cell: Cell, outcome: Outcome) -> Result<(), StateError> {
        let line = Line { cell, outcome };
        if let Some((file, to)) = &mut self.to {
            // One write a line, so that another process sees whole lines.
            let text = json(&line) + "\n";
            to.write_all(text.as_bytes()).map_err(|source| StateError::Io {
                file: file.clone(),
                source,
            })?;
        }
        self.cells.insert(line.cell, line.outcome);
        Ok(())
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("finite numbers and texts have a JSON form")
}

fn read(file: &Path, text: &str, header: &Header) -> Result<BTreeMap<Cell, Outcome>, StateError> {
    let broken = |line: usize| {
        move |source| StateError::Line {
            file: file.to_owned(),
            line,
            source,
        }
    };
    let mut lines = text.lines().enumerate();
    if let Some((_, first)) = lines.next() {
        let found: Header = serde_json::from_str(first).map_err(broken(1))?;
        if let Some(what) = header.difference(&found) {
            return Err(StateError::OtherRun {
                file: file.to_owned(),
                what,
            });
        }
    }
    let mut cells = BTreeMap::new();
    for (number, line) in lines {
        let line: Line = serde_json::from_str(line).map_err(broken(number + 1))?;
        cells.insert(line.cell, line.outcome);
    }
    Ok(cells)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::like_dislike::Learned;

    fn header(seed: u64) -> Header {
        Header::new(seed, Extent::Quick, Some(Digest::of("a")), None)
    }

    fn cell(unit: &str) -> Cell {
        Cell {
            contest: "like or dislike".to_owned(),
            phase: Phase::Judge,
            contestant: "random".to_owned(),
            setting: 0,
            unit: unit.to_owned(),
        }
    }

    fn outcome(loss: f64) -> Outcome {
        Outcome::Learned(Learned {
            curve: Vec::new(),
            prequential: Some(loss),
        })
    }

    #[test]
    fn what_was_kept_is_there_again_to_the_last_bit() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state.jsonl");
        let loss = 0.1 + 0.2;
        State::open(&file, &header(1))
            .unwrap()
            .keep(cell("a"), outcome(loss))
            .unwrap();
        let again = State::open(&file, &header(1)).unwrap();
        assert_eq!(again.get(&cell("a")), Some(&outcome(loss)));
        assert_eq!(again.get(&cell("b")), None);
    }

    #[test]
    fn a_line_cut_off_is_computed_again_and_the_next_one_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state.jsonl");
        let mut state = State::open(&file, &header(1)).unwrap();
        state.keep(cell("a"), outcome(1.0)).unwrap();
        state.keep(cell("b"), outcome(2.0)).unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, &text[..text.len() - 5]).unwrap();
        let mut state = State::open(&file, &header(1)).unwrap();
        assert_eq!(
            (state.get(&cell("a")).is_some(), state.get(&cell("b"))),
            (true, None)
        );
        state.keep(cell("b"), outcome(2.0)).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    }

    #[test]
    fn results_of_something_else_are_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state.jsonl");
        State::open(&file, &header(1)).unwrap();
        let before = std::fs::read(&file).unwrap();
        let others = [
            (header(2), "seed"),
            (
                Header::new(1, Extent::Full, Some(Digest::of("a")), None),
                "extent",
            ),
            (
                Header::new(1, Extent::Quick, Some(Digest::of("b")), None),
                "ratings",
            ),
            (
                Header::new(1, Extent::Quick, Some(Digest::of("a")), Some(Digest::of("a"))),
                "playlists",
            ),
        ];
        for (other, expected) in others {
            let Err(StateError::OtherRun { what, .. }) = State::open(&file, &other) else {
                panic!("{expected} differs")
            };
            assert_eq!(what, expected);
        }
        assert_eq!(std::fs::read(&file).unwrap(), before);
    }

    #[test]
    fn a_broken_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state.jsonl");
        State::open(&file, &header(1))
            .unwrap()
            .keep(cell("a"), outcome(1.0))
            .unwrap();
        let text = std::fs::read_to_string(&file).unwrap() + "{}\n";
        std::fs::write(&file, text).unwrap();
        assert!(matches!(
            State::open(&file, &header(1)),
            Err(StateError::Line { line: 3, .. })
        ));
    }
}
