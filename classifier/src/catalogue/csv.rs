//! Reading a catalogue file.
//!
//! CSV with a header line, UTF-8, plain or gzip. Columns are found by name, in any order; upper and lower case matter.
//! Required: `track_id`, `name`, `artist` and the twelve features of [`FEATURES`]. Optional: `album`, `release_date`,
//! `popularity` (0 to 100), `genre`, `isrc`, `mbid`, `license`. Others are ignored, and the report says so.
//! Several artists are separated by `;`. Every line that cannot be taken is reported with its line, column and reason;
//! whether the others are used all the same is the caller's choice.

use std::io::{self, BufRead, BufReader, Read};

use ::csv::{ByteRecord, ReaderBuilder};
use domain::{FeatureSchema, TrackId};
use flate2::bufread::MultiGzDecoder;

use super::{Catalogue, CatalogueBuilder, NewTrack, TEXT_BYTES_MAX, TRACKS_MAX};
use crate::schema::{FEATURES, FeatureRule};

/// Separates artists within the column `artist`.
const ARTIST_SEPARATOR: char = ';';
/// `progress` is called after every so many lines.
const PROGRESS_LINES: u64 = 10_000;
const BUFFER_BYTES: usize = 1 << 16;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const REQUIRED_TEXTS: [&str; 3] = ["track_id", "name", "artist"];
const OPTIONAL: [&str; 7] = [
    "album",
    "genre",
    "release_date",
    "license",
    "isrc",
    "mbid",
    "popularity",
];

/// What a file held.
#[derive(Debug)]
pub struct Imported {
    /// The tracks of all accepted lines.
    pub catalogue: Catalogue,
    /// How many lines were accepted.
    pub accepted: u64,
    /// Every line that was not, in the file's order.
    pub rejected: Vec<RejectedLine>,
    /// Columns that were ignored, in the file's order.
    pub ignored_columns: Vec<String>,
}

/// A line that could not be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedLine {
    /// Its number in the file; the header is line 1.
    pub line: u64,
    /// The column at fault; absent when it is the whole line.
    pub column: Option<&'static str>,
    /// Why, as the rest of a sentence about the column.
    pub reason: String,
}

/// Why a file could not be read at all. Nothing was kept.
#[derive(Debug, thiserror::Error)]
pub enum CsvError {
    /// There is not even a header line.
    #[error("the file is empty")]
    Empty,
    /// Required columns are missing.
    #[error("the file lacks the columns {}", .0.join(", "))]
    MissingColumns(Vec<&'static str>),
    /// A column that is needed stands twice.
    #[error("the file has the column {0} twice")]
    DoubledColumn(String),
    /// No line was accepted.
    #[error("no line can be taken ({} rejected)", .0.len())]
    NothingAccepted(Vec<RejectedLine>),
    /// There are more than [`TRACKS_MAX`] tracks.
    #[error("a catalogue has at most {TRACKS_MAX} tracks")]
    TooLarge,
    /// The gzip stream ends before its end, or is damaged.
    #[error("the gzip file is cut off or damaged after {lines} lines")]
    BrokenGzip {
        /// Lines read until then.
        lines: u64,
        /// What the decoder says.
        #[source]
        source: io::Error,
    },
    /// The source failed.
    #[error("reading failed after {lines} lines")]
    Io {
        /// Lines read until then.
        lines: u64,
        /// What failed.
        #[source]
        source: io::Error,
    },
}

/// Reads a whole file, plain or gzip (told by its first bytes). `frozen` are the constants of the first import;
/// `progress` is told the number of lines read, from time to time.
///
/// # Errors
/// [`CsvError`] when the file as a whole cannot be used. Single lines that cannot are in [`Imported::rejected`].
pub fn read_csv(
    source: impl Read,
    frozen: Option<&FeatureSchema>,
    progress: &mut dyn FnMut(u64),
) -> Result<Imported, CsvError> {
    let mut source = BufReader::with_capacity(BUFFER_BYTES, source);
    let start = source
        .fill_buf()
        .map_err(|source| CsvError::Io { lines: 0, source })?;
    if start.starts_with(&GZIP_MAGIC) {
        Import::new(MultiGzDecoder::new(source), true).run(frozen, progress)
    } else {
        Import::new(source, false).run(frozen, progress)
    }
}

struct Import<R> {
    reader: ::csv::Reader<R>,
    is_gzip: bool,
    lines: u64,
    builder: CatalogueBuilder,
    /// The line of each accepted track.
    accepted: Vec<u64>,
    rejected: Vec<RejectedLine>,
}

impl<R: Read> Import<R> {
    fn new(source: R, is_gzip: bool) -> Self {
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_reader(source);
        let builder = CatalogueBuilder::default();
        Self {
            reader,
            is_gzip,
            lines: 0,
            builder,
            accepted: Vec::new(),
            rejected: Vec::new(),
        }
    }

