//! `segue audit witness`: cosigns what a log says, as long as it only grows.
//!
//! A witness is another party than the log. It remembers the last checkpoint that it cosigned, and cosigns a newer one only
//! with a proof that the log still begins with that. What it remembers is on the disk before its cosignature is given out, so
//! it never says two things that contradict each other, whatever happens in between.

mod remote;
mod state;

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use eventing::merkle::{Hash, verify_consistency};
use eventing::notes::{SignedCheckpoint, Untrusted, VerifierKey, WitnessKey};
use eventing::verify::FaultKind;
use serde::Serialize;

use self::remote::{Remote, hashes_of};
use self::state::{State, StateFile};
use super::{fault, given};
use crate::Outcome;
use crate::cli::WitnessArguments;
use crate::output::{Output, remark};

#[derive(Serialize)]
struct Cosigned {
    origin: String,
    size: u64,
    root_hash: String,
    /// The size that was cosigned before; 0 at the first time.
    previous_size: u64,
    cosignature: String,
    checkpoint: String,
}

/// Why nothing was cosigned.
enum Refusal {
    /// The log said something that a witness must not sign.
    Log(FaultKind, String),
    /// The system or the network failed.
    Failed(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

pub(super) async fn run(output: Output, arguments: &WitnessArguments) -> anyhow::Result<Outcome> {
    let witness = WitnessKey::from_file(&arguments.key)?;
    let given = arguments.log_key.as_deref().map(given::public_key).transpose()?;
    let remote = Remote::new(&arguments.log, &arguments.token_file)?;
    let file = StateFile::lock(&arguments.state)?;
    match cosign(&remote, &file, &witness, given).await {
        Ok(cosigned) => {
            output.print(&cosigned, |cosigned| cosigned.checkpoint.clone())?;
            Ok(Outcome::Done)
        }
        Err(Refusal::Log(kind, why)) => fault::say(output, kind, None, format!("not cosigned: {why}")),
        Err(Refusal::Failed(error)) => Err(error),
    }
}

async fn cosign(
    remote: &Remote,
    file: &StateFile,
    witness: &WitnessKey,
    given: Option<VerifierKey>,
) -> Result<Cosigned, Refusal> {
    let last = file.read()?;
    let key = log_key(remote, last.as_ref(), given).await?;
    let checkpoint = remote.checkpoint().await?;
    let checkpoint = SignedCheckpoint::parse(checkpoint.as_bytes())
        .map_err(|error| Refusal::Log(FaultKind::Unsigned, error.to_string()))?;
    checkpoint.verify(&key).map_err(|error| match error {
        Untrusted::OtherLog { .. } => Refusal::Log(FaultKind::Inconsistent, error.to_string()),
        Untrusted::NotSigned(_) => Refusal::Log(FaultKind::Unsigned, error.to_string()),
    })?;
    if let Some(last) = &last {
        check_growth(remote, last, &checkpoint).await?;
    }
    let said = checkpoint.checkpoint();
    file.write(&State::new(&key, &checkpoint))?;
    let line = witness.cosign(checkpoint.note(), now_s()?);
    let cosignature = line.to_string().trim_end().to_owned();
    Ok(Cosigned {
        origin: said.origin().to_owned(),
        size: said.size(),
        root_hash: Hash(said.root()).to_string(),
        previous_size: last.map_or(0, |last| last.size()),
        cosignature,
        checkpoint: checkpoint.with(line)?.to_string(),
    })
}

/// The key that the log is known by: the one that was given, else the one that is remembered, else the one that the log shows.
async fn log_key(
    remote: &Remote,
    last: Option<&State>,
    given: Option<VerifierKey>,
) -> Result<VerifierKey, Refusal> {
    match (given, last) {
        (Some(given), Some(last)) if given != *last.log_key() => Err(Refusal::Log(
            FaultKind::Inconsistent,
            format!("the state is of the log with the key {}", last.log_key()),
        )),
        (Some(given), _) => Ok(given),
        (None, Some(last)) => Ok(last.log_key().clone()),
        (None, None) => {
            let shown: VerifierKey = remote
                .key()
                .await?
                .parse()
                .map_err(|error| Refusal::Log(FaultKind::Unsigned, format!("the log's key: {error}")))?;
            remark(&format!(
                "This log is met for the first time, and is taken by its word that its key is {shown}; give it with --log-key to be sure."
            ));
            Ok(shown)
        }
    }
}

/// Makes sure that the log still begins with what was cosigned last.
async fn check_growth(remote: &Remote, last: &State, now: &SignedCheckpoint) -> Result<(), Refusal> {
    let (from, to) = (last.size(), now.checkpoint().size());
    let (from_root, to_root) = (last.root(), Hash(now.checkpoint().root()));
    let inconsistent = |why: String| Err(Refusal::Log(FaultKind::Inconsistent, why));
    if to < from {
        return inconsistent(format!(
            "the log has {to} records, and {from} were cosigned: it went back"
        ));
    }
    // Everything begins with nothing, and what is the same needs no proof.
    let proof = if from == 0 || from == to {
        Vec::new()
    } else {
        hashes_of(&remote.consistency(from, to).await?).ok_or_else(|| {
            let why = "the log's answer is not a consistency proof";
            Refusal::Log(FaultKind::Unreadable, why.to_owned())
        })?
    };
    match verify_consistency(from, to, &from_root, &to_root, &proof) {
        Ok(()) => Ok(()),
        Err(error) => inconsistent(format!(
            "the log of {to} records does not begin with the {from} that were cosigned: {error}"
        )),
    }
}

fn now_s() -> anyhow::Result<u64> {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .context("the clock stands before 1970")?;
    Ok(since.as_secs())
}
