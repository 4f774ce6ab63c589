//! The models that log and registry know, and one of them by the beginning of its fingerprint.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, bail};
use classifier::BaseModel;
use domain::{BaseModelEvent, BaseModelId, Digest, base_model};
use eventing::{Payload, Position, StreamId, Version};
use workers::RegistryError;
use workers::registry::{Current, Entry};

use crate::output::remark;
use crate::stack::Stack;

/// Events of the models' stream read at a time.
const PAGE: usize = 1_000;
/// Fewer digits of a fingerprint name nothing: they would soon name two.
const DIGITS_MIN: usize = 4;

/// What is known of base models.
pub(super) struct Known {
    /// Every publication, oldest first.
    pub(super) published: Vec<Publication>,
    /// What lies in the registry.
    pub(super) registered: Vec<Entry>,
    /// Where the registry's pointer stands.
    pub(super) pointer: Option<Current>,
}

/// A publication and where it stands.
pub(super) struct Publication {
    pub(super) position: Position,
    pub(super) published: base_model::Published,
}

pub(super) fn stream() -> StreamId {
    StreamId::new(BaseModelId::CATEGORY, BaseModelId::MAIN.uuid())
}

impl Known {
    /// Reads both. A registry that does not answer is told on standard error, and the log's knowledge stands alone.
    pub(super) async fn read(stack: &Stack) -> anyhow::Result<Self> {
        Ok(Self {
            published: publications(stack).await?,
            registered: told("list its models", stack.registry.list().await).unwrap_or_default(),
            pointer: told("say which is current", stack.registry.current().await).flatten(),
        })
    }

    /// The model that the next playlist is made with.
    pub(super) fn current(&self) -> Option<&Publication> {
        self.published.last()
    }

    /// The last publication of `model`.
    pub(super) fn publication(&self, model: Digest) -> Option<&Publication> {
        self.published
            .iter()
            .rev()
            .find(|known| known.published.model == model)
    }

    pub(super) fn entry(&self, model: Digest) -> Option<&Entry> {
        self.registered.iter().find(|entry| entry.model == model)
    }

    /// Every model: the published ones in the order of their last publication, then those that were not.
    pub(super) fn models(&self) -> Vec<Digest> {
        let mut last: BTreeMap<Digest, Position> = BTreeMap::new();
        for Publication { position, published } in &self.published {
            last.insert(published.model, *position);
        }
        let mut models: Vec<Digest> = last.keys().copied().collect();
        models.sort_by_key(|model| last[model]);
        let unpublished = self.registered.iter().map(|entry| entry.model);
        models.extend(unpublished.filter(|model| !last.contains_key(model)));
        models
    }

    /// The one model whose fingerprint begins with `what`.
    pub(super) fn named(&self, what: &str) -> anyhow::Result<Digest> {
        let is_named = |model: &Digest| what.len() >= DIGITS_MIN && model.to_string().starts_with(what);
        let found: Vec<Digest> = self.models().into_iter().filter(is_named).collect();
        match found[..] {
            [model] => Ok(model),
            [] => bail!(
                "{what:?} is no model: give a file, or {DIGITS_MIN} or more digits of a fingerprint that `segue model list` shows"
            ),
            _ => bail!("{what:?} begins {} fingerprints: give more digits", found.len()),
        }
    }

    /// The model itself: from the registry, or from the log's copy.
    pub(super) async fn model(&self, stack: &Stack, model: Digest) -> anyhow::Result<BaseModel> {
        let registered = told("give the model", stack.registry.get(model).await);
        if let Some(bytes) = registered.flatten() {
            return decode_model(model, &bytes);
        }
        let known = self.publication(model);
        let known = known.with_context(|| format!("model {model} is not to be had"))?;
        let blob = stack.log.blob(known.published.blob.as_bytes()).await?;
        decode_model(
            model,
            &blob.with_context(|| format!("the log's copy of model {model} is missing"))?,
        )
    }
}

/// The model in the file `what`, or the one that its beginning names.
pub(super) async fn find(stack: &Stack, what: &str) -> anyhow::Result<BaseModel> {
    if Path::new(what).is_file() {
        let bytes = std::fs::read(what).with_context(|| format!("{what} cannot be read"))?;
        return BaseModel::from_bytes(&bytes).with_context(|| format!("{what} holds no base model"));
    }
    let known = Known::read(stack).await?;
    let model = known.named(what)?;
    known.model(stack, model).await
}

fn decode_model(model: Digest, bytes: &[u8]) -> anyhow::Result<BaseModel> {
    let decoded = BaseModel::from_bytes(bytes)?;
    anyhow::ensure!(
        decoded.fingerprint() == model,
        "model {model} is not what its name says"
    );
    Ok(decoded)
}

/// What the registry answered; its trouble is told.
fn told<T>(what: &str, answer: Result<T, RegistryError>) -> Option<T> {
    let told = answer.map_err(anyhow::Error::from);
    told.inspect_err(|error| remark(&format!("the registry did not {what}: {error:#}")))
        .ok()
}

/// The facts of all publications, straight from the log.
async fn publications(stack: &Stack) -> anyhow::Result<Vec<Publication>> {
    let mut publications = Vec::new();
    let mut after = Version::NONE;
    loop {
        let events = stack.log.read_stream(&stream(), after, PAGE).await?;
        for event in &events {
            after = event.version;
            publications.extend(decode(stack, event).await?);
        }
        if events.len() < PAGE {
            return Ok(publications);
        }
    }
}

async fn decode(stack: &Stack, event: &eventing::RecordedEvent) -> anyhow::Result<Vec<Publication>> {
    let Payload::Open(payload) = stack.keys.open_event(event).await? else {
        return Ok(Vec::new());
    };
    let decoded = domain::decode(&event.event_type, event.schema_version.get(), &payload)?;
    let publications = decoded.into_iter().filter_map(|decoded| match decoded {
        domain::Event::BaseModel(BaseModelEvent::Published(published)) => Some(Publication {
            position: event.position,
            published,
        }),
        _ => None,
    });
    Ok(publications.collect())
}
