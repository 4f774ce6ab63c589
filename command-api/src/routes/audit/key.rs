//! `GET /v1/audit/key`: what checkpoints are verified with.

use axum::extract::State;
use domain::{AccessCall, Asked};

use super::{TEXT, no_key, text_answer};
use crate::{access::AuditorRead, problem::Answer, state::ApiState};

/// 200 with the verifier key as note key text. Whoever wants to hold this service to anything keeps it elsewhere.
pub(crate) async fn show(State(api): State<ApiState>, auditor: AuditorRead) -> Answer {
    let key = api.sealer().verifier().ok_or_else(no_key)?;
    auditor.record(&api, AccessCall::KeyRead, Asked::all()).await?;
    Ok(text_answer(format!("{key}\n"), TEXT))
}
