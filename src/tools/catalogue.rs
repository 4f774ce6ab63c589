//! `segue catalogue`: bringing tracks in, and looking at what is there.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use chrono::Utc;
use classifier::Catalogue;
use classifier::catalogue::csv::{Imported, RejectedLine, read_csv};
use domain::{CatalogueCommand, CatalogueEvent, CatalogueId, Digest, FeatureSchema, TrackId};
use eventing::{Metadata, Order, Payload, Position, StreamId, Version, failpoint};
use serde::Serialize;

use crate::Outcome;
use crate::cli::CatalogueCommand as Tool;
use crate::output::{Output, Progress, remark, table};
use crate::settings::Settings;
use crate::stack::Stack;

/// What a newcomer gets: enough to find something in, quick to make.
const DEMO_TRACKS: u32 = 2_000;
const DEMO_SEED: u64 = 1;
/// Rejected lines printed one by one; a file that is wrong throughout is wrong in the same way.
const REJECTED_SHOWN: usize = 50;
const PAGE: usize = 1_000;

/// What an import came to.
#[derive(Serialize)]
struct Report {
    version: Digest,
    tracks: u64,
    /// Absent when nothing was recorded: a dry run, a refusal, or a version that is current already.
    position: Option<u64>,
    outcome: &'static str,
    ignored_columns: Vec<String>,
    rejected: Vec<Rejected>,
}

#[derive(Serialize)]
struct Rejected {
    line: u64,
    column: Option<&'static str>,
    reason: String,
}

pub(crate) async fn run(settings: &Settings, output: Output, command: Tool) -> anyhow::Result<Outcome> {
    match command {
        Tool::Import {
            file,
            skip_rejected,
            dry_run,
        } => {
            let report = import_file(settings, file, skip_rejected, dry_run).await?;
            output.print(&report, Report::text)?;
            Ok(if report.outcome == REFUSED {
                Outcome::Refused
            } else {
                Outcome::Done
            })
        }
        Tool::Generate {
            tracks,
            seed,
            out: Some(file),
        } => {
            write_generated(&file, tracks, seed)?;
            output.print(&file, |file| format!("{tracks} tracks in {}", file.display()))?;
            Ok(Outcome::Done)
        }
        Tool::Generate {
            tracks,
            seed,
            out: None,
        } => {
            let stack = Stack::open(settings).await?;
            let report = import_generated(&stack, tracks, seed).await?;
            output.print(&report, Report::text)?;
            Ok(Outcome::Done)
        }
        Tool::List => {
            output.print(&versions(&Stack::open(settings).await?).await?, |versions| {
                list_text(versions)
            })?;
            Ok(Outcome::Done)
        }
        Tool::Show { what } => show(&Stack::open(settings).await?, output, what.as_deref()).await,
    }
}

const IMPORTED: &str = "imported";
const CURRENT: &str = "already current";
const REFUSED: &str = "refused: nothing was imported";
const WOULD_IMPORT: &str = "could be imported; this was a dry run";

/// Gives an instance without a catalogue the demo catalogue.
pub(crate) async fn ensure_demo(settings: &Settings) -> anyhow::Result<()> {
    let stack = Stack::open(settings).await?;
    if stack.log.stream_head(&stream()).await?.is_none() {
        remark(&format!(
            "no catalogue yet: making a demo catalogue of {DEMO_TRACKS} tracks"
        ));
        import_generated(&stack, DEMO_TRACKS, DEMO_SEED).await?;
    }
    Ok(())
}

async fn import_file(
    settings: &Settings,
    file: PathBuf,
    skip_rejected: bool,
    dry_run: bool,
) -> anyhow::Result<Report> {
    let stack = Stack::open(settings).await?;
    let frozen = frozen_schema(&stack).await?;
    let source = file.file_name().map(|name| name.to_string_lossy().into_owned());
    let imported = tokio::task::spawn_blocking(move || read_file(&file, frozen.as_ref())).await??;
    let is_refused = !skip_rejected && !imported.rejected.is_empty();
    let recorded = match (is_refused, dry_run) {
        (true, _) => Recorded {
            position: None,
            outcome: REFUSED,
        },
        (false, true) => Recorded {
            position: None,
            outcome: WOULD_IMPORT,
        },
        (false, false) => record(&stack, &imported.catalogue, source).await?,
    };
    Ok(Report::of(imported, recorded))
}