    fn run(
        mut self,
        frozen: Option<&FeatureSchema>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Imported, CsvError> {
        let mut record = ByteRecord::new();
        if !self.read(&mut record)? {
            return Err(CsvError::Empty);
        }
        let columns = Columns::find(&record)?;
        while self.read(&mut record)? {
            self.take(&columns, &record)?;
            if self.lines.is_multiple_of(PROGRESS_LINES) {
                progress(self.lines);
            }
        }
        progress(self.lines);
        if self.builder.is_empty() {
            return Err(CsvError::NothingAccepted(self.rejected));
        }
        Ok(Imported {
            accepted: self.accepted.len() as u64,
            catalogue: self.builder.finish(frozen),
            rejected: self.rejected,
            ignored_columns: columns.ignored,
        })
    }

    fn read(&mut self, record: &mut ByteRecord) -> Result<bool, CsvError> {
        match self.reader.read_byte_record(record) {
            Ok(has_record) => {
                self.lines += u64::from(has_record);
                Ok(has_record)
            }
            Err(error) => Err(self.failure(error)),
        }
    }

    fn failure(&self, error: ::csv::Error) -> CsvError {
        let lines = self.lines;
        let source = match error.into_kind() {
            ::csv::ErrorKind::Io(source) => source,
            other => io::Error::other(format!("{other:?}")),
        };
        let is_broken = matches!(
            source.kind(),
            io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData
        );
        if self.is_gzip && is_broken {
            CsvError::BrokenGzip { lines, source }
        } else {
            CsvError::Io { lines, source }
        }
    }

    fn take(&mut self, columns: &Columns, record: &ByteRecord) -> Result<(), CsvError> {
        if self.builder.is_full() {
            return Err(CsvError::TooLarge);
        }
        let line = record.position().map_or(0, ::csv::Position::line);
        match self.add(columns, record) {
            Ok(()) => self.accepted.push(line),
            Err(Fault { column, reason }) => self.rejected.push(RejectedLine { line, column, reason }),
        }
        Ok(())
    }

    fn add(&mut self, columns: &Columns, record: &ByteRecord) -> Result<(), Fault> {
        if record.len() != columns.count {
            let reason = format!(
                "the line has {} fields, the header {}",
                record.len(),
                columns.count
            );
            return Err(Fault { column: None, reason });
        }
        let artists = columns.artists(record)?;
        let track = columns.track(record, &artists)?;
        self.builder.push(&track).map_err(|duplicate| {
            let line = self.accepted[duplicate.first as usize];
            Fault::of("track_id", format!("stands on line {line} already"))
        })
    }
}

struct Fault {
    column: Option<&'static str>,
    reason: String,
}

impl Fault {
    fn of(column: &'static str, reason: impl Into<String>) -> Self {
        Self {
            column: Some(column),
            reason: reason.into(),
        }
    }
}

/// Where each column stands.
struct Columns {
    count: usize,
    texts: [usize; REQUIRED_TEXTS.len()],
    features: [usize; FEATURES.len()],
    optional: [Option<usize>; OPTIONAL.len()],
    ignored: Vec<String>,
}

impl Columns {
    fn find(header: &ByteRecord) -> Result<Self, CsvError> {
        let names: Vec<String> = header
            .iter()
            .enumerate()
            .map(|(index, name)| header_name(index, name))
            .collect();
        let mut missing = Vec::new();
        let mut required = |name: &'static str| {
            let place = place(&names, name)?;
            if place.is_none() {
                missing.push(name);
            }
            Ok(place.unwrap_or_default())
        };
        let mut texts = [0; REQUIRED_TEXTS.len()];
        for (place, name) in texts.iter_mut().zip(REQUIRED_TEXTS) {
            *place = required(name)?;
        }
        let mut features = [0; FEATURES.len()];
        for (place, feature) in features.iter_mut().zip(&FEATURES) {
            *place = required(feature.name)?;
        }
        if !missing.is_empty() {
            return Err(CsvError::MissingColumns(missing));
        }
        let mut optional = [None; OPTIONAL.len()];
        for (found, name) in optional.iter_mut().zip(OPTIONAL) {
            *found = place(&names, name)?;
        }
        let ignored = names.iter().filter(|name| !is_known(name)).cloned().collect();
        Ok(Self {
            count: names.len(),
            texts,
            features,
            optional,
            ignored,
        })
    }

