//! `GET /v1/me/taste`: what the model believes of the listener, per feature.

use axum::extract::State;
use classifier::{
    BaseModel, TasteState,
    model::{ListenerModel, Posterior},
};
use domain::{Digest, Feature, FeatureSchema};
use projectors::ProjectionKind;
use serde::Serialize;

use super::{json_answer, plays::listener_stream};
use crate::{
    auth::Session,
    freshness::{Freshness, view_problem},
    problem::Answer,
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
}

#[derive(Serialize)]
struct Belief {
    feature: String,
    like: ClassBelief,
    dislike: ClassBelief,
}

/// Of the feature's value among the tracks of one class, in standard deviations from the catalogue's mean.
#[derive(Serialize)]
struct ClassBelief {
    mean: f64,
    deviation: f64,
    /// How many ratings (and pseudo-ratings of the base model) stand behind it.
    weight: f64,
}

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
    let catalogue = api.catalogue().current();
    let schema = catalogue.as_ref().map(|loaded| loaded.content.schema());
    let base = schema.map(|schema| base_model(&api, schema));
    let features = schema
        .zip(base.as_ref())
        .map(|(schema, base)| beliefs(schema, base, &view.taste));
    let taste = Taste {
        likes: view.likes,
        dislikes: view.dislikes,
        plays: view.plays,
        model: base.as_ref().map(BaseModel::fingerprint),
        schema: schema.map(FeatureSchema::digest),
        features: features.unwrap_or_default(),
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

fn beliefs(schema: &FeatureSchema, base: &BaseModel, taste: &TasteState) -> Vec<Belief> {
    let learned = ListenerModel::learn(base, taste);
    let classes = learned.like.iter().zip(&learned.dislike);
    schema
        .features
        .iter()
        .zip(classes)
        .map(|(feature, (like, dislike))| belief(feature, like, dislike))
        .collect()
}

fn belief(feature: &Feature, like: &Posterior, dislike: &Posterior) -> Belief {
    Belief {
        feature: feature.name.clone(),
        like: class(like),
        dislike: class(dislike),
    }
}

fn class(posterior: &Posterior) -> ClassBelief {
    ClassBelief {
        mean: posterior.mean,
        deviation: posterior.variance.sqrt(),
        weight: posterior.kappa,
    }
}
