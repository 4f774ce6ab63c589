//! `segue model show`: one model, and whether the registry's copy of it is sound.

use anyhow::Context;
use classifier::BaseModel;
use domain::Digest;
use serde::Serialize;

use super::known::Known;
use crate::output::{Output, table};
use crate::stack::Stack;
use crate::tools::catalogue::frozen_schema;

#[derive(Serialize)]
struct Shown {
    fingerprint: Digest,
    /// The next playlist is made with it.
    current: bool,
    /// Where it was last published; absent when it never was.
    position: Option<u64>,
    /// `sound`, `absent`, or what is wrong with the registry's copy.
    registry: String,
    model: BaseModel,
    /// The names of the model's features; absent when the catalogue has others.
    features: Option<Vec<String>>,
}

pub(super) async fn run(stack: &Stack, output: Output, what: Option<&str>) -> anyhow::Result<()> {
    let known = Known::read(stack).await?;
    let current = known.current().map(|current| current.published.model);
    let fingerprint = match what {
        Some(what) => known.named(what)?,
        None => current.context("no model is published yet")?,
    };
    let model = known.model(stack, fingerprint).await?;
    let shown = Shown {
        fingerprint,
        current: current == Some(fingerprint),
        position: known.publication(fingerprint).map(|known| known.position.get()),
        registry: registry_copy(stack, fingerprint).await,
        features: features_of(stack, &model).await?,
        model,
    };
    output.print(&shown, Shown::text)
}

async fn registry_copy(stack: &Stack, model: Digest) -> String {
    match stack.registry.get(model).await {
        Ok(Some(_)) => "sound".to_owned(),
        Ok(None) => "absent".to_owned(),
        Err(error) => format!("{:#}", anyhow::Error::from(error)),
    }
}

async fn features_of(stack: &Stack, model: &BaseModel) -> anyhow::Result<Option<Vec<String>>> {
    let schema = frozen_schema(stack)
        .await?
        .filter(|schema| schema.digest() == model.schema);
    Ok(schema.map(|schema| schema.names().map(str::to_owned).collect()))
}

impl Shown {
    fn text(&self) -> String {
        let Self {
            fingerprint,
            registry,
            model,
            ..
        } = self;
        let position = self.position.map_or_else(
            || "not published".to_owned(),
            |position| format!("published at position {position}"),
        );
        let current = if self.current { ", current" } else { "" };
        format!(
            "model {fingerprint}\nkind {}\ntrained on {}\n{position}{current}\nschema {}\ncopy in the registry: {registry}\n{}",
            model.kind,
            model.trained_on,
            model.schema,
            self.table()
        )
    }

    fn table(&self) -> String {
        let BaseModel { like, dislike, .. } = &self.model;
        let name = |index: usize| match &self.features {
            Some(names) => names[index].clone(),
            None => index.to_string(),
        };
        let row = |index: usize| {
            let numbers = [
                like.mean[index],
                dislike.mean[index],
                like.kappa[index],
                dislike.kappa[index],
            ];
            let numbers = numbers.map(|number| format!("{number:.4}"));
            std::iter::once(name(index)).chain(numbers).collect()
        };
        let rows: Vec<Vec<String>> = (0..self.model.features()).map(row).collect();
        table(
            &["feature", "liked", "disliked", "strength of liked", "of disliked"],
            &rows,
        )
    }
}