    fn artists<'r>(&self, record: &'r ByteRecord) -> Result<Vec<&'r str>, Fault> {
        let text = required_text(record, self.texts[2], "artist")?;
        let mut artists: Vec<&str> = Vec::with_capacity(1);
        for artist in text
            .split(ARTIST_SEPARATOR)
            .map(str::trim)
            .filter(|artist| !artist.is_empty())
        {
            if !artists.contains(&artist) {
                artists.push(artist);
            }
        }
        if artists.is_empty() {
            Err(Fault::of("artist", "is empty"))
        } else {
            Ok(artists)
        }
    }

    fn track<'r>(&self, record: &'r ByteRecord, artists: &'r [&'r str]) -> Result<NewTrack<'r>, Fault> {
        let id = utf8(record, self.texts[0], "track_id")?;
        TrackId::parse(id).map_err(|invalid| Fault::of("track_id", format!("is not usable: {invalid}")))?;
        let text = |which: usize| self.optional_text(record, which);
        Ok(NewTrack {
            id,
            name: required_text(record, self.texts[1], "name")?,
            artists,
            album: text(0)?,
            genre: text(1)?,
            release_date: text(2)?,
            license: text(3)?,
            isrc: text(4)?,
            mbid: text(5)?,
            popularity: text(6)?.map(popularity).transpose()?,
            features: self.features(record)?,
        })
    }

    fn optional_text<'r>(&self, record: &'r ByteRecord, which: usize) -> Result<Option<&'r str>, Fault> {
        let Some(place) = self.optional[which] else {
            return Ok(None);
        };
        let text = checked_text(record, place, OPTIONAL[which])?;
        Ok((!text.is_empty()).then_some(text))
    }

    fn features(&self, record: &ByteRecord) -> Result<[f32; FEATURES.len()], Fault> {
        let mut values = [0.0; FEATURES.len()];
        for (index, rule) in FEATURES.iter().enumerate() {
            let text = utf8(record, self.features[index], rule.name)?.trim();
            values[index] = number(rule, text)?;
        }
        Ok(values)
    }
}

fn header_name(index: usize, name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    let name = if index == 0 {
        name.trim_start_matches('\u{feff}')
    } else {
        &name
    };
    name.trim().to_owned()
}

fn place(names: &[String], wanted: &str) -> Result<Option<usize>, CsvError> {
    let mut places = names
        .iter()
        .enumerate()
        .filter(|(_, name)| *name == wanted)
        .map(|(place, _)| place);
    let first = places.next();
    if places.next().is_some() {
        return Err(CsvError::DoubledColumn(wanted.to_owned()));
    }
    Ok(first)
}

