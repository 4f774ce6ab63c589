//! Where a recorded answer and the history part: the first part that differs, in the order in which one depends on the other.

use std::collections::BTreeSet;
use std::fmt;

use domain::{Digest, FailureReason, Generated, GeneratedTrack, PlaylistEvent, TrackId};
use serde::Serialize;

use crate::generation::Answer;

/// Why a recorded answer is not what the history gives.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "part", rename_all = "snake_case")]
pub enum Cause {
    /// It was learned from another version of the listener's stream.
    ListenerVersion {
        /// In the record.
        recorded: u64,
        /// As the history has it.
        computed: u64,
    },
    /// It was made from another catalogue.
    Catalogue {
        /// In the record.
        recorded: Digest,
        /// As the history has it.
        computed: Digest,
    },
    /// The catalogue that the history names is not to be had.
    CatalogueMissing {
        /// The one in the record.
        recorded: Digest,
    },
    /// It was made with another base model.
    Model {
        /// In the record.
        recorded: Digest,
        /// As the history has it.
        computed: Digest,
    },
    /// The base model or the companions that the history names are not to be had.
    ModelMissing {
        /// The base model in the record.
        recorded: Digest,
    },
    /// It was made with other companions.
    Companions {
        /// In the record.
        recorded: Option<Digest>,
        /// As the history has it.
        computed: Option<Digest>,
    },
    /// The tracks are others.
    Tracks {
        /// Only in the record.
        surplus: Vec<TrackId>,
        /// Only as the history has it.
        missing: Vec<TrackId>,
    },
    /// The same tracks, in another order.
    Order {
        /// The first place that differs, from 1.
        place: usize,
        /// The track there in the record.
        recorded: TrackId,
        /// The track there as the history has it.
        computed: TrackId,
    },
    /// A track's score is another.
    Score {
        /// The track.
        track: TrackId,
        /// In the record.
        recorded: f64,
        /// As the history has it.
        computed: f64,
    },
    /// What a term adds to a track's score is another.
    Contribution {
        /// The track.
        track: TrackId,
        /// The term.
        feature: String,
        /// In the record.
        recorded: Option<f64>,
        /// As the history has it.
        computed: Option<f64>,
    },
    /// Another field of the record differs.
    Field {
        /// Its name.
        field: &'static str,
    },
    /// Every field is the same, but not the bytes.
    Encoding,
    /// A failure was recorded where the history gives a playlist.
    NoFailure {
        /// The recorded reason.
        recorded: FailureReason,
    },
    /// A playlist was recorded where the history gives none.
    NoPlaylist {
        /// Why there is none.
        computed: FailureReason,
    },
    /// It failed for another reason.
    FailureReason {
        /// In the record.
        recorded: FailureReason,
        /// As the history has it.
        computed: FailureReason,
    },
    /// It was made by rules that this program does not have, so nothing of it can be proved.
    GeneratorUnknown {
        /// The version of those rules.
        generator: u32,
    },
    /// The request was answered before.
    SecondAnswer,
    /// The record, or what it was made from, cannot be read.
    Unreadable {
        /// What cannot be.
        what: String,
    },
}

impl Cause {
    /// The first part in which the record and the computed answer differ.
    #[must_use]
    pub fn between(recorded: &PlaylistEvent, computed: &Answer) -> Self {
        match (recorded, computed) {
            (PlaylistEvent::Generated(recorded), Answer::Generated(computed)) => {
                Self::of_playlists(recorded, computed)
            }
            (PlaylistEvent::Generated(recorded), Answer::Failed(refusal)) => match refusal.reason {
                FailureReason::CatalogueUnavailable => Self::CatalogueMissing {
                    recorded: recorded.catalogue,
                },
                FailureReason::ModelUnavailable => Self::ModelMissing {
                    recorded: recorded.model,
                },
                computed => Self::NoPlaylist { computed },
            },
            (PlaylistEvent::Failed(recorded), Answer::Failed(computed)) => Self::FailureReason {
                recorded: recorded.reason,
                computed: computed.reason,
            },
            (PlaylistEvent::Failed(recorded), Answer::Generated(_)) => Self::NoFailure {
                recorded: recorded.reason,
            },
            (PlaylistEvent::Requested(_), _) => Self::Unreadable {
                what: "a request stands where its answer should".to_owned(),
            },
        }
    }

    fn of_playlists(recorded: &Generated, computed: &Generated) -> Self {
        of_inputs(recorded, computed)
            .or_else(|| of_tracks(&recorded.tracks, &computed.tracks))
            .or_else(|| of_scores(recorded, computed))
            .or_else(|| of_fields(recorded, computed))
            .unwrap_or(Self::Encoding)
    }
}

fn of_inputs(recorded: &Generated, computed: &Generated) -> Option<Cause> {
    if recorded.listener_version != computed.listener_version {
        return Some(Cause::ListenerVersion {
            recorded: recorded.listener_version,
            computed: computed.listener_version,
        });
    }
    if recorded.catalogue != computed.catalogue {
        return Some(Cause::Catalogue {
            recorded: recorded.catalogue,
            computed: computed.catalogue,
        });
    }
    if recorded.model != computed.model {
        return Some(Cause::Model {
            recorded: recorded.model,
            computed: computed.model,
        });
    }
    (recorded.companions != computed.companions).then_some(Cause::Companions {
        recorded: recorded.companions,
        computed: computed.companions,
    })
}

