//! `GET /v1/me/taste`: what the model believes of the listener, per feature.

use std::sync::Arc;

use axum::extract::State;
use classifier::{BaseModel, Catalogue};
use domain::FeatureSchema;
use eventing::Position;
use projectors::{ProjectionKind, TasteTold, TasteView};

use super::{json_answer, plays::listener_stream};
use crate::{
    auth::Session,
    clock,
    freshness::{Freshness, view_problem},
    problem::{Answer, Problem, ProblemType},
    state::ApiState,
};

/// 200 with the counts, and with beliefs as soon as there is a catalogue.
pub(crate) async fn show(State(api): State<ApiState>, session: Session, fresh: Freshness) -> Answer {
    fresh
        .of_view(
            &api,
            ProjectionKind::TasteModels,
            &listener_stream(session.account),
        )
        .await?;
    let (taste, reflects) = taste_of(&api, &session).await?;
    Ok(fresh.tell(json_answer(&taste), reflects))
}

/// What is believed now, and as of when.
pub(super) async fn taste_of(api: &ApiState, session: &Session) -> Result<(TasteTold, Position), Problem> {
    let viewed = api
        .views()
        .taste(session.account)
        .await
        .map_err(|error| view_problem(&error))?;
    let (view, reflects) = (viewed.view, viewed.reflects);
    let catalogue = api.catalogue().current().map(|loaded| loaded.content);
    let schema = catalogue.as_ref().map(|catalogue| catalogue.schema());
    let base = schema.map(|schema| base_model(api, schema));
    let taste = match catalogue.zip(base) {
        Some((catalogue, base)) => told(api, session, view, catalogue, base).await?,
        None => TasteTold::without_catalogue(&view),
    };
    Ok((taste, reflects))
}

/// The published model if it belongs to the catalogue's schema, else the neutral one.
fn base_model(api: &ApiState, schema: &FeatureSchema) -> BaseModel {
    let published = api
        .catalogue()
        .model()
        .filter(|loaded| loaded.content.schema == schema.digest());
    published.map_or_else(|| BaseModel::neutral(schema), |loaded| (*loaded.content).clone())
}

/// What the current generator believes; computed away from the threads that serve.
async fn told(
    api: &ApiState,
    session: &Session,
    view: TasteView,
    catalogue: Arc<Catalogue>,
    base: BaseModel,
) -> Result<TasteTold, Problem> {
    let taste = api.views().listener_taste(session.account).await;
    let taste = taste.map_err(|error| view_problem(&error))?.view;
    let input = taste.into_input(clock::now());
    let telling = tokio::task::spawn_blocking(move || TasteTold::under(&view, &catalogue, &base, &input));
    telling.await.map_err(|_| ProblemType::Internal.into())
}
