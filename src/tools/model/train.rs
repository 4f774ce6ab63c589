//! `segue model train`: fits a base model on who liked what.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

use anyhow::{Context, bail};
use classifier::BaseModel;
use classifier::catalogue::csv::read_csv;
use domain::{Described, Digest, Rating, TrackId};
use serde::{Deserialize, Serialize};

use super::publish;
use crate::output::{Output, Progress};
use crate::stack::Stack;
use crate::tools::catalogue::frozen_schema;

#[derive(Serialize)]
struct Trained {
    model: Digest,
    kind: String,
    trained_on: String,
    listeners: usize,
    ratings: usize,
    /// Absent when the model was fitted, kept in the registry and not published.
    position: Option<u64>,
}

pub(super) async fn run(stack: &Stack, output: Output, file: &Path, publish: bool) -> anyhow::Result<()> {
    let trained = train(stack, file, publish).await?;
    output.print(&trained, Trained::text)
}

/// One line of the file beyond its catalogue columns.
#[derive(Deserialize)]
struct RatingLine {
    track_id: String,
    rating: String,
    #[serde(default)]
    listener: String,
}

async fn train(stack: &Stack, file: &Path, publish: bool) -> anyhow::Result<Trained> {
    let schema = frozen_schema(stack)
        .await?
        .context("import a catalogue first: it freezes the feature schema")?;
    let listeners = read_ratings(file, &schema)?;
    let ratings = listeners.values().map(Vec::len).sum();
    let trained_on = file
        .file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let rated: Vec<_> = listeners.into_values().collect();
    let model = BaseModel::fit(&schema, &trained_on, &rated)?;
    let position = if publish {
        Some(publish::publish(stack, &model).await?)
    } else {
        stack.registry.put(model.to_bytes()).await?;
        None
    };
    let (kind, listeners) = (model.kind.clone(), rated.len());
    Ok(Trained {
        model: model.fingerprint(),
        kind,
        trained_on,
        listeners,
        ratings,
        position,
    })
}

/// Reads the file twice: as a catalogue for the features, and for who rated what.
fn read_ratings(
    file: &Path,
    schema: &domain::FeatureSchema,
) -> anyhow::Result<BTreeMap<String, Vec<(Described, Rating)>>> {
    let mut source = File::open(file).with_context(|| format!("{} cannot be opened", file.display()))?;
    let mut progress = Progress::of("lines read");
    let tracks = read_csv(&source, Some(schema), &mut |lines| progress.at(lines))?.catalogue;
    source.rewind()?;
    let mut lines = csv::Reader::from_reader(unzipped(source)?);
    let mut listeners: BTreeMap<String, Vec<(Described, Rating)>> = BTreeMap::new();
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
    Ok(listeners)
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

impl Trained {
    fn text(&self) -> String {
        let published = self.position.map_or_else(
            || "kept in the registry and not published".to_owned(),
            |position| format!("published at position {position}"),
        );
        let Self {
            model,
            kind,
            listeners,
            ratings,
            ..
        } = self;
        format!("model {model} ({kind}) from {ratings} ratings by {listeners} listeners, {published}")
    }
}
