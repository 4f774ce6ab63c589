//! One request to its one answer.
//!
//! The answer is a function of [`Inputs`] and of the contents that digests in them name. So it is the same on every
//! worker and at any time, and an auditor can compute it again.

use std::sync::Arc;

use classifier::{BaseModel, Catalogue, Companions, Evidence, Failure, GeneratorVersion, generate_playlist};
use domain::{FailureReason, Generated, PlaylistCommand, PlaylistRequest, companions};

use crate::inputs::{Inputs, Request};
use crate::library::{Library, LibraryError};

/// What the answer to a request is.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// A playlist.
    Generated(Box<Generated>),
    /// There can be none.
    Failed(Refusal),
}

/// Why there can be no playlist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// For programs.
    pub reason: FailureReason,
    /// For people.
    pub detail: Option<String>,
}

impl Refusal {
    fn new(reason: FailureReason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: Some(detail.into()),
        }
    }
}

impl Answer {
    /// The command that records this answer.
    #[must_use]
    pub fn into_command(self, at: chrono::DateTime<chrono::Utc>) -> PlaylistCommand {
        match self {
            Self::Generated(generated) => PlaylistCommand::RecordGeneration(generated),
            Self::Failed(Refusal { reason, detail }) => PlaylistCommand::RecordFailure { reason, detail, at },
        }
    }
}

/// Makes the answer to `request` from what stood in the log before it, by the rules of `version`.
///
/// Computes on a thread that may block; dropping the future wastes that work and changes nothing.
///
/// # Errors
/// - Only transient [`LibraryError`]s: nothing is known of the answer; try again. Content that is lost for good is an
///   answer, [`Answer::Failed`].
pub async fn answer(
    version: GeneratorVersion,
    request: &Request,
    inputs: Inputs,
    library: &Library,
) -> Result<Answer, LibraryError> {
    let contents = contents(version, &inputs, library).await;
    answer_from(version, request, inputs, contents).await
}

/// As [`answer`], with the contents that `inputs` name.
pub(crate) async fn answer_from(
    version: GeneratorVersion,
    request: &Request,
    inputs: Inputs,
    contents: Result<Contents, Unavailable>,
) -> Result<Answer, LibraryError> {
    match contents {
        Ok(contents) => Ok(compute(version, request, inputs, contents).await),
        Err(Unavailable::Never(refusal)) => Ok(Answer::Failed(refusal)),
        Err(Unavailable::Now(error)) => Err(error),
    }
}

/// What the digests of the inputs name.
pub(crate) struct Contents {
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) model: Arc<BaseModel>,
    pub(crate) companions: Option<Arc<Companions>>,
    note: Option<&'static str>,
}

/// Why that is not to be had.
pub(crate) enum Unavailable {
    /// Trying again may help.
    Now(LibraryError),
    /// It is lost, which is an answer.
    Never(Refusal),
}

const OTHER_FEATURES: &str = "The published base model belongs to other features than the catalogue; \
                              a neutral one was used.";

pub(crate) async fn contents(
    version: GeneratorVersion,
    inputs: &Inputs,
    library: &Library,
) -> Result<Contents, Unavailable> {
    let Some(imported) = &inputs.catalogue else {
        let refusal = Refusal::new(FailureReason::NoCatalogue, "No catalogue had been imported.");
        return Err(Unavailable::Never(refusal));
    };
    let catalogue = library.catalogue(imported.version, imported.blob).await;
    let catalogue = catalogue.map_err(|error| lost(FailureReason::CatalogueUnavailable, error))?;
    let (model, note) = model(&catalogue, inputs, library).await?;
    let published = inputs.companions.as_ref();
    let companions = companions(published.filter(|_| version.reads_companions()), library).await?;
    Ok(Contents {
        catalogue,
        model,
        companions,
        note,
    })
}

