//! `segue model train`: fits a base model on who liked what.

use std::path::Path;

use anyhow::Context;
use classifier::BaseModel;
use domain::Digest;
use serde::Serialize;

use super::publish;
use super::ratings::read_ratings;
use crate::cli::TrainArguments;
use crate::output::Output;
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

pub(super) async fn run(stack: &Stack, output: Output, arguments: &TrainArguments) -> anyhow::Result<()> {
    let trained = train(stack, arguments).await?;
    output.print(&trained, Trained::text)
}

async fn train(stack: &Stack, arguments: &TrainArguments) -> anyhow::Result<Trained> {
    let schema = frozen_schema(stack)
        .await?
        .context("import a catalogue first: it freezes the feature schema")?;
    let listeners = read_ratings(&arguments.file, &schema)?;
    let model = BaseModel::fit(&schema, &name_of(&arguments.file), &listeners)?
        .tuned(arguments.genre_weight, arguments.half_life_days)?;
    let position = if arguments.publish {
        Some(publish::publish(stack, &model).await?)
    } else {
        stack.registry.put(model.to_bytes()).await?;
        None
    };
    Ok(Trained {
        model: model.fingerprint(),
        kind: model.kind,
        trained_on: model.trained_on,
        listeners: listeners.len(),
        ratings: listeners.iter().map(Vec::len).sum(),
        position,
    })
}

fn name_of(file: &Path) -> String {
    file.file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
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
