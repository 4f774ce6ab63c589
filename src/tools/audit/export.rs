//! `segue audit export`: the records, in a file that can be verified without the log.

use std::fs::File;
use std::io::{self, BufWriter, Stdout, Write};
use std::path::{Path, PathBuf};

use domain::{AccessCall, Asked};
use eventing::Position;
use eventing::notes::{Checkpoint, SignedCheckpoint};
use eventing::verify::export::{Header, Writer};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;
use tempfile::NamedTempFile;

use super::{checkpoint, given, replace};
use crate::Outcome;
use crate::access;
use crate::cli::ExportArguments;
use crate::output::{Bar, Output, remark};
use crate::settings::Settings;
use crate::stack::Stack;

/// Records read at a time.
const PAGE: usize = 1_000;

#[derive(Serialize)]
struct Exported {
    records: u64,
    origin: String,
    root_hash: String,
    public_key: String,
    file: PathBuf,
}

pub(super) async fn run(
    stack: &Stack,
    settings: &Settings,
    output: Output,
    arguments: &ExportArguments,
) -> anyhow::Result<Outcome> {
    let key = given::signing_key(settings)?.verifier();
    let checkpoint = checkpoint_of(stack, settings, arguments.until).await?;
    let size = checkpoint.checkpoint().size();
    let asked = Asked {
        until: Some(size),
        ..Asked::all()
    };
    access::record(stack, AccessCall::HistoryExport, asked).await?;
    let header = Header::new(&checkpoint, &key);
    let root = checkpoint.checkpoint().root();
    let is_standard_output = arguments.out.as_os_str() == "-";
    tokio::select! {
        written = write(stack, &header, root, &arguments.out) => written?,
        _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted: nothing was written"),
    }
    let exported = Exported {
        records: size,
        origin: header.origin,
        root_hash: eventing::merkle::Hash(root).to_string(),
        public_key: header.public_key,
        file: arguments.out.clone(),
    };
    if is_standard_output {
        remark(&exported.text());
    } else {
        output.print(&exported, Exported::text)?;
    }
    Ok(Outcome::Done)
}

impl Exported {
    fn text(&self) -> String {
        format!(
            "{} records of {} exported\nroot {}\nkeep the public key elsewhere, to verify with: {}",
            self.records, self.origin, self.root_hash, self.public_key
        )
    }
}

/// The checkpoint that is exported up to: of the whole log, or of its first `until` records.
async fn checkpoint_of(
    stack: &Stack,
    settings: &Settings,
    until: Option<u64>,
) -> anyhow::Result<SignedCheckpoint> {
    // The whole log is signed first: that the tree still has every root that was signed before is made sure of there.
    let whole = checkpoint::seal(stack, settings).await?;
    let size = whole.checkpoint().size();
    match until {
        None => Ok(whole),
        Some(until) if until == size => Ok(whole),
        Some(until) if until > size => {
            anyhow::bail!("position {until} is beyond the log, which ends at {size}")
        }
        Some(until) => {
            let root = stack.log.tree().root(until).await?;
            let key = given::signing_key(settings)?;
            Ok(Checkpoint::new(key.name(), until, root.0)?.sign(&key)?)
        }
    }
}

async fn write(stack: &Stack, header: &Header, root: [u8; 32], path: &Path) -> anyhow::Result<()> {
    let mut bar = Bar::of("records exported");
    let mut writer = Writer::start(Sink::open(path)?, header, root)?;
    while let Some(next) = writer.next() {
        let after = Position(next.get() - 1);
        let page = stack.log.read_after(after, PAGE).await?;
        if page.is_empty() {
            break;
        }
        for event in &page {
            writer.record(event)?;
        }
        let written = writer.next().map_or(header.size, |next| next.get() - 1);
        bar.at(written, header.size);
    }
    writer.finish()?.close(path)
}

/// Where an export goes.
enum Sink {
    Plain(BufWriter<NamedTempFile>),
    Gzip(GzEncoder<BufWriter<NamedTempFile>>),
    Standard(BufWriter<Stdout>),
}

impl Sink {
    fn open(path: &Path) -> anyhow::Result<Self> {
        if path.as_os_str() == "-" {
            return Ok(Self::Standard(BufWriter::new(io::stdout())));
        }
        let file = BufWriter::with_capacity(1 << 20, replace::draft(path)?);
        Ok(if path.extension().is_some_and(|ending| ending == "gz") {
            Self::Gzip(GzEncoder::new(file, Compression::fast()))
        } else {
            Self::Plain(file)
        })
    }

    /// Makes it durable, and puts it in its place.
    fn close(self, path: &Path) -> anyhow::Result<()> {
        let file = match self {
            Self::Standard(mut out) => return Ok(out.flush()?),
            Self::Plain(file) => file,
            Self::Gzip(encoder) => encoder.finish()?,
        };
        let draft = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        replace::put(draft, path)
    }

    fn inner(&mut self) -> &mut dyn Write {
        match self {
            Self::Plain(file) => file,
            Self::Gzip(encoder) => encoder,
            Self::Standard(out) => out,
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.inner().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner().flush()
    }
}

/// Opens an export for reading, plain or compressed, by what it begins with.
pub(super) fn open(path: &Path) -> io::Result<Box<dyn io::BufRead + Send>> {
    const GZIP: [u8; 2] = [0x1f, 0x8b];
    let mut file = io::BufReader::with_capacity(1 << 20, File::open(path)?);
    let begins = io::BufRead::fill_buf(&mut file)?;
    if begins.starts_with(&GZIP) {
        let decoder = flate2::bufread::MultiGzDecoder::new(file);
        return Ok(Box::new(io::BufReader::with_capacity(1 << 20, decoder)));
    }
    Ok(Box::new(file))
}