fn read_file(file: &Path, frozen: Option<&FeatureSchema>) -> anyhow::Result<Imported> {
    let source = File::open(file).with_context(|| format!("{} cannot be opened", file.display()))?;
    let mut progress = Progress::of("lines read");
    let read = read_csv(source, frozen, &mut |lines| progress.at(lines));
    read.with_context(|| format!("{} cannot be imported", file.display()))
}

/// Constants are frozen by the first import, so that models stay comparable.
pub(crate) async fn frozen_schema(stack: &Stack) -> anyhow::Result<Option<FeatureSchema>> {
    let loaded = stack.executor.load::<domain::Catalogue>(&stream(), None).await?;
    Ok(loaded.aggregate.schema().cloned())
}

async fn import_generated(stack: &Stack, tracks: u32, seed: u64) -> anyhow::Result<Report> {
    let frozen = frozen_schema(stack).await?;
    let generated = tokio::task::spawn_blocking(move || generate(tracks, seed, frozen.as_ref())).await??;
    let recorded = record(
        stack,
        &generated.catalogue,
        Some(format!("generated: {tracks} tracks, seed {seed}")),
    )
    .await?;
    Ok(Report::of(generated, recorded))
}

/// Goes through the file form, so that a generated catalogue meets the very checks of an import.
fn generate(tracks: u32, seed: u64, frozen: Option<&FeatureSchema>) -> anyhow::Result<Imported> {
    let mut file = Vec::new();
    classifier::generator::write_csv(&mut file, tracks as usize, seed)?;
    Ok(read_csv(file.as_slice(), frozen, &mut |_| {})?)
}

fn write_generated(file: &Path, tracks: u32, seed: u64) -> anyhow::Result<()> {
    let out = File::create(file).with_context(|| format!("{} cannot be written", file.display()))?;
    let mut out = std::io::BufWriter::new(out);
    classifier::generator::write_csv(&mut out, tracks as usize, seed)?;
    Ok(())
}

struct Recorded {
    position: Option<u64>,
    outcome: &'static str,
}

/// Content first, fact second: content that no fact names is invisible.
async fn record(stack: &Stack, catalogue: &Catalogue, source: Option<String>) -> anyhow::Result<Recorded> {
    let blob = Digest::from_bytes(stack.log.put_blob(catalogue.to_bytes()).await?);
    failpoint!("import.after_blob");
    let command = CatalogueCommand::Import {
        version: catalogue.version(),
        tracks: catalogue.len() as u64,
        schema: catalogue.schema().clone(),
        blob,
        source,
        at: Utc::now(),
    };
    let executed = stack
        .executor
        .execute(Order::<domain::Catalogue>::new(
            stream(),
            command,
            Metadata::new(),
        ))
        .await?;
    Ok(if executed.events.is_empty() {
        Recorded {
            position: None,
            outcome: CURRENT,
        }
    } else {
        Recorded {
            position: Some(executed.position.get()),
            outcome: IMPORTED,
        }
    })
}

fn stream() -> StreamId {
    StreamId::new(CatalogueId::CATEGORY, CatalogueId::MAIN.uuid())
}

/// The facts of all imports, oldest first, straight from the log.
async fn versions(stack: &Stack) -> anyhow::Result<Vec<ImportedVersion>> {
    let mut versions = Vec::new();
    let mut after = Version::NONE;
    loop {
        let events = stack.log.read_stream(&stream(), after, PAGE).await?;
        for event in &events {
            after = event.version;
            versions.extend(decode(stack, event).await?);
        }
        if events.len() < PAGE {
            return Ok(versions);
        }
    }
}

async fn decode(stack: &Stack, event: &eventing::RecordedEvent) -> anyhow::Result<Vec<ImportedVersion>> {
    let Payload::Open(payload) = stack.keys.open_event(event).await? else {
        return Ok(Vec::new());
    };
    let decoded = domain::decode(&event.event_type, event.schema_version.get(), &payload)?;
    let imports = decoded.into_iter().filter_map(|decoded| match decoded {
        domain::Event::Catalogue(CatalogueEvent::Imported(imported)) => Some(ImportedVersion {
            position: event.position,
            imported,
        }),
        _ => None,
    });
    Ok(imports.collect())
}

/// One version and where its import stands.
#[derive(Serialize)]
struct ImportedVersion {
    position: Position,
    #[serde(flatten)]
    imported: domain::catalogue::Imported,
}