fn is_known(name: &str) -> bool {
    REQUIRED_TEXTS.contains(&name)
        || OPTIONAL.contains(&name)
        || FEATURES.iter().any(|feature| feature.name == name)
}

fn utf8<'r>(record: &'r ByteRecord, place: usize, column: &'static str) -> Result<&'r str, Fault> {
    std::str::from_utf8(&record[place]).map_err(|_| Fault::of(column, "is not UTF-8"))
}

fn checked_text<'r>(record: &'r ByteRecord, place: usize, column: &'static str) -> Result<&'r str, Fault> {
    let text = utf8(record, place, column)?.trim();
    if text.len() > TEXT_BYTES_MAX {
        return Err(Fault::of(
            column,
            format!("has {} bytes, at most {TEXT_BYTES_MAX} are allowed", text.len()),
        ));
    }
    if text.chars().any(char::is_control) {
        return Err(Fault::of(column, "holds a control character"));
    }
    Ok(text)
}

fn required_text<'r>(record: &'r ByteRecord, place: usize, column: &'static str) -> Result<&'r str, Fault> {
    let text = checked_text(record, place, column)?;
    if text.is_empty() {
        Err(Fault::of(column, "is empty"))
    } else {
        Ok(text)
    }
}

fn number(rule: &FeatureRule, text: &str) -> Result<f32, Fault> {
    let fault = |reason: String| Fault::of(rule.name, reason);
    if text.is_empty() {
        return Err(fault("is empty".to_owned()));
    }
    let value: f64 = text
        .parse()
        .map_err(|_| fault(format!("is not a number: {}", shown(text))))?;
    if !(rule.minimum..=rule.maximum).contains(&value) {
        return Err(fault(format!(
            "is {}, not within {} to {}",
            shown(text),
            rule.minimum,
            rule.maximum
        )));
    }
    if rule.is_whole() && value.fract() != 0.0 {
        return Err(fault(format!("is {}, not a whole number", shown(text))));
    }
    // Minus zero would be other bytes for the same value.
    Ok(value as f32 + 0.0)
}

fn popularity(text: &str) -> Result<u8, Fault> {
    let value: f64 = text
        .parse()
        .map_err(|_| Fault::of("popularity", format!("is not a number: {}", shown(text))))?;
    if !(0.0..=100.0).contains(&value) || value.fract() != 0.0 {
        return Err(Fault::of(
            "popularity",
            format!("is {}, not a whole number from 0 to 100", shown(text)),
        ));
    }
    Ok(value as u8)
}

