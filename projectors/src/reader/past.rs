//! A listener's taste from the log or from memory, as the live view gave it.

use domain::AccountId;
use eventing::{EventLog, Keys, Version};

use super::{listener_stream, track_of};
use crate::{
    ListenerTaste, ViewError,
    as_of::opened_until,
    fold::fold_alone,
    projections::{TasteModels, taste_models},
    rebuild::blocking,
    view::View,
};

/// Folds a listener's stream up to and including `version`, from the log alone: what a playlist was made from.
/// Gives the same as the view did when it stood there, and nothing for a listener who was forgotten.
///
/// # Errors
/// - `Log`: the log or a key could not be read, or an event could not be decoded.
pub async fn listener_taste_as_of(
    log: &EventLog,
    keys: &Keys,
    listener: AccountId,
    version: Version,
) -> Result<ListenerTaste, ViewError> {
    let stream = listener_stream(listener);
    let opened = opened_until(log, keys, &stream, version).await?;
    blocking(move || taste_of(&fold_alone::<TasteModels>(stream, opened)?)).await
}

/// What a view that was folded in memory holds.
pub(crate) fn taste_of(view: &View<taste_models::Head>) -> Result<ListenerTaste, ViewError> {
    let Some(head) = view.head() else {
        return Ok(ListenerTaste::default());
    };
    let artists = view.entries::<taste_models::ArtistEntry>(taste_models::ARTISTS)?;
    let artists = artists.into_iter().map(|(_, entry)| entry);
    let ratings = view.entries::<taste_models::Rated>(taste_models::RATINGS)?;
    let played = view.entries::<taste_models::Played>(taste_models::PLAYS)?;
    Ok(ListenerTaste {
        taste: head.clone().with_artists(artists).taste,
        ratings: ratings
            .into_iter()
            .map(|(track, entry)| Ok((track_of(track.as_bytes(), "")?, entry)))
            .collect::<Result<_, ViewError>>()?,
        played: played
            .into_iter()
            .map(|(track, entry)| Ok((track_of(track.as_bytes(), "")?, entry)))
            .collect::<Result<_, ViewError>>()?,
    })
}
