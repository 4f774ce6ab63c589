//! `segue audit prove`: that a record is in the log, as a file that needs no log to be checked.

use std::path::Path;

use anyhow::Context;
use domain::{AccessCall, Asked};
use eventing::merkle::{Hash, verify_inclusion};
use eventing::notes::{InclusionNote, Untrusted, VerifierKey};
use eventing::record::leaf_hash;
use eventing::verify::FaultKind;
use eventing::{Position, RecordedEvent};
use serde::Serialize;

use super::{fault, given, replace};
use crate::Outcome;
use crate::cli::ProveArguments;
use crate::output::Output;
use crate::settings::Settings;
use crate::stack::Stack;
use crate::{access, sealing};

pub(super) async fn run(
    settings: &Settings,
    output: Output,
    arguments: &ProveArguments,
) -> anyhow::Result<Outcome> {
    match (&arguments.verify, &arguments.key, arguments.position) {
        (Some(file), Some(key), _) => check(
            output,
            file,
            &given::public_key(key)?,
            arguments.record.as_deref(),
        ),
        (_, _, Some(position)) => {
            let stack = Stack::open(settings).await?;
            let proof = prove(&stack, settings, Position(position)).await?;
            write(output, &proof, arguments.out.as_deref())
        }
        _ => anyhow::bail!("name the position of a record, or a proof with --verify and --key"),
    }
}

/// The proof, with the record itself as its extra data: whoever checks it needs nothing else.
async fn prove(stack: &Stack, settings: &Settings, position: Position) -> anyhow::Result<InclusionNote> {
    let head = stack.log.head().await?;
    anyhow::ensure!(position != Position::START, "the first record is at position 1");
    anyhow::ensure!(
        position <= head,
        "position {position} is beyond the log, which ends at {head}"
    );
    given::signing_key(settings)?;
    let sealer = sealing::sealer(stack, settings).await?;
    let checkpoint = sealer.seal(position).await?;
    let size = checkpoint.checkpoint().size();
    let proof = sealer.tree().inclusion(position, size).await?;
    let before = Position(position.get() - 1);
    let record = stack.log.read_after(before, 1).await?;
    let record = record.first().context("the record is gone")?.record.to_vec();
    access::record(stack, AccessCall::InclusionProve, Asked::position(position.get())).await?;
    Ok(InclusionNote {
        extra: Some(record),
        index: proof.index,
        hashes: proof.hashes.iter().map(|hash| hash.0).collect(),
        checkpoint,
    })
}

#[derive(Serialize)]
struct Made {
    position: u64,
    tree_size: u64,
    proof: String,
}

fn write(output: Output, proof: &InclusionNote, out: Option<&Path>) -> anyhow::Result<Outcome> {
    let text = proof.to_string();
    if let Some(path) = out {
        replace::write(path, text.as_bytes())?;
    }
    let made = Made {
        position: proof.index + 1,
        tree_size: proof.checkpoint.checkpoint().size(),
        proof: text,
    };
    output.print(&made, |made| match out {
        Some(path) => format!(
            "{} proves the record at position {} in the log of {} records",
            path.display(),
            made.position,
            made.tree_size
        ),
        None => made.proof.clone(),
    })?;
    Ok(Outcome::Done)
}

/// What a sound proof proves.
#[derive(Serialize)]
struct Proved {
    verified: bool,
    origin: String,
    position: u64,
    tree_size: u64,
    stream: String,
    r#type: String,
    recorded_at: String,
}

/// Why a proof proves nothing.
struct Unproved(FaultKind, String);

fn check(output: Output, file: &Path, key: &VerifierKey, record: Option<&Path>) -> anyhow::Result<Outcome> {
    let record = record.map(given::bytes).transpose()?;
    match proved(&given::bytes(file)?, key, record) {
        Ok(proved) => {
            output.print(&proved, |proved| {
                format!(
                    "verified: the {} at position {} of {} was recorded at {}, one of the {} records that {} signed",
                    proved.r#type,
                    proved.position,
                    proved.stream,
                    proved.recorded_at,
                    proved.tree_size,
                    proved.origin
                )
            })?;
            Ok(Outcome::Done)
        }
        Err(Unproved(kind, why)) => fault::say(output, kind, None, why),
    }
}

fn proved(file: &[u8], key: &VerifierKey, record: Option<Vec<u8>>) -> Result<Proved, Unproved> {
    let proof =
        InclusionNote::parse(file).map_err(|error| Unproved(FaultKind::Unreadable, error.to_string()))?;
    let said = proof.checkpoint.checkpoint();
    proof.checkpoint.verify(key).map_err(|error| {
        let kind = match error {
            Untrusted::OtherLog { .. } => FaultKind::Inconsistent,
            Untrusted::NotSigned(_) => FaultKind::Unsigned,
        };
        Unproved(kind, format!("the checkpoint: {error}"))
    })?;
    let mut record = record.or(proof.extra).ok_or_else(|| {
        let why = "the proof does not carry its record: give it with --record";
        Unproved(FaultKind::Unreadable, why.to_owned())
    })?;
    if record.last() == Some(&b'\n') {
        record.pop();
    }
    let leaf = Hash(leaf_hash(&record));
    let hashes: Vec<Hash> = proof.hashes.iter().copied().map(Hash).collect();
    verify_inclusion(&leaf, proof.index, said.size(), &hashes, &Hash(said.root())).map_err(|error| {
        let why =
            format!("the record is not the one that was recorded there, or the proof was changed: {error}");
        Unproved(FaultKind::Inconsistent, why)
    })?;
    let event = RecordedEvent::from_record(record.into())
        .ok()
        .filter(|event| event.position.get() == proof.index + 1)
        .ok_or_else(|| {
            let why = "what is proved is not a record of this position";
            Unproved(FaultKind::Corrupt, why.to_owned())
        })?;
    Ok(Proved {
        verified: true,
        origin: said.origin().to_owned(),
        position: event.position.get(),
        tree_size: said.size(),
        stream: event.stream.to_string(),
        r#type: event.event_type,
        recorded_at: event.recorded_at.to_rfc3339(),
    })
}
