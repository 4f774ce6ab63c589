//! What can be asked of a playlist.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What was asked for. Feature names are those of the catalogue's schema, values are in the feature's own unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlaylistRequest {
    /// How many tracks: 1 to [`PlaylistRequest::LIMIT_MAX`].
    pub limit: u32,
    /// Tracks that it should sound like.
    #[serde(default)]
    pub seed_tracks: Vec<crate::TrackId>,
    /// Artists that it should sound like.
    #[serde(default)]
    pub seed_artists: Vec<String>,
    /// Genres that it should sound like.
    #[serde(default)]
    pub seed_genres: Vec<String>,
    /// Feature values that tracks should be near to.
    #[serde(default)]
    pub targets: BTreeMap<String, f64>,
    /// Feature values (or a `popularity`, 0 to 100) that no track is below.
    #[serde(default)]
    pub minimums: BTreeMap<String, f64>,
    /// Feature values (or a `popularity`, 0 to 100) that no track is above.
    #[serde(default)]
    pub maximums: BTreeMap<String, f64>,
    /// The most tracks of one artist; absent means the generator's default of 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_per_artist: Option<u32>,
    /// Leave out what was played in so many days before the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_heard_since_days: Option<u32>,
    /// How bold the choice is: 0 takes the best known, 1 draws from all that may be true of the listener.
    #[serde(default)]
    pub exploration: f64,
    /// The playing order.
    #[serde(default)]
    pub order: Order,
    /// How the energy goes from the first track to the last; only with [`Order::Smooth`]. Absent asks nothing of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arc: Option<Arc>,
    /// The seed of everything that is drawn.
    pub random_seed: u64,
}

/// The playing order of a playlist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// The best first.
    #[default]
    Score,
    /// Drawn by the seed. The first records say `shuffled`.
    #[serde(alias = "shuffled")]
    Shuffle,
    /// Neighbours fit: tempo, key, energy, and artists apart.
    Smooth,
}

/// How the energy goes from the first track of a playlist to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arc {
    /// No part is calmer than the whole.
    Flat,
    /// The calmest first, the most energetic last.
    Rise,
    /// Up to the most energetic past the middle, then down.
    Peak,
    /// The most energetic first, the calmest last.
    Fall,
}

/// A field of a request that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// The field, as the request writes it: `limit`, `targets.energy`.
    pub field: String,
    /// The rule, as a sentence.
    pub problem: String,
}

impl FieldError {
    fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            problem: problem.into(),
        }
    }
}

impl Default for PlaylistRequest {
    fn default() -> Self {
        Self {
            limit: Self::LIMIT_DEFAULT,
            seed_tracks: Vec::new(),
            seed_artists: Vec::new(),
            seed_genres: Vec::new(),
            targets: BTreeMap::new(),
            minimums: BTreeMap::new(),
            maximums: BTreeMap::new(),
            max_per_artist: None,
            not_heard_since_days: None,
            exploration: 0.0,
            order: Order::default(),
            arc: None,
            random_seed: 0,
        }
    }
}

impl PlaylistRequest {
    /// How many tracks when nothing is said.
    pub const LIMIT_DEFAULT: u32 = 50;
    /// The most tracks of one playlist.
    pub const LIMIT_MAX: u32 = 500;
    /// The most seeds of each kind.
    pub const SEEDS_MAX: usize = 5;
    /// The most characters of a seed's name, a feature's name or a playlist's name.
    pub const NAME_CHARS_MAX: usize = 200;
    /// The most targets, minimums or maximums: more than any schema has features.
    pub const BOUNDS_MAX: usize = 64;
    /// The most days to look back: ten years.
    pub const NOT_HEARD_SINCE_DAYS_MAX: u32 = 3_650;

