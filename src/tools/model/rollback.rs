//! `segue model rollback`: publishes a model again that was current before.

use anyhow::{Context, bail, ensure};
use domain::Digest;
use serde::Serialize;

use super::known::Known;
use super::publish::publish;
use crate::output::Output;
use crate::stack::Stack;

#[derive(Serialize)]
struct RolledBack {
    /// The model that is current now.
    model: Digest,
    /// The model that was current before; absent when that is the same.
    from: Option<Digest>,
    /// Where the current model was published.
    position: u64,
}

pub(super) async fn run(stack: &Stack, output: Output, to: Option<&str>) -> anyhow::Result<()> {
    let known = Known::read(stack).await?;
    let target = match to {
        Some(what) => registered(&known, what)?,
        None => before(&known)?,
    };
    let from = known.current().map(|current| current.published.model);
    let model = known.model(stack, target).await?;
    // A target that is current already is published all the same: that brings the registry to what the log says.
    let position = publish(stack, &model).await?;
    let rolled_back = RolledBack {
        model: target,
        from: from.filter(|from| *from != target),
        position,
    };
    output.print(&rolled_back, RolledBack::text)
}

fn registered(known: &Known, what: &str) -> anyhow::Result<Digest> {
    let model = known.named(what)?;
    ensure!(
        known.entry(model).is_some(),
        "model {model} is not in the registry: `segue model publish` puts it there again"
    );
    Ok(model)
}

/// The model before the current one; the current one itself when its publication went back already, so that asking
/// again after an answer that was lost goes back no further.
fn before(known: &Known) -> anyhow::Result<Digest> {
    let (current, earlier) = known
        .published
        .split_last()
        .context("no model is published yet")?;
    let current = current.published.model;
    if earlier.iter().any(|known| known.published.model == current) {
        return Ok(current);
    }
    match earlier.last() {
        Some(last) => Ok(last.published.model),
        None => bail!("model {current} is the first that was published: there is none to go back to"),
    }
}

impl RolledBack {
    fn text(&self) -> String {
        let Self { model, position, .. } = self;
        match self.from {
            Some(from) => {
                format!("model {model} is published again at position {position}, in place of {from}")
            }
            None => format!(
                "model {model} is current already, since position {position}; `--to MODEL` goes back to another"
            ),
        }
    }
}
