//! The access log: every read of the history is itself recorded before it is answered.
//!
//! No record, no answer: where the append fails, so does the read. Of a stream that goes on, the opening is recorded, once.
//! A handler asks for an [`AuditorRead`] in place of a session and records what was asked for with one line.

use axum::extract::FromRequestParts;
use domain::{AccessCall, AccessEvent, AccessId, AccountId, Asked, HistoryRead, Role, StoredEvent};
use eventing::{
    Append, AppendError, EventLog, ExpectedVersion, Metadata, NewEvent, Position, SchemaVersion, StreamId,
};
use http::request::Parts;

use crate::{
    auth::Session,
    commands::{append_problem, metadata_of},
    problem::Problem,
    state::ApiState,
};

/// An auditor's request to read the history: the session passed the gate and has the role. For a handler:
///
/// ```text
/// async fn tile(State(api): State<ApiState>, auditor: AuditorRead, ..) -> Answer {
///     let tile = ..; // look first, so that what is answered does not hold the record of its own reading
///     auditor.record(&api, AccessCall::TileRead, Asked::position(first)).await?;
///     Ok(answer(tile))
/// }
/// ```
///
/// Malformed requests are refused before anything is recorded; everything that tells something of the history is
/// recorded, "there is no such thing" and "nothing has changed" included.
pub struct AuditorRead {
    session: Session,
    metadata: Metadata,
}

impl AuditorRead {
    /// Records that this auditor made `call` and asked for `asked`, and answers the record's position. Must be done before
    /// the answer is given.
    ///
    /// # Errors
    /// The problem to answer with in place of the history. After `outcome-unknown` it may be recorded; otherwise it is not.
    pub async fn record(&self, api: &ApiState, call: AccessCall, asked: Asked) -> Result<Position, Problem> {
        let read = HistoryRead::by_account(self.session.account, call, asked);
        record_read(api.log(), &read, self.metadata.clone())
            .await
            .map_err(|error| append_problem(&error))
    }

    /// Looks at the session again, after something was waited for.
    ///
    /// # Errors
    /// As for a new request: `unauthenticated` when the session is over, `forbidden` when the role was taken away.
    pub async fn check_again(&self, api: &ApiState) -> Result<(), Problem> {
        api.readmit(&self.session.hash).await?.require(Role::Auditor)
    }

    /// Who reads.
    #[must_use]
    pub fn account(&self) -> AccountId {
        self.session.account
    }

    /// The session that they read in.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }
}

impl FromRequestParts<ApiState> for AuditorRead {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &ApiState) -> Result<Self, Problem> {
        let session = Session::from_request_parts(parts, api).await?;
        session.require(Role::Auditor)?;
        Ok(Self {
            session,
            metadata: metadata_of(&parts.headers),
        })
    }
}

/// Appends `read` to its reader's access log, durably, and answers its position. The payload is open and the record names no
/// subject: it outlives its reader's account.
///
/// # Errors
/// [`AppendError`]; then nothing of the history may be given out.
pub async fn record_read(
    log: &EventLog,
    read: &HistoryRead,
    metadata: Metadata,
) -> Result<Position, AppendError> {
    let encoded = AccessEvent::from(read.clone()).encode();
    let event = NewEvent::new(
        encoded.event_type,
        SchemaVersion(encoded.schema_version),
        encoded.payload,
    );
    let stream = StreamId::new(AccessId::CATEGORY, read.stream().uuid());
    let append = Append::new(stream, ExpectedVersion::Any, vec![event], metadata);
    Ok(log.append(append).await?.position)
}
