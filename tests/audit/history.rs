//! A log with some hundred records, as the binary finds it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use bench::server::Program;
use command_api::record_read;
use domain::{AccessCall, Asked, HistoryRead};
use eventing::{
    Append, EventId, EventLog, ExpectedVersion, Keys, LogConfig, MasterKey, Metadata, NewEvent,
    SchemaVersion, StreamId,
};
use serde_json::Value;
use tempfile::TempDir;

/// A folder with the data of an instance, and room for files beside it.
pub(crate) struct Instance {
    pub(crate) folder: TempDir,
    pub(crate) program: Program,
}

impl Instance {
    /// With `records` records in its log.
    pub(crate) async fn with(records: u64) -> Result<Self> {
        let folder = TempDir::with_prefix("segue-audit-")?;
        let program = Program::new(env!("CARGO_BIN_EXE_segue"), folder.path().join("data"));
        append(program.data(), records).await?;
        Ok(Self { folder, program })
    }

    /// A file beside the data.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The log's public key.
    pub(crate) async fn public_key(&self) -> Result<String> {
        let key = eventing::notes::SigningKey::load_or_create(self.program.data())?;
        Ok(key.verifier().to_string())
    }

    /// Runs `segue audit`: its exit status, and what it printed.
    pub(crate) async fn audit(&self, arguments: &[&str]) -> Result<(i32, String, String)> {
        let arguments = [&["audit"], arguments].concat();
        let (status, out, err) = self.program.run(&arguments, "").await?;
        Ok((status.code().context("it was killed")?, out, err))
    }

    /// The same, where it must succeed.
    pub(crate) async fn done(&self, arguments: &[&str]) -> Result<String> {
        let (status, out, err) = self.audit(arguments).await?;
        anyhow::ensure!(status == 0, "{arguments:?} ended with {status}: {out}{err}");
        Ok(out)
    }

    /// The same, with its result as JSON.
    pub(crate) async fn json(&self, arguments: &[&str]) -> Result<(i32, Value)> {
        let (status, out, err) = self.audit(&[arguments, &["--format", "json"]].concat()).await?;
        let value = serde_json::from_str(&out).with_context(|| format!("{arguments:?}: {out}{err}"))?;
        Ok((status, value))
    }
}

/// Appends to the log in the folder `data`, which is made if there is none.
pub(crate) async fn append(data: &Path, records: u64) -> Result<()> {
    let keys = Keys::open(data, MasterKey::load_or_create(data)?).await?;
    let log = EventLog::open(LogConfig::new(data)).await?;
    let stream = StreamId::new("test", EventId::new().0);
    let event = |n| NewEvent::new("test.happened", SchemaVersion(1), format!("{{\"n\":{n}}}"));
    let events = (0..records).map(event).collect();
    let append = Append::new(stream, ExpectedVersion::NoStream, events, Metadata::new());
    log.append(append).await?;
    drop((log, keys));
    Ok(())
}

/// Appends records that every role knows: so many reads of the history.
pub(crate) async fn grow(data: &Path, records: u64) -> Result<()> {
    let log = EventLog::open(LogConfig::new(data)).await?;
    for position in 1..=records {
        let read = HistoryRead::by_command_line(AccessCall::InclusionProve, Asked::position(position));
        record_read(&log, &read, Metadata::new()).await?;
    }
    Ok(())
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("a temporary path is text")
}