async fn show(stack: &Stack, output: Output, what: Option<&str>) -> anyhow::Result<Outcome> {
    let versions = versions(stack).await?;
    let current = versions.last().context("there is no catalogue yet")?;
    let named = what.map_or(Some(current), |what| {
        versions
            .iter()
            .rev()
            .find(|version| what.len() >= 4 && version.imported.version.to_string().starts_with(what))
    });
    match (named, what) {
        (Some(version), _) => output.print(version, |version| version.text())?,
        (None, Some(track)) => {
            let domain::catalogue::Imported { version, blob, .. } = current.imported;
            let catalogue = stack.catalogues.get(version, blob).await?;
            output.print(&track_of(&catalogue, track)?, |fields| {
                fields
                    .iter()
                    .map(|(name, value)| format!("{name}: {value}"))
                    .collect::<Vec<_>>()
                    .join("\n")
            })?;
        }
        (None, None) => bail!("there is no catalogue yet"),
    }
    Ok(Outcome::Done)
}

fn track_of(catalogue: &Catalogue, id: &str) -> anyhow::Result<Vec<(String, String)>> {
    let found = TrackId::parse(id).ok().and_then(|id| catalogue.index_of(&id));
    let index =
        found.with_context(|| format!("{id:?} is neither a version nor a track of the current one"))?;
    let track = catalogue.track(index);
    let mut fields = vec![
        ("id".to_owned(), track.id.to_owned()),
        ("name".to_owned(), track.name.to_owned()),
        ("artists".to_owned(), track.artists.join(", ")),
    ];
    let raw = catalogue.raw(index).map(|value| value.to_string());
    fields.extend(catalogue.schema().names().map(str::to_owned).zip(raw));
    Ok(fields)
}

impl Report {
    fn of(imported: Imported, recorded: Recorded) -> Self {
        Self {
            version: imported.catalogue.version(),
            tracks: imported.catalogue.len() as u64,
            position: recorded.position,
            outcome: recorded.outcome,
            ignored_columns: imported.ignored_columns,
            rejected: imported.rejected.into_iter().map(Rejected::from).collect(),
        }
    }

    fn text(&self) -> String {
        let mut lines: Vec<String> = self
            .rejected
            .iter()
            .take(REJECTED_SHOWN)
            .map(Rejected::text)
            .collect();
        if self.rejected.len() > REJECTED_SHOWN {
            lines.push(format!(
                "... and {} more lines",
                self.rejected.len() - REJECTED_SHOWN
            ));
        }
        if !self.ignored_columns.is_empty() {
            lines.push(format!("ignored columns: {}", self.ignored_columns.join(", ")));
        }
        let position = self
            .position
            .map_or_else(String::new, |position| format!(" at position {position}"));
        let rejected = self.rejected.len();
        lines.push(format!(
            "{} tracks, {rejected} lines rejected, version {}",
            self.tracks, self.version
        ));
        lines.push(format!("{}{position}", self.outcome));
        lines.join("\n")
    }
}

impl Rejected {
    fn text(&self) -> String {
        let column = self
            .column
            .map_or_else(String::new, |column| format!(", column {column}"));
        format!("line {}{column}: {}", self.line, self.reason)
    }
}

impl From<RejectedLine> for Rejected {
    fn from(rejected: RejectedLine) -> Self {
        let RejectedLine { line, column, reason } = rejected;
        Self { line, column, reason }
    }
}

impl ImportedVersion {
    fn text(&self) -> String {
        let Self { position, imported } = self;
        let source = imported.source.as_deref().unwrap_or("unknown");
        let rows: Vec<Vec<String>> = imported
            .schema
            .features
            .iter()
            .map(|feature| {
                let transform = if feature.transform == domain::Transform::Log {
                    "log"
                } else {
                    "identity"
                };
                vec![
                    feature.name.clone(),
                    transform.to_owned(),
                    format!("{:.6}", feature.mean),
                    format!("{:.6}", feature.deviation),
                ]
            })
            .collect();
        format!(
            "version {}\ntracks {}\nsource {source}\nimported {} at position {position}\nschema {}\n{}",
            imported.version,
            imported.tracks,
            imported.imported_at.to_rfc3339(),
            imported.schema.digest(),
            table(&["feature", "transform", "mean", "deviation"], &rows)
        )
    }
}

fn list_text(versions: &[ImportedVersion]) -> String {
    let row = |ImportedVersion { position, imported }: &ImportedVersion| {
        vec![
            imported.version.to_string().chars().take(16).collect(),
            imported.tracks.to_string(),
            position.to_string(),
            imported.imported_at.format("%Y-%m-%d %H:%M:%S").to_string(),
            imported.source.clone().unwrap_or_default(),
        ]
    };
    let rows: Vec<_> = versions.iter().map(row).collect();
    table(
        &["version", "tracks", "position", "imported (UTC)", "source"],
        &rows,
    )
}
