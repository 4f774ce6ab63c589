//! `segue audit verify`: whether a history is the one that was signed.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use domain::{AccessCall, Asked};
use eventing::merkle::Hash;
use eventing::notes::{SignedCheckpoint, VerifierKey};
use eventing::verify::export::{self, VerifyError};
use eventing::verify::live::{self, VerifiedLog, VerifyLogError, verify_log};
use eventing::verify::{Fault, FaultKind, Trust, Verified};
use eventing::{EventLog, KeyError};
use serde::Serialize;

use super::{fault, given};
use crate::Outcome;
use crate::access;
use crate::cli::VerifyArguments;
use crate::output::{Output, Progress, remark};
use crate::settings::Settings;
use crate::stack::Stack;

const UNTRUSTED: &str = "NOTE: THIS PROVES THAT NOTHING WAS DAMAGED, NOT WHO MADE IT: the signature was verified with the key that the export \
    itself carries. Give the log's own key with --key.";

pub(super) async fn run(
    settings: &Settings,
    output: Output,
    arguments: &VerifyArguments,
) -> anyhow::Result<Outcome> {
    let key = arguments.key.as_deref().map(given::public_key).transpose()?;
    let older_keys = arguments.older_keys.iter().map(|key| given::public_key(key));
    let older_keys = older_keys.collect::<anyhow::Result<Vec<_>>>()?;
    let old = match arguments.checkpoint.as_deref().map(old_checkpoint).transpose()? {
        None => None,
        Some(Ok(old)) => Some(old),
        Some(Err(unreadable)) => return fault::report(output, &unreadable),
    };
    match &arguments.file {
        // Hours of work perhaps, so this thread gives its other work away.
        Some(file) => {
            let demands = export::Demands {
                key,
                older_keys,
                old_checkpoint: old,
            };
            tokio::task::block_in_place(|| verify_file(output, file, &demands))
        }
        None => verify_live(settings, output, key, older_keys, old).await,
    }
}

fn old_checkpoint(path: &Path) -> anyhow::Result<Result<SignedCheckpoint, Fault>> {
    let read = SignedCheckpoint::parse(&given::bytes(path)?);
    Ok(read.map_err(Fault::OldCheckpointUnreadable))
}

/// A history without a fault, as it is printed.
#[derive(Serialize)]
struct Report {
    verified: bool,
    origin: Option<String>,
    records: u64,
    streams: u64,
    root_hash: String,
    /// How many of the records a signature vouches for.
    signed_records: u64,
    public_key: Option<String>,
    /// Whether the key was given, and did not come with the history.
    key_given: bool,
    old_checkpoint: Option<u64>,
    /// Of a live log.
    #[serde(skip_serializing_if = "Option::is_none")]
    live: Option<Live>,
    seconds: f64,
}

#[derive(Serialize)]
struct Live {
    tree_size: u64,
    checkpoints: u64,
    published: Option<u64>,
}

fn verify_file(output: Output, file: &Path, demands: &export::Demands) -> anyhow::Result<Outcome> {
    let began = Instant::now();
    let unreadable = |error: std::io::Error| {
        let message = format!("{} cannot be read: {error}", file.display());
        fault::say(output, FaultKind::Unreadable, None, message)
    };
    let input = match super::export::open(file) {
        Ok(input) => input,
        Err(error) => return unreadable(error),
    };
    let mut progress = Progress::of("records verified");
    match export::verify(input, demands, |count| progress.at(count)) {
        Ok(verified) => {
            if verified.trust == Trust::Brought {
                remark(UNTRUSTED);
            }
            output.print(&Report::of_export(&verified, began.elapsed()), Report::text)?;
            Ok(Outcome::Done)
        }
        Err(VerifyError::Fault(fault)) => fault::report(output, &fault),
        Err(VerifyError::Read(error)) => unreadable(error),
    }
}

