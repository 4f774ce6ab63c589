//! A file of ratings: who liked and disliked what, with the features of each track.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

use anyhow::{Context, bail};
use classifier::catalogue::csv::read_csv;
use domain::{Described, FeatureSchema, Rating, TrackId};
use serde::Deserialize;

use crate::output::Progress;

/// A track as it was rated, and how.
pub(super) type Rated = (Described, Rating);

/// One line of the file beyond its catalogue columns.
#[derive(Deserialize)]
struct RatingLine {
    track_id: String,
    rating: String,
    #[serde(default)]
    listener: String,
}

/// The likes and dislikes of each listener, in the file's order; listeners in the order of their names.
///
/// Reads the file twice: as a catalogue for the features, and for who rated what.
pub(super) fn read_ratings(file: &Path, schema: &FeatureSchema) -> anyhow::Result<Vec<Vec<Rated>>> {
    let mut source = File::open(file).with_context(|| format!("{} cannot be opened", file.display()))?;
    let mut progress = Progress::of("lines read");
    let tracks = read_csv(&source, Some(schema), &mut |lines| progress.at(lines))?.catalogue;
    source.rewind()?;
    let mut lines = csv::Reader::from_reader(unzipped(source)?);
    let mut listeners: BTreeMap<String, Vec<Rated>> = BTreeMap::new();
    for (number, line) in lines.deserialize::<RatingLine>().enumerate() {
        let line = line.with_context(|| format!("line {} has no rating", number + 2))?;
        let rating = match line.rating.as_str() {
            "like" => Rating::Like,
            "dislike" => Rating::Dislike,
            "neutral" => continue,
            other => bail!(
                "line {}, column rating: {other:?} is neither like, dislike nor neutral",
                number + 2
            ),
        };
        let track = TrackId::parse(&line.track_id)
            .ok()
            .and_then(|track| tracks.index_of(&track));
        if let Some(index) = track {
            listeners
                .entry(line.listener)
                .or_default()
                .push((tracks.describe(index), rating));
        }
    }
    Ok(listeners.into_values().collect())
}

fn unzipped(source: File) -> anyhow::Result<Box<dyn Read>> {
    let mut source = BufReader::new(source);
    let is_gzip = std::io::BufRead::fill_buf(&mut source)?.starts_with(&[0x1f, 0x8b]);
    Ok(if is_gzip {
        Box::new(flate2::bufread::MultiGzDecoder::new(source))
    } else {
        Box::new(source)
    })
}
