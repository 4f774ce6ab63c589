//! What is believed of a listener, for the listener to read: per feature with its uncertainty, and per artist.
//!
//! In log-odds: 1 means that a track is 2.7 times as likely to be liked as one that differs in nothing else.

use crate::base::BaseModel;
use crate::catalogue::Catalogue;
use crate::generate::TasteInput;
use crate::v2::{LEARNER, artist_affinities, labels, learn_linear};

/// What is believed of the listener's wish for one feature.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureBelief {
    /// The feature.
    pub name: String,
    /// What one standard deviation more adds, near the catalogue's mean.
    pub slope: f64,
    /// The standard deviation of what is believed of the slope.
    pub slope_deviation: f64,
    /// What a value one standard deviation off the mean adds, either way.
    pub curvature: f64,
    /// The standard deviation of what is believed of the curvature.
    pub curvature_deviation: f64,
}

/// What is believed of the listener's wish for one artist.
#[derive(Debug, Clone, PartialEq)]
pub struct ArtistBelief {
    /// The artist.
    pub name: String,
    /// What being by this artist adds.
    pub affinity: f64,
}

/// What is believed of a listener.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Beliefs {
    /// Of each feature, in the schema's order.
    pub features: Vec<FeatureBelief>,
    /// Of each artist of whom something was rated or played, the most liked first, ties by name.
    pub artists: Vec<ArtistBelief>,
}

/// What the current generator believes of a listener, under a catalogue.
#[must_use]
pub fn beliefs(catalogue: &Catalogue, base: &BaseModel, listener: &TasteInput) -> Beliefs {
    let labels = labels(catalogue, base, listener);
    let model = learn_linear(catalogue, base, &labels);
    let shares = model.quadratics().into_iter().zip(model.deviations());
    let features = catalogue.schema().names().zip(shares);
    let feature =
        |(name, (share, (slope, curvature))): (&str, (crate::model::Quadratic, (f64, f64)))| FeatureBelief {
            name: name.to_owned(),
            slope: LEARNER * share.linear,
            slope_deviation: LEARNER * slope,
            curvature: LEARNER * share.quadratic,
            curvature_deviation: LEARNER * curvature,
        };
    let mut artists: Vec<ArtistBelief> = artist_affinities(catalogue, &labels)
        .into_iter()
        .map(|(artist, affinity)| ArtistBelief {
            name: catalogue.artist_name(artist).to_owned(),
            affinity,
        })
        .collect();
    artists.sort_by(|a, b| {
        b.affinity
            .total_cmp(&a.affinity)
            .then_with(|| a.name.cmp(&b.name))
    });
    Beliefs {
        features: features.map(feature).collect(),
        artists,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::Rated;
    use crate::generator;
    use domain::Rating;

    #[test]
    fn ratings_make_the_beliefs_surer_and_lean_their_way() {
        let catalogue = generator::catalogue(2_000, 5);
        let base = BaseModel::neutral(catalogue.schema());
        let nothing = beliefs(&catalogue, &base, &TasteInput::default());
        assert!(nothing.features.iter().all(|belief| belief.slope == 0.0) && nothing.artists.is_empty());
        let energy = catalogue.schema().index_of("energy").unwrap();
        let mut listener = TasteInput::default();
        for track in 0..100 {
            let is_calm = catalogue.column(energy)[track] < 0.0;
            let rating = if is_calm { Rating::Like } else { Rating::Dislike };
            listener
                .ratings
                .insert(catalogue.id(track as u32), Rated { rating, at_ms: 0 });
        }
        let learned = beliefs(&catalogue, &base, &listener);
        let (before, after) = (&nothing.features[energy], &learned.features[energy]);
        assert!(after.slope < -2.0 * after.slope_deviation, "{after:?}");
        assert!(after.slope_deviation < 0.7 * before.slope_deviation);
        assert!(learned.artists[0].affinity > 0.0 && learned.artists.last().unwrap().affinity < 0.0);
    }
}
