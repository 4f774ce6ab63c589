//! What is believed of a listener, in the form in which people and programs are told.

use classifier::{
    ArtistBelief, BaseModel, Catalogue, FeatureBelief, TasteInput, TasteState, beliefs,
    model::{ListenerModel, Posterior},
};
use domain::Digest;
use serde::Serialize;

use crate::TasteView;

/// So many artists are told of at each end.
const ARTISTS_TOLD: usize = 25;

/// A listener's counts, and what the current generator believes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TasteTold {
    /// How many tracks are liked.
    pub likes: u64,
    /// How many tracks are disliked.
    pub dislikes: u64,
    /// How many times a track was played.
    pub plays: u64,
    /// The base model that taste starts from; absent while there is no catalogue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<Digest>,
    /// The feature schema of catalogue and model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<Digest>,
    /// Of each feature, in the schema's order.
    pub features: Vec<Belief>,
    /// The artists of whom something was rated or played, the most liked first; the ends of a long list.
    pub artists: Vec<Affinity>,
}

/// What being by an artist adds to a track's score, in log-odds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Affinity {
    /// The artist.
    pub artist: String,
    /// What it adds.
    pub affinity: f64,
}

/// What is believed of one feature.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Belief {
    /// The feature.
    pub feature: String,
    /// What it adds to a score.
    pub preference: Preference,
    /// Its values among liked tracks.
    pub like: ClassBelief,
    /// Its values among disliked tracks.
    pub dislike: ClassBelief,
}

/// What the feature adds to a track's score, in log-odds: `slope z + curvature z^2`, `z` in standard deviations from the
/// catalogue's mean. Each comes with the standard deviation of what is believed of it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Preference {
    /// Per standard deviation.
    pub slope: f64,
    /// How uncertain the slope is.
    pub slope_deviation: f64,
    /// Per squared standard deviation.
    pub curvature: f64,
    /// How uncertain the curvature is.
    pub curvature_deviation: f64,
}

/// Of the feature's value among the tracks of one class, in standard deviations from the catalogue's mean.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ClassBelief {
    /// The mean.
    pub mean: f64,
    /// The standard deviation.
    pub deviation: f64,
    /// How many ratings (and pseudo-ratings of the base model) stand behind it.
    pub weight: f64,
}

impl TasteTold {
    /// The counts alone: without a catalogue nothing can be believed.
    #[must_use]
    pub fn without_catalogue(view: &TasteView) -> Self {
        Self {
            likes: view.likes,
            dislikes: view.dislikes,
            plays: view.plays,
            model: None,
            schema: None,
            features: Vec::new(),
            artists: Vec::new(),
        }
    }

    /// What is believed under `catalogue` and `base`, which belongs to its features, of what `input` says. Takes about as
    /// long as a playlist.
    #[must_use]
    pub fn under(view: &TasteView, catalogue: &Catalogue, base: &BaseModel, input: &TasteInput) -> Self {
        let believed = beliefs(catalogue, base, input);
        Self {
            model: Some(base.fingerprint()),
            schema: Some(catalogue.schema_digest()),
            features: told(catalogue, base, &view.taste, &believed.features),
            artists: ends(believed.artists),
            ..Self::without_catalogue(view)
        }
    }
}

fn told(
    catalogue: &Catalogue,
    base: &BaseModel,
    taste: &TasteState,
    features: &[FeatureBelief],
) -> Vec<Belief> {
    let learned = ListenerModel::learn(base, taste);
    let classes = learned.like.iter().zip(&learned.dislike).zip(features);
    catalogue
        .schema()
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
