//! `GET /v1/audit/tile/{level}/{path}`: the tree in tiles, as C2SP `tlog-tiles` has them.

use axum::{extract::State, response::Response};
use domain::{AccessCall, Asked};
use eventing::merkle::{Hash, TILE_WIDTH, TileId, TilePath};
use http::{HeaderValue, header};

use crate::{
    access::AuditorRead,
    freshness::log_problem,
    problem::{Answer, FieldError, Problem, ProblemType},
    request::PathOf,
    state::ApiState,
};

/// A full tile never changes. It is for auditors only, so no shared cache keeps it.
const FOR_EVER: HeaderValue = HeaderValue::from_static("private, max-age=31536000, immutable");
const FOR_NOW: HeaderValue = HeaderValue::from_static("private, no-cache");

/// 200 with the hashes, one after the other; 404 while the tree does not reach so far. A checkpoint that was given out is
/// covered by tiles.
pub(crate) async fn show(
    State(api): State<ApiState>,
    auditor: AuditorRead,
    PathOf((level, path)): PathOf<(String, String)>,
) -> Answer {
    let asked: TilePath = format!("{level}/{path}").parse().map_err(|error| {
        let error = FieldError::new("tile", format!("is no tile: {error}"));
        Problem::new(ProblemType::InvalidPath).errors([error])
    })?;
    let hashes = api.sealer().tree().tile(asked.id).await;
    let hashes = hashes.map_err(|error| log_problem(&error))?;
    auditor
        .record(
            &api,
            AccessCall::TileRead,
            Asked::position(first_position(asked.id)),
        )
        .await?;
    let hashes = hashes.get(..asked.width).ok_or(ProblemType::NotFound)?;
    Ok(answer(hashes))
}

/// The position of the first record below a tile.
fn first_position(id: TileId) -> u64 {
    let leaves = (TILE_WIDTH as u64).checked_shl(8 * u32::from(id.level));
    let before = leaves.unwrap_or(u64::MAX).saturating_mul(id.n);
    before.saturating_add(1)
}

fn answer(hashes: &[Hash]) -> Response {
    let mut response = Response::new(Hash::write_all(hashes).into());
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    let is_full = hashes.len() == TILE_WIDTH;
    headers.insert(header::CACHE_CONTROL, if is_full { FOR_EVER } else { FOR_NOW });
    response
}
