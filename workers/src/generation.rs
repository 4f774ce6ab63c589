//! One request to its one answer.
//!
//! The answer is a function of [`Inputs`] and of the contents that digests in them name. So it is the same on every
//! worker and at any time, and an auditor can compute it again.

use std::sync::Arc;

use classifier::{BaseModel, Catalogue, Failure, TasteInput, generate_playlist};
use domain::{FailureReason, Generated, PlaylistCommand, PlaylistRequest};
use projectors::ListenerTaste;

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

/// Makes the answer to `request` from what stood in the log before it.
///
/// Computes on a thread that may block; dropping the future wastes that work and changes nothing.
///
/// # Errors
/// - Only transient [`LibraryError`]s: nothing is known of the answer; try again. Content that is lost for good is an
///   answer, [`Answer::Failed`].
pub async fn answer(request: &Request, inputs: Inputs, library: &Library) -> Result<Answer, LibraryError> {
    match contents(&inputs, library).await {
        Ok(contents) => Ok(compute(request, inputs, contents).await),
        Err(Unavailable::Never(refusal)) => Ok(Answer::Failed(refusal)),
        Err(Unavailable::Now(error)) => Err(error),
    }
}

/// What the digests of the inputs name.
struct Contents {
    catalogue: Arc<Catalogue>,
    model: Arc<BaseModel>,
    note: Option<&'static str>,
}

enum Unavailable {
    Now(LibraryError),
    Never(Refusal),
}

const OTHER_FEATURES: &str = "The published base model belongs to other features than the catalogue; \
                              a neutral one was used.";

async fn contents(inputs: &Inputs, library: &Library) -> Result<Contents, Unavailable> {
    let Some(imported) = &inputs.catalogue else {
        let refusal = Refusal::new(FailureReason::NoCatalogue, "No catalogue had been imported.");
        return Err(Unavailable::Never(refusal));
    };
    let catalogue = library.catalogue(imported.version, imported.blob).await;
    let catalogue = catalogue.map_err(|error| lost(FailureReason::CatalogueUnavailable, error))?;
    let Some(published) = &inputs.model else {
        return Ok(Contents {
            model: Library::neutral(catalogue.schema()),
            catalogue,
            note: None,
        });
    };
    if published.schema != catalogue.schema().digest() {
        let model = Library::neutral(catalogue.schema());
        return Ok(Contents {
            model,
            catalogue,
            note: Some(OTHER_FEATURES),
        });
    }
    let model = library.model(published.model, published.blob).await;
    let model = model.map_err(|error| lost(FailureReason::ModelUnavailable, error))?;
    Ok(Contents {
        catalogue,
        model,
        note: None,
    })
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

async fn compute(request: &Request, inputs: Inputs, contents: Contents) -> Answer {
    let asked = request.requested.request.clone();
    let requested_at = request.requested.requested_at;
    let computed =
        tokio::task::spawn_blocking(move || generate(&asked, requested_at, inputs, &contents)).await;
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
    asked: &PlaylistRequest,
    requested_at: chrono::DateTime<chrono::Utc>,
    inputs: Inputs,
    contents: &Contents,
) -> Answer {
    let Inputs {
        taste: ListenerTaste {
            taste,
            ratings,
            played,
        },
        listener_version,
        ..
    } = inputs;
    let input = TasteInput {
        taste,
        ratings,
        played_at_ms: played
            .into_iter()
            .map(|(track, at)| (track, at.timestamp_millis()))
            .collect(),
        requested_at_ms: requested_at.timestamp_millis(),
    };
    let Contents {
        catalogue,
        model,
        note,
    } = contents;
    match generate_playlist(catalogue, model, &input, asked, listener_version.0) {
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