/// The base model, and what the listener should know of it.
async fn model(
    catalogue: &Catalogue,
    inputs: &Inputs,
    library: &Library,
) -> Result<(Arc<BaseModel>, Option<&'static str>), Unavailable> {
    let Some(published) = &inputs.model else {
        return Ok((Library::neutral(catalogue.schema()), None));
    };
    if published.schema != catalogue.schema().digest() {
        return Ok((Library::neutral(catalogue.schema()), Some(OTHER_FEATURES)));
    }
    let model = library.model(published.model, published.blob).await;
    let model = model.map_err(|error| lost(FailureReason::ModelUnavailable, error))?;
    Ok((model, None))
}

/// The companions, which are part of what a playlist is learned from: lost ones are a lost model.
async fn companions(
    published: Option<&companions::Published>,
    library: &Library,
) -> Result<Option<Arc<Companions>>, Unavailable> {
    let Some(published) = published else {
        return Ok(None);
    };
    let companions = library.companions(published.digest, published.blob).await;
    companions
        .map(Some)
        .map_err(|error| lost(FailureReason::ModelUnavailable, error))
}

fn lost(reason: FailureReason, error: LibraryError) -> Unavailable {
    if error.is_transient() {
        return Unavailable::Now(error);
    }
    tracing::error!(
        error = &error as &dyn std::error::Error,
        "content that the log names is lost"
    );
    Unavailable::Never(Refusal { reason, detail: None })
}

async fn compute(version: GeneratorVersion, request: &Request, inputs: Inputs, contents: Contents) -> Answer {
    let asked = request.requested.request.clone();
    let requested_at = request.requested.requested_at;
    let computed =
        tokio::task::spawn_blocking(move || generate(version, &asked, requested_at, inputs, &contents)).await;
    // A panic there is a defect that every worker would meet: an answer ends it, and the log line tells of it.
    computed.unwrap_or_else(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "the generator panicked");
        Answer::Failed(Refusal {
            reason: FailureReason::Internal,
            detail: None,
        })
    })
}

fn generate(
    version: GeneratorVersion,
    asked: &PlaylistRequest,
    requested_at: chrono::DateTime<chrono::Utc>,
    inputs: Inputs,
    contents: &Contents,
) -> Answer {
    let input = inputs.taste.into_input(requested_at);
    let Contents {
        catalogue,
        model,
        companions,
        note,
    } = contents;
    let evidence = Evidence {
        catalogue,
        base: model,
        companions: companions.as_deref(),
        listener: &input,
        listener_version: inputs.listener_version.0,
    };
    match generate_playlist(version, &evidence, asked) {
        Ok(mut generated) => {
            generated.notes.extend(note.map(str::to_owned));
            Answer::Generated(Box::new(generated))
        }
        Err(failure) => Answer::Failed(refusal(&failure)),
    }
}

fn refusal(failure: &Failure) -> Refusal {
    Refusal::new(failure.reason(), failure.to_string())
}

#[cfg(test)]
mod tests {
    use eventing::testing::TempDir;
    use eventing::{EventLog, LogConfig};
    use projectors::Catalogues;

    use super::*;
    use crate::Registry;

    fn published(content: &Companions) -> companions::Published {
        companions::Published {
            digest: content.digest(),
            blob: content.digest(),
            as_of: 7,
            listeners: 0,
            likes: 0,
            published_at: chrono::DateTime::UNIX_EPOCH,
        }
    }

    #[tokio::test]
    async fn companions_that_are_lost_end_a_request_as_a_lost_model_does() {
        let dir = TempDir::new();
        let log = EventLog::open(LogConfig::new(dir.path())).await.unwrap();
        let registry = Registry::files(dir.path().join("models"));
        let library = Library::new(log.clone(), registry, Catalogues::new(log.clone()));
        let content = Companions::none();
        let published = published(&content);
        let lost = companions(Some(&published), &library).await;
        let Err(Unavailable::Never(refusal)) = lost else {
            panic!("it is lost for good")
        };
        assert_eq!(refusal.reason, FailureReason::ModelUnavailable);

        log.put_blob(content.to_bytes()).await.unwrap();
        let found = companions(Some(&published), &library).await;
        assert!(matches!(found, Ok(Some(found)) if *found == content));
        assert!(matches!(companions(None, &library).await, Ok(None)));
    }
}
