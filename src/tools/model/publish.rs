//! `segue model publish`: makes a model the one that later playlists are made with.

use chrono::Utc;
use classifier::BaseModel;
use domain::{BaseModelCommand, Digest};
use eventing::{Metadata, Order};
use serde::Serialize;

use super::known::{find, stream};
use crate::output::{Output, remark};
use crate::stack::Stack;
use crate::tools::catalogue::frozen_schema;

#[derive(Serialize)]
struct Published {
    model: Digest,
    kind: String,
    position: u64,
}

pub(super) async fn run(stack: &Stack, output: Output, what: &str) -> anyhow::Result<()> {
    let model = find(stack, what).await?;
    let position = publish(stack, &model).await?;
    let published = Published {
        model: model.fingerprint(),
        kind: model.kind,
        position,
    };
    output.print(
        &published,
        |Published {
             model,
             kind,
             position,
         }| { format!("model {model} ({kind}) is published at position {position}") },
    )
}

/// Registry and blob first, then the pointer, and the fact last: a model that no fact names is used by nobody.
///
/// After a failure at any step the same publication again completes it.
pub(super) async fn publish(stack: &Stack, model: &BaseModel) -> anyhow::Result<u64> {
    refuse_other_features(stack, model).await?;
    let bytes = model.to_bytes();
    let fingerprint = stack.registry.put(bytes.clone()).await?;
    let blob = Digest::from_bytes(stack.log.put_blob(bytes).await?);
    point(stack, fingerprint).await?;
    let position = record(stack, model, blob).await?;
    let pointer = stack.registry.current().await;
    if pointer.is_ok_and(|current| current.is_some_and(|current| current.model != fingerprint)) {
        remark("another model was published at the same time: `segue model list` says which is current");
    }
    Ok(position)
}

/// A model of other features than the catalogue's is of no use: playlists would be made with a neutral one instead.
pub(super) async fn refuse_other_features(stack: &Stack, model: &BaseModel) -> anyhow::Result<()> {
    if let Some(schema) = frozen_schema(stack).await? {
        anyhow::ensure!(
            model.schema == schema.digest(),
            "the model belongs to the features {}, the catalogue has {}: train it on this catalogue's tracks",
            model.schema,
            schema.digest()
        );
    }
    Ok(())
}

async fn point(stack: &Stack, model: Digest) -> anyhow::Result<()> {
    let current = stack.registry.current().await?;
    if current.is_some_and(|current| current.model == model) {
        return Ok(());
    }
    let seen = current.map(|current| current.generation);
    stack.registry.set_current(model, seen).await?;
    Ok(())
}

async fn record(stack: &Stack, model: &BaseModel, blob: Digest) -> anyhow::Result<u64> {
    let command = BaseModelCommand::Publish {
        model: model.fingerprint(),
        schema: model.schema,
        kind: model.kind.clone(),
        trained_on: model.trained_on.clone(),
        blob,
        at: Utc::now(),
    };
    let order = Order::<domain::BaseModel>::new(stream(), command, Metadata::new());
    let executed = stack.executor.execute(order).await?;
    Ok(executed.position.get())
}