fn of_tracks(recorded: &[GeneratedTrack], computed: &[GeneratedTrack]) -> Option<Cause> {
    let set = |tracks: &[GeneratedTrack]| tracks.iter().map(|track| track.track.clone()).collect();
    let (theirs, ours): (BTreeSet<TrackId>, BTreeSet<TrackId>) = (set(recorded), set(computed));
    if theirs != ours || recorded.len() != computed.len() {
        return Some(Cause::Tracks {
            surplus: theirs.difference(&ours).cloned().collect(),
            missing: ours.difference(&theirs).cloned().collect(),
        });
    }
    let mut places = recorded.iter().zip(computed).enumerate();
    let (at, (theirs, ours)) = places.find(|(_, (theirs, ours))| theirs.track != ours.track)?;
    Some(Cause::Order {
        place: at + 1,
        recorded: theirs.track.clone(),
        computed: ours.track.clone(),
    })
}

/// Numbers are compared by their bits: the bytes of a playlist are.
fn of_scores(recorded: &Generated, computed: &Generated) -> Option<Cause> {
    let pairs = || recorded.tracks.iter().zip(&computed.tracks);
    let score = pairs().find(|(theirs, ours)| theirs.score.to_bits() != ours.score.to_bits());
    if let Some((theirs, ours)) = score {
        return Some(Cause::Score {
            track: theirs.track.clone(),
            recorded: theirs.score,
            computed: ours.score,
        });
    }
    pairs().find_map(|(theirs, ours)| of_contributions(&computed.features, theirs, ours))
}

fn of_contributions(features: &[String], theirs: &GeneratedTrack, ours: &GeneratedTrack) -> Option<Cause> {
    let terms = theirs.contributions.len().max(ours.contributions.len());
    let at = |track: &GeneratedTrack, term: usize| track.contributions.get(term).copied();
    let bits = |value: Option<f64>| value.map(f64::to_bits);
    let term = (0..terms).find(|&term| bits(at(theirs, term)) != bits(at(ours, term)))?;
    Some(Cause::Contribution {
        track: theirs.track.clone(),
        feature: features.get(term).cloned().unwrap_or_default(),
        recorded: at(theirs, term),
        computed: at(ours, term),
    })
}

fn of_fields(recorded: &Generated, computed: &Generated) -> Option<Cause> {
    let impressions = |generated: &Generated| {
        let of = |track: &GeneratedTrack| (track.rank, track.propensity.map(f64::to_bits));
        generated.tracks.iter().map(of).collect::<Vec<_>>()
    };
    let fields = [
        ("schema", recorded.schema == computed.schema),
        ("random_seed", recorded.random_seed == computed.random_seed),
        ("requested", recorded.requested == computed.requested),
        ("returned", recorded.returned == computed.returned),
        ("pool", recorded.pool == computed.pool),
        ("features", recorded.features == computed.features),
        (
            "rank and propensity",
            impressions(recorded) == impressions(computed),
        ),
        ("learned_from", recorded.learned_from == computed.learned_from),
        ("arrangement", recorded.arrangement == computed.arrangement),
        ("notes", recorded.notes == computed.notes),
    ];
    let differs = fields.into_iter().find(|(_, is_same)| !is_same);
    differs.map(|(field, _)| Cause::Field { field })
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ListenerVersion { recorded, computed } => write!(
                f,
                "it says that it was learned from version {recorded} of the listener's stream, which stood at {computed}"
            ),
            Self::Catalogue { recorded, computed } => {
                write!(f, "it names the catalogue {recorded}, and {computed} was current")
            }
            Self::CatalogueMissing { recorded } => {
                write!(f, "the catalogue is not to be had; it names {recorded}")
            }
            Self::Model { recorded, computed } => {
                write!(
                    f,
                    "it names the base model {recorded}, and {computed} was current"
                )
            }
            Self::ModelMissing { recorded } => write!(
                f,
                "the base model or the companions are not to be had; it names the model {recorded}"
            ),
            Self::Companions { recorded, computed } => {
                let name =
                    |digest: &Option<Digest>| digest.map_or_else(|| "none".to_owned(), |d| d.to_string());
                write!(
                    f,
                    "it names the companions {}, and {} were current",
                    name(recorded),
                    name(computed)
                )
            }
            Self::Tracks { surplus, missing } => write!(
                f,
                "the tracks are others: {} should not be there, {} are missing{}",
                surplus.len(),
                missing.len(),
                surplus
                    .first()
                    .or(missing.first())
                    .map_or_else(String::new, |track| format!(", the first is {track}"))
            ),
            Self::Order {
                place,
                recorded,
                computed,
            } => write!(
                f,
                "the order is another: at place {place} stands {recorded}, where {computed} belongs"
            ),
            Self::Score {
                track,
                recorded,
                computed,
            } => {
                write!(f, "the score of {track} is {recorded}, and should be {computed}")
            }
            Self::Contribution {
                track,
                feature,
                recorded,
                computed,
            } => {
                let number =
                    |value: &Option<f64>| value.map_or_else(|| "nothing".to_owned(), |v| v.to_string());
                write!(
                    f,
                    "what {feature} adds to the score of {track} is {}, and should be {}",
                    number(recorded),
                    number(computed)
                )
            }
            Self::Field { field } => write!(f, "its {field} is not what the history gives"),
            Self::Encoding => f.write_str("every field is the same, but not the bytes"),
            Self::NoFailure { recorded } => {
                write!(f, "it failed ({recorded}), and the history gives a playlist")
            }
            Self::NoPlaylist { computed } => write!(f, "the history gives no playlist ({computed})"),
            Self::FailureReason { recorded, computed } => {
                write!(
                    f,
                    "it failed for {recorded}, and should have failed for {computed}"
                )
            }
            Self::GeneratorUnknown { generator } => {
                write!(
                    f,
                    "it says that generator {generator} made it, which this program does not have"
                )
            }
            Self::SecondAnswer => f.write_str("its request was answered before"),
            Self::Unreadable { what } => write!(f, "it cannot be computed again: {what}"),
        }
    }
}
