//! `GET /v1/me/taste`: what the model believes of the listener, per feature.

use std::sync::Arc;

use axum::extract::State;
use classifier::{
    ArtistBelief, BaseModel, Beliefs, Catalogue, FeatureBelief, TasteState, beliefs,
    model::{ListenerModel, Posterior},
};
use domain::{Digest, FeatureSchema};
use projectors::ProjectionKind;
use serde::Serialize;

use super::{json_answer, plays::listener_stream};
use crate::{
    auth::Session,
    clock,
    freshness::{Freshness, view_problem},
    problem::{Answer, Problem, ProblemType},
    state::ApiState,
};

#[derive(Serialize)]
struct Taste {
    likes: u64,
    dislikes: u64,
    plays: u64,
    /// The base model that taste starts from; absent while there is no catalogue.
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<Digest>,
    /// The feature schema of catalogue and model.
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<Digest>,
    features: Vec<Belief>,
    /// The artists of whom something was rated or played, the most liked first; the ends of a long list.
    artists: Vec<Affinity>,
}

/// What being by an artist adds to a track's score, in log-odds.
#[derive(Serialize)]
struct Affinity {
    artist: String,
    affinity: f64,
}

#[derive(Serialize)]
struct Belief {
    feature: String,
    preference: Preference,
    like: ClassBelief,
    dislike: ClassBelief,
}

/// What the feature adds to a track's score, in log-odds: `slope z + curvature z^2`, `z` in standard deviations from the
/// catalogue's mean. Each comes with the standard deviation of what is believed of it.
#[derive(Serialize)]
struct Preference {
    slope: f64,
    slope_deviation: f64,
    curvature: f64,
    curvature_deviation: f64,
}

/// Of the feature's value among the tracks of one class, in standard deviations from the catalogue's mean.
#[derive(Serialize)]
struct ClassBelief {
    mean: f64,
    deviation: f64,
    /// How many ratings (and pseudo-ratings of the base model) stand behind it.
    weight: f64,
}

/// So many artists are told of at each end.
const ARTISTS_TOLD: usize = 25;

/// 200 with the counts, and with beliefs as soon as there is a catalogue.
pub(crate) async fn show(State(api): State<ApiState>, session: Session, fresh: Freshness) -> Answer {
    fresh
        .of_view(
            &api,
            ProjectionKind::TasteModels,
            &listener_stream(session.account),
        )
        .await?;
    let viewed = api
        .views()
        .taste(session.account)
        .await
        .map_err(|error| view_problem(&error))?;
    let (view, reflects) = (viewed.view, viewed.reflects);
    let catalogue = api.catalogue().current().map(|loaded| loaded.content);
    let schema = catalogue.as_ref().map(|catalogue| catalogue.schema());
    let base = schema.map(|schema| base_model(&api, schema));
    let believed = match catalogue.clone().zip(base.clone()) {
        Some((catalogue, base)) => believed(&api, &session, catalogue, base).await?,
        None => Beliefs::default(),
    };
    let features = schema
        .zip(base.as_ref())
        .map(|(schema, base)| told(schema, base, &view.taste, &believed.features));
    let taste = Taste {
        likes: view.likes,
        dislikes: view.dislikes,
        plays: view.plays,
        model: base.as_ref().map(BaseModel::fingerprint),
        schema: schema.map(FeatureSchema::digest),
        features: features.unwrap_or_default(),
        artists: ends(believed.artists),
    };
    Ok(fresh.tell(json_answer(&taste), reflects))
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
async fn believed(
    api: &ApiState,
    session: &Session,
    catalogue: Arc<Catalogue>,
    base: BaseModel,
) -> Result<Beliefs, Problem> {
    let taste = api.views().listener_taste(session.account).await;
    let taste = taste.map_err(|error| view_problem(&error))?.view;
    let input = taste.into_input(clock::now());
    let believed = tokio::task::spawn_blocking(move || beliefs(&catalogue, &base, &input)).await;
    believed.map_err(|_| ProblemType::Internal.into())
}

fn told(
    schema: &FeatureSchema,
    base: &BaseModel,
    taste: &TasteState,
    features: &[FeatureBelief],
) -> Vec<Belief> {
    let learned = ListenerModel::learn(base, taste);
    let classes = learned.like.iter().zip(&learned.dislike).zip(features);
    schema
        .features
        .iter()
        .zip(classes)
        .map(|(feature, ((like, dislike), believed))| Belief {
            feature: feature.name.clone(),
            preference: preference(believed),
            like: class(like),
            dislike: class(dislike),
        })
        .collect()
}

fn preference(believed: &FeatureBelief) -> Preference {
    Preference {
        slope: believed.slope,
        slope_deviation: believed.slope_deviation,
        curvature: believed.curvature,
        curvature_deviation: believed.curvature_deviation,
    }
}

/// The first and the last of a long list.
fn ends(mut artists: Vec<ArtistBelief>) -> Vec<Affinity> {
    if artists.len() > 2 * ARTISTS_TOLD {
        artists.drain(ARTISTS_TOLD..artists.len() - ARTISTS_TOLD);
    }
    let affinity = |belief: ArtistBelief| Affinity {
        artist: belief.name,
        affinity: belief.affinity,
    };
    artists.into_iter().map(affinity).collect()
}

fn class(posterior: &Posterior) -> ClassBelief {
    ClassBelief {
        mean: posterior.mean,
        deviation: posterior.variance.sqrt(),
        weight: posterior.kappa,
    }
}
