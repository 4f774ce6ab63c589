//! What a caller may ask of a playlist, and how that is written.
//!
//! On the wire each feature has fields of its own, `target_energy`, `min_tempo`, `max_popularity`; within, they are three
//! maps by feature.

use std::collections::BTreeMap;

use domain::{
    PlaylistRequest, TrackId,
    playlist::{Arc, Order},
};
use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};
use serde_json::Value;

use crate::{
    problem::{FieldError, Problem, ProblemType},
    request::WriteRequest,
};

const TARGET: &str = "target_";
const MINIMUM: &str = "min_";
const MAXIMUM: &str = "max_";

/// What the caller may say about a playlist. Everything has a default.
#[derive(Deserialize)]
#[serde(default)]
pub(super) struct Wish {
    pub(super) name: Option<String>,
    limit: u32,
    seed_tracks: Vec<TrackId>,
    seed_artists: Vec<String>,
    seed_genres: Vec<String>,
    max_per_artist: Option<u32>,
    not_heard_since_days: Option<u32>,
    exploration: f64,
    order: Order,
    arc: Option<Arc>,
    pub(super) random_seed: Option<u64>,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
    #[serde(skip)]
    features: Features,
}

/// What is asked of features.
#[derive(Default)]
struct Features {
    targets: BTreeMap<String, f64>,
    minimums: BTreeMap<String, f64>,
    maximums: BTreeMap<String, f64>,
}

impl Default for Wish {
    fn default() -> Self {
        let request = PlaylistRequest::default();
        Self {
            name: None,
            limit: request.limit,
            seed_tracks: request.seed_tracks,
            seed_artists: request.seed_artists,
            seed_genres: request.seed_genres,
            max_per_artist: request.max_per_artist,
            not_heard_since_days: request.not_heard_since_days,
            exploration: request.exploration,
            order: request.order,
            arc: request.arc,
            random_seed: None,
            others: BTreeMap::new(),
            features: Features::default(),
        }
    }
}

impl Wish {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// `invalid-body` with every field that is not known or has not the right form.
    pub(super) fn of(request: &WriteRequest) -> Result<Self, Problem> {
        let mut wish: Self = request.json()?;
        let mut errors = Vec::new();
        for (field, value) in std::mem::take(&mut wish.others) {
            if let Err(reason) = wish.features.put(&field, &value) {
                errors.push(FieldError::new(field, reason));
            }
        }
        if errors.is_empty() {
            Ok(wish)
        } else {
            Err(Problem::new(ProblemType::InvalidBody).errors(errors))
        }
    }

    pub(super) fn with_seed(self, random_seed: u64) -> PlaylistRequest {
        PlaylistRequest {
            limit: self.limit,
            seed_tracks: self.seed_tracks,
            seed_artists: self.seed_artists,
            seed_genres: self.seed_genres,
            targets: self.features.targets,
            minimums: self.features.minimums,
            maximums: self.features.maximums,
            max_per_artist: self.max_per_artist,
            not_heard_since_days: self.not_heard_since_days,
            exploration: self.exploration,
            order: self.order,
            arc: self.arc,
            random_seed,
        }
    }
}

impl Features {
    fn put(&mut self, field: &str, value: &Value) -> Result<(), &'static str> {
        let kinds = [
            (TARGET, &mut self.targets),
            (MINIMUM, &mut self.minimums),
            (MAXIMUM, &mut self.maximums),
        ];
        for (prefix, wishes) in kinds {
            if let Some(feature) = field.strip_prefix(prefix).filter(|feature| !feature.is_empty()) {
                let value = value.as_f64().ok_or("expected a number")?;
                wishes.insert(feature.to_owned(), value);
                return Ok(());
            }
        }
        Err("is not known here")
    }
}

/// The name that a caller knows a field by: `target_energy` for `targets.energy`.
pub(crate) fn field_as_asked(field: &str) -> String {
    let kinds = [
        ("targets.", TARGET),
        ("minimums.", MINIMUM),
        ("maximums.", MAXIMUM),
    ];
    let renamed = kinds
        .iter()
        .find_map(|(map, prefix)| Some(format!("{prefix}{}", field.strip_prefix(map)?)));
    renamed.unwrap_or_else(|| field.to_owned())
}

/// A request, written as it was asked, with every default filled in.
pub(super) struct Asked(pub(super) PlaylistRequest);

impl Serialize for Asked {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let request = &self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("limit", &request.limit)?;
        map.serialize_entry("seed_tracks", &request.seed_tracks)?;
        map.serialize_entry("seed_artists", &request.seed_artists)?;
        map.serialize_entry("seed_genres", &request.seed_genres)?;
        for (prefix, wishes) in [
            (TARGET, &request.targets),
            (MINIMUM, &request.minimums),
            (MAXIMUM, &request.maximums),
        ] {
            for (feature, value) in wishes {
                map.serialize_entry(&format!("{prefix}{feature}"), value)?;
            }
        }
        if let Some(most) = request.max_per_artist {
            map.serialize_entry("max_per_artist", &most)?;
        }
        if let Some(days) = request.not_heard_since_days {
            map.serialize_entry("not_heard_since_days", &days)?;
        }
        map.serialize_entry("exploration", &request.exploration)?;
        map.serialize_entry("order", &request.order)?;
        if let Some(arc) = request.arc {
            map.serialize_entry("arc", &arc)?;
        }
        map.serialize_entry("random_seed", &request.random_seed)?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_wish_finds_its_map() {
        let mut features = Features::default();
        for (field, value) in [("target_energy", 0.9), ("min_tempo", 100.0), ("max_tempo", 120.0)] {
            features.put(field, &Value::from(value)).unwrap();
        }
        assert_eq!(features.targets["energy"], 0.9);
        assert_eq!(
            (features.minimums["tempo"], features.maximums["tempo"]),
            (100.0, 120.0)
        );
        for (field, value) in [
            ("target_", Value::from(1)),
            ("energy", Value::from(1)),
            ("min_tempo", Value::Null),
        ] {
            assert!(features.put(field, &value).is_err(), "{field}");
        }
    }

    #[test]
    fn what_was_asked_reads_back_as_it_was_written() {
        let request = PlaylistRequest {
            targets: [("energy".to_owned(), 0.5)].into(),
            maximums: [("tempo".to_owned(), 120.0)].into(),
            max_per_artist: Some(1),
            order: Order::Smooth,
            arc: Some(Arc::Peak),
            ..PlaylistRequest::default()
        };
        let asked = serde_json::to_value(Asked(request.clone())).unwrap();
        let mut wish: Wish = serde_json::from_value(asked).unwrap();
        for (field, value) in std::mem::take(&mut wish.others) {
            wish.features.put(&field, &value).unwrap();
        }
        let seed = wish.random_seed.unwrap();
        assert_eq!(wish.with_seed(seed), request);
    }

    #[test]
    fn a_broken_rule_is_told_under_the_name_that_was_asked() {
        assert_eq!(field_as_asked("minimums.tempo"), "min_tempo");
        assert_eq!(field_as_asked("limit"), "limit");
    }
}