    /// Checks every rule that needs no catalogue.
    ///
    /// # Errors
    /// Every field that breaks a rule, in the order of the fields.
    pub fn validate(&self) -> Result<(), Vec<FieldError>> {
        let mut errors = Vec::new();
        self.check_counts(&mut errors);
        self.check_seeds(&mut errors);
        check_numbers("targets", &self.targets, &mut errors);
        check_numbers("minimums", &self.minimums, &mut errors);
        check_numbers("maximums", &self.maximums, &mut errors);
        self.check_ranges(&mut errors);
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    fn check_counts(&self, errors: &mut Vec<FieldError>) {
        if !(1..=Self::LIMIT_MAX).contains(&self.limit) {
            errors.push(FieldError::new("limit", format!("is 1 to {}", Self::LIMIT_MAX)));
        }
        if self
            .max_per_artist
            .is_some_and(|n| !(1..=Self::LIMIT_MAX).contains(&n))
        {
            errors.push(FieldError::new(
                "max_per_artist",
                format!("is 1 to {}", Self::LIMIT_MAX),
            ));
        }
        if self
            .not_heard_since_days
            .is_some_and(|n| n > Self::NOT_HEARD_SINCE_DAYS_MAX)
        {
            let problem = format!("is at most {}", Self::NOT_HEARD_SINCE_DAYS_MAX);
            errors.push(FieldError::new("not_heard_since_days", problem));
        }
        if !(0.0..=1.0).contains(&self.exploration) {
            errors.push(FieldError::new("exploration", "is 0 to 1"));
        }
        if self.arc.is_some() && self.order != Order::Smooth {
            errors.push(FieldError::new("arc", "needs the order smooth"));
        }
    }

    fn check_seeds(&self, errors: &mut Vec<FieldError>) {
        let tracks = self.seed_tracks.iter().map(|track| track.as_str());
        check_names("seed_tracks", tracks, errors);
        check_names(
            "seed_artists",
            self.seed_artists.iter().map(String::as_str),
            errors,
        );
        check_names("seed_genres", self.seed_genres.iter().map(String::as_str), errors);
    }

    fn check_ranges(&self, errors: &mut Vec<FieldError>) {
        for (name, minimum) in &self.minimums {
            if self.maximums.get(name).is_some_and(|maximum| minimum > maximum) {
                errors.push(FieldError::new(
                    format!("minimums.{name}"),
                    "is not above the maximum",
                ));
            }
        }
    }
}

fn check_names<'a>(field: &str, names: impl ExactSizeIterator<Item = &'a str>, errors: &mut Vec<FieldError>) {
    if names.len() > PlaylistRequest::SEEDS_MAX {
        errors.push(FieldError::new(
            field,
            format!("has at most {}", PlaylistRequest::SEEDS_MAX),
        ));
    }
    for (index, name) in names.enumerate() {
        if !is_name(name) {
            errors.push(FieldError::new(
                format!("{field}.{index}"),
                "is a name of 1 to 200 characters",
            ));
        }
    }
}

fn check_numbers(field: &str, numbers: &BTreeMap<String, f64>, errors: &mut Vec<FieldError>) {
    if numbers.len() > PlaylistRequest::BOUNDS_MAX {
        errors.push(FieldError::new(
            field,
            format!("has at most {}", PlaylistRequest::BOUNDS_MAX),
        ));
    }
    for (name, number) in numbers {
        if !is_name(name) {
            errors.push(FieldError::new(field, "names features with 1 to 200 characters"));
        } else if !number.is_finite() {
            errors.push(FieldError::new(format!("{field}.{name}"), "is a finite number"));
        }
    }
}

/// True for 1 to [`PlaylistRequest::NAME_CHARS_MAX`] characters without control characters that are not all white space.
pub(super) fn is_name(text: &str) -> bool {
    !text.trim().is_empty()
        && text.chars().take(PlaylistRequest::NAME_CHARS_MAX + 1).count() <= PlaylistRequest::NAME_CHARS_MAX
        && !text.chars().any(char::is_control)
}

pub(super) fn check_name(name: Option<&str>) -> Option<FieldError> {
    name.is_some_and(|name| !is_name(name))
        .then(|| FieldError::new("name", "has 1 to 200 characters"))
}