/// At most 40 characters of a text, in quotes.
fn shown(text: &str) -> String {
    let short: String = text.chars().take(40).collect();
    if short.len() < text.len() {
        format!("{short:?}...")
    } else {
        format!("{short:?}")
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const HEADER: &str = "track_id,name,artist,popularity,subgenre,danceability,energy,key,loudness,mode,speechiness,\
                          acousticness,instrumentalness,liveness,valence,tempo,duration_ms";

    fn line(id: &str, artist: &str, energy: &str) -> String {
        format!("{id},Name of {id},{artist},50,x,0.5,{energy},3,-7.5,1,0.05,0.2,0,0.1,0.6,120.0,200000")
    }

    fn file(lines: &[String]) -> Vec<u8> {
        format!("{HEADER}\n{}\n", lines.join("\n")).into_bytes()
    }

    fn read(bytes: &[u8]) -> Result<Imported, CsvError> {
        read_csv(bytes, None, &mut |_| {})
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn lines_in_any_order_give_the_same_version() {
        let (a, b) = (line("a", "X; Y", "0.5"), line("b", "Z", "0.7"));
        let forward = read(&file(&[a.clone(), b.clone()])).unwrap();
        let backward = read(&file(&[b, a])).unwrap();
        assert_eq!(forward.catalogue.version(), backward.catalogue.version());
        assert_eq!(forward.catalogue.track(0).artists, ["X", "Y"]);
        assert_eq!(forward.ignored_columns, ["subgenre"]);
        assert_eq!(forward.accepted, 2);
    }

    #[test]
    fn a_rejected_line_names_line_column_and_reason() {
        let lines = [
            line("a", "X", "0.5"),
            line("b", "X", "1.5"),
            line("c", "X", "NaN"),
            line("a", "X", "0.5"),
            line(" d", "X", "0.5"),
            line("e", "", "0.5"),
            "too,short".to_owned(),
            line("f", "X", "loud"),
        ];
        let imported = read(&file(&lines)).unwrap();
        let report: Vec<_> = imported.rejected.iter().map(|r| (r.line, r.column)).collect();
        let (energy, id) = (Some("energy"), Some("track_id"));
        let expected = [
            (3, energy),
            (4, energy),
            (5, id),
            (6, id),
            (7, Some("artist")),
            (8, None),
            (9, energy),
        ];
        assert_eq!(report, expected);
        assert_eq!(imported.rejected[2].reason, "stands on line 2 already");
        assert_eq!(imported.accepted, 1);
    }

    #[test]
    fn text_that_is_not_utf8_is_reported() {
        let mut bytes = file(&[line("a", "X", "0.5")]);
        bytes.extend_from_slice(b"b,\xff,X,50,x,0.5,0.5,3,-7.5,1,0.05,0.2,0,0.1,0.6,120.0,200000\n");
        let imported = read(&bytes).unwrap();
        assert_eq!(
            imported.rejected,
            [RejectedLine {
                line: 3,
                column: Some("name"),
                reason: "is not UTF-8".into()
            }]
        );
    }

    #[test]
    fn gzip_is_read_and_a_truncated_one_refused() {
        let lines: Vec<String> = (0..500).map(|i| line(&format!("t{i}"), "X", "0.5")).collect();
        let plain = file(&lines);
        let packed = gzip(&plain);
        assert_eq!(
            read(&packed).unwrap().catalogue.version(),
            read(&plain).unwrap().catalogue.version()
        );
        let cut = &packed[..packed.len() / 2];
        assert!(matches!(read(cut), Err(CsvError::BrokenGzip { .. })));
        assert!(matches!(
            read(&packed[..packed.len() - 3]),
            Err(CsvError::BrokenGzip { .. })
        ));
    }

    #[test]
    fn a_file_without_the_required_columns_is_refused_by_name() {
        let Err(CsvError::MissingColumns(missing)) = read(b"track_id,name\na,b\n") else {
            panic!("must be refused")
        };
        assert_eq!(missing[0], "artist");
        assert_eq!(missing.len(), 1 + FEATURES.len());
        assert!(matches!(read(b""), Err(CsvError::Empty)));
        assert!(matches!(read(&file(&[])), Err(CsvError::NothingAccepted(_))));
        let doubled = format!("{HEADER},energy\n");
        assert!(matches!(read(doubled.as_bytes()), Err(CsvError::DoubledColumn(name)) if name == "energy"));
    }

    #[test]
    fn a_byte_order_mark_and_windows_line_ends_do_no_harm() {
        let text = String::from_utf8(file(&[line("a", "X", "0.5")]))
            .unwrap()
            .replace('\n', "\r\n");
        assert_eq!(read(format!("\u{feff}{text}").as_bytes()).unwrap().accepted, 1);
    }

    #[test]
    fn frozen_constants_are_kept() {
        let first = read(&file(&[line("a", "X", "0.5"), line("b", "X", "0.7")])).unwrap();
        let frozen = first.catalogue.schema().clone();
        let later = file(&[line("c", "X", "0.1"), line("d", "X", "0.2")]);
        let second = read_csv(later.as_slice(), Some(&frozen), &mut |_| {}).unwrap();
        assert_eq!(second.catalogue.schema(), &frozen);
        assert_ne!(read(&later).unwrap().catalogue.schema(), &frozen);
    }
}
