//! `segue audit checkpoint`: a signed checkpoint of the whole log.

use domain::{AccessCall, Asked};
use eventing::notes::SignedCheckpoint;
use serde::Serialize;

use super::given;
use crate::Outcome;
use crate::output::Output;
use crate::settings::Settings;
use crate::stack::Stack;
use crate::{access, sealing};

#[derive(Serialize)]
struct Signed {
    origin: String,
    size: u64,
    root_hash: String,
    checkpoint: String,
}

pub(super) async fn run(stack: &Stack, settings: &Settings, output: Output) -> anyhow::Result<Outcome> {
    let checkpoint = seal(stack, settings).await?;
    access::record(stack, AccessCall::CheckpointRead, Asked::all()).await?;
    let said = checkpoint.checkpoint();
    let signed = Signed {
        origin: said.origin().to_owned(),
        size: said.size(),
        root_hash: eventing::merkle::Hash(said.root()).to_string(),
        checkpoint: checkpoint.to_string(),
    };
    output.print(&signed, |signed| signed.checkpoint.clone())?;
    Ok(Outcome::Done)
}

/// Signs a checkpoint of the whole log, stored before it is given out.
pub(super) async fn seal(stack: &Stack, settings: &Settings) -> anyhow::Result<SignedCheckpoint> {
    given::signing_key(settings)?;
    let head = stack.log.head().await?;
    Ok(sealing::sealer(stack, settings).await?.seal(head).await?)
}