async fn verify_live(
    settings: &Settings,
    output: Output,
    key: Option<VerifierKey>,
    mut older_keys: Vec<VerifierKey>,
    old: Option<SignedCheckpoint>,
) -> anyhow::Result<Outcome> {
    let began = Instant::now();
    anyhow::ensure!(
        settings.database_url.is_some() || EventLog::is_in(&settings.data),
        "{} holds no log; to verify an export, name its file",
        settings.data.display()
    );
    let key_given = key.is_some();
    let key = match key {
        Some(key) => Some(key),
        None => given::known_key(settings)?,
    };
    let stack = Stack::open_as_it_is(settings).await?;
    let published = match stack.keys.published_checkpoint().await {
        Err(KeyError::Damaged(_)) => return fault::report(output, &Fault::Published),
        published => published?,
    };
    older_keys.extend(stack.keys.retired_audit_keys().await?);
    let demands = live::Demands {
        key,
        older_keys,
        published,
        old_checkpoint: old,
    };
    let mut progress = Progress::of("records verified");
    match verify_log(&stack.log, &demands, |count| progress.at(count)).await {
        Ok(verified) => {
            // Nothing is written to a log that is damaged, not even this.
            access::record(&stack, AccessCall::HistoryVerify, Asked::all()).await?;
            let report = Report::of_log(&verified, demands.key.as_ref(), key_given, began.elapsed());
            output.print(&report, Report::text)?;
            Ok(Outcome::Done)
        }
        Err(VerifyLogError::Fault(fault)) => fault::report(output, &fault),
        Err(error @ VerifyLogError::NoKey) => Err(anyhow::Error::new(error)
            .context("give the public key with --key, or set SEGUE_AUDIT_KEY or SEGUE_AUDIT_KEY_FILE")),
        Err(error) => Err(error).context("the log could not be verified"),
    }
}

impl Report {
    fn of_export(verified: &Verified, took: Duration) -> Self {
        let said = verified.checkpoint.checkpoint();
        Self {
            verified: true,
            origin: Some(said.origin().to_owned()),
            records: said.size(),
            streams: verified.streams,
            root_hash: Hash(said.root()).to_string(),
            signed_records: said.size(),
            public_key: Some(verified.key.to_string()),
            key_given: verified.trust == Trust::Given,
            old_checkpoint: verified.old_checkpoint,
            live: None,
            seconds: took.as_secs_f64(),
        }
    }

    fn of_log(verified: &VerifiedLog, key: Option<&VerifierKey>, key_given: bool, took: Duration) -> Self {
        Self {
            verified: true,
            origin: key.map(|key| key.name().to_owned()),
            records: verified.size,
            streams: verified.streams,
            root_hash: verified.root.to_string(),
            signed_records: verified.signed_size.unwrap_or(0),
            public_key: key.map(ToString::to_string),
            key_given,
            old_checkpoint: verified.old_checkpoint,
            live: Some(Live {
                tree_size: verified.tree_size,
                checkpoints: verified.checkpoints,
                published: verified.published,
            }),
            seconds: took.as_secs_f64(),
        }
    }

    fn text(&self) -> String {
        let mut lines = vec![format!(
            "verified: {} records in {} streams, root {}",
            self.records, self.streams, self.root_hash
        )];
        match &self.public_key {
            Some(key) => lines.push(format!("signed up to record {} by {key}", self.signed_records)),
            None => lines.push("nothing is signed yet".to_owned()),
        }
        if let Some(size) = self.old_checkpoint {
            lines.push(format!("it begins with the {size} records of the old checkpoint"));
        }
        if let Some(live) = &self.live {
            lines.push(format!(
                "columns, the tree of {} records and {} stored checkpoints agree with the records",
                live.tree_size, live.checkpoints
            ));
        }
        let rate = self.records as f64 / self.seconds.max(1e-9);
        lines.push(format!("{:.2} s, {rate:.0} records/s", self.seconds));
        lines.join("\n")
    }
}
