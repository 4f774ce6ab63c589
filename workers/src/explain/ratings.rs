//! Which ratings a playlist's scores rest on, found by leaving out one after the other.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;

use chrono::{DateTime, Utc};
use classifier::inspect::contributions;
use classifier::{Evidence, GeneratorVersion, TasteInput};
use domain::{Event, ListenerEvent, PlaylistRequest, Rating, TrackId, listener::TrackRated};
use eventing::{EventLog, Keys, Payload, Position, RecordedEvent, Version};
use projectors::Count;
use serde::Serialize;

use super::Contents;
use crate::inputs::{InputsError, Request, undecodable};

/// Ratings that are left out in turn at most; each costs a fraction of a playlist. Those of the playlist's own artists go
/// first, then the latest.
pub const RATINGS_TRIED_MAX: usize = 2_000;
/// Ratings that are told of, for the playlist and for each track.
const TOLD_MAX: usize = 10;
const TOLD_PER_TRACK_MAX: usize = 3;
/// Drawn by a seed and not by the listener's ratings.
const EXPLORATION: &str = "exploration";
/// Records read from the log at a time.
const PAGE: usize = 1_000;

/// The ratings that the scores rest on.
#[derive(Clone, Debug, Serialize)]
pub struct RatingsThatMattered {
    /// How many ratings stood at the request.
    pub standing: usize,
    /// How many of them were left out in turn to see what changes.
    pub tried: usize,
    /// The strongest, by the sum of the sizes of their effects on the tracks.
    pub strongest: Vec<RatingThatMattered>,
}

/// A rating with its effect on the playlist.
#[derive(Clone, Debug, Serialize)]
pub struct RatingThatMattered {
    /// The track that was rated.
    pub track: TrackId,
    /// Its name in the catalogue that the playlist was made from, if it has the track.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its artists, as the rating describes it.
    pub artists: Vec<String>,
    /// What the listener thought of it.
    pub rating: Rating,
    /// When it was rated.
    pub rated_at: DateTime<Utc>,
    /// Where the rating stands in the log.
    pub position: Position,
    /// What it adds to a track's score on average, over the playlist, in log-odds.
    pub mean_effect: f64,
}

/// A rating's effect on one track.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RatingEffect {
    /// The track that was rated.
    pub track: TrackId,
    /// Its name, if the catalogue has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What the listener thought of it.
    pub rating: Rating,
    /// The score less what it would have been without the rating, exploration aside, in log-odds.
    pub effect: f64,
}

/// All that leaving out ratings needs.
pub(super) struct Job {
    pub(super) version: GeneratorVersion,
    pub(super) contents: Arc<Contents>,
    pub(super) request: PlaylistRequest,
    pub(super) input: TasteInput,
    pub(super) listener_version: Version,
    pub(super) chosen: Vec<TrackId>,
    pub(super) events: RatingEvents,
    pub(super) tried: Count,
}

/// The rating that stands for each track, with its place in the log.
pub(super) type RatingEvents = BTreeMap<TrackId, (Position, TrackRated)>;

/// What leaving out ratings came to.
pub(super) struct Effects {
    pub(super) ratings: RatingsThatMattered,
    /// For each chosen track.
    pub(super) because: Vec<Vec<RatingEffect>>,
}

/// Reads the listener's ratings that stood at `version`.
pub(super) async fn rating_events(
    log: &EventLog,
    keys: &Keys,
    request: &Request,
    version: Version,
) -> Result<RatingEvents, InputsError> {
    let mut ratings = RatingEvents::new();
    let mut after = Version::NONE;
    while after < version {
        let limit = PAGE.min(usize::try_from(version.0 - after.0).unwrap_or(PAGE));
        let events = log.read_stream(&request.listener(), after, limit).await?;
        let Some(last) = events.last() else { break };
        after = last.version;
        for event in &events {
            note(keys, event, &mut ratings).await?;
        }
    }
    Ok(ratings)
}

async fn note(keys: &Keys, event: &RecordedEvent, ratings: &mut RatingEvents) -> Result<(), InputsError> {
    let Payload::Open(payload) = keys.open_event(event).await? else {
        return Ok(());
    };
    let decoded = domain::decode(&event.event_type, event.schema_version.0, &payload);
    for one in decoded.map_err(|_| undecodable(event))? {
        match one {
            Event::Listener(ListenerEvent::TrackRated(rated)) => {
                ratings.insert(rated.track.clone(), (event.position, rated));
            }
            Event::Listener(ListenerEvent::RatingRetracted(retracted)) => {
                ratings.remove(&retracted.track);
            }
            _ => {}
        }
    }
    Ok(())
}

impl Job {
    /// Leaves out one rating after the other, on all cores.
    pub(super) fn effects(&self) -> Effects {
        let catalogue = &self.contents.catalogue;
        let indices: Vec<u32> = self
            .chosen
            .iter()
            .filter_map(|track| catalogue.index_of(track))
            .collect();
        let tried = self.to_try(&indices);
        let with = self.scores(&self.input, &indices);
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        let part = tried.len().div_ceil(threads).max(1);
        let effects: Vec<Vec<f64>> = thread::scope(|scope| {
            let work = |part: &[&TrackId]| self.without_each(part, &indices, &with);
            let parts: Vec<_> = tried
                .chunks(part)
                .map(|part| scope.spawn(move || work(part)))
                .collect();
            let joined = parts.into_iter().flat_map(|part| {
                part.join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            });
            joined.collect()
        });
        Effects {
            because: (0..indices.len())
                .map(|at| self.because(&tried, &effects, at))
                .collect(),
            ratings: self.strongest(&tried, &effects),
        }
    }

    /// Ratings of tracks by the playlist's artists first, then the latest.
    fn to_try(&self, chosen: &[u32]) -> Vec<&TrackId> {
        let catalogue = &self.contents.catalogue;
        let artists: BTreeSet<&str> = chosen
            .iter()
            .flat_map(|&track| catalogue.artists_of(track))
            .map(|&artist| catalogue.artist_name(artist))
            .collect();
        let mut ratings: Vec<_> = self.events.iter().collect();
        ratings.sort_by_key(|(_, (position, rated))| {
            let is_near = rated
                .described
                .artists
                .iter()
                .any(|artist| artists.contains(artist.as_str()));
            (!is_near, Reverse(*position))
        });
        let tracks = ratings.into_iter().map(|(track, _)| track);
        tracks.take(RATINGS_TRIED_MAX).collect()
    }

    /// The effect of each of `ratings` on every chosen track.
    fn without_each(&self, ratings: &[&TrackId], chosen: &[u32], with: &[f64]) -> Vec<Vec<f64>> {
        let mut input = self.input.clone();
        let effects = ratings.iter().map(|&track| {
            let (_, rated) = &self.events[track];
            let held = input.ratings.remove(track);
            input.taste.remove(&rated.described, rated.rating);
            let without = self.scores(&input, chosen);
            input.taste.add(&rated.described, rated.rating);
            if let Some(held) = held {
                input.ratings.insert(track.clone(), held);
            }
            self.tried.fetch_add(1, Ordering::Relaxed);
            with.iter()
                .zip(without)
                .map(|(with, without)| with - without)
                .collect()
        });
        effects.collect()
    }

    /// The scores of the chosen tracks, exploration aside.
    fn scores(&self, input: &TasteInput, chosen: &[u32]) -> Vec<f64> {
        let evidence = Evidence {
            catalogue: &self.contents.catalogue,
            base: &self.contents.model,
            companions: self.contents.companions.as_deref(),
            listener: input,
            listener_version: self.listener_version.0,
        };
        let told = contributions(self.version, &evidence, &self.request, chosen);
        let is_learned: Vec<bool> = told.names.iter().map(|name| name != EXPLORATION).collect();
        let sum = |shares: &Vec<f64>| {
            let learned = shares
                .iter()
                .zip(&is_learned)
                .filter(|(_, is_learned)| **is_learned);
            learned.map(|(share, _)| share).sum()
        };
        told.of_tracks.iter().map(sum).collect()
    }

    /// The ratings that speak most for the chosen track `at`.
    fn because(&self, tried: &[&TrackId], effects: &[Vec<f64>], at: usize) -> Vec<RatingEffect> {
        let mut speaking: Vec<_> = tried
            .iter()
            .zip(effects)
            .map(|(track, effects)| (*track, effects[at]))
            .filter(|(_, effect)| *effect > 0.0)
            .collect();
        speaking.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        let told = speaking.into_iter().take(TOLD_PER_TRACK_MAX);
        told.map(|(track, effect)| RatingEffect {
            track: track.clone(),
            name: self.name(track),
            rating: self.events[track].1.rating,
            effect,
        })
        .collect()
    }

    fn strongest(&self, tried: &[&TrackId], effects: &[Vec<f64>]) -> RatingsThatMattered {
        let size = |effects: &[f64]| effects.iter().map(|effect| effect.abs()).sum::<f64>();
        let mut ranked: Vec<_> = tried.iter().zip(effects).collect();
        ranked.sort_by(|a, b| size(b.1).total_cmp(&size(a.1)).then_with(|| a.0.cmp(b.0)));
        let strongest = ranked.into_iter().take(TOLD_MAX).map(|(track, effects)| {
            let (position, rated) = &self.events[*track];
            RatingThatMattered {
                track: (*track).clone(),
                name: self.name(track),
                artists: rated.described.artists.clone(),
                rating: rated.rating,
                rated_at: rated.rated_at,
                position: *position,
                mean_effect: effects.iter().sum::<f64>() / effects.len().max(1) as f64,
            }
        });
        RatingsThatMattered {
            standing: self.events.len(),
            tried: tried.len(),
            strongest: strongest.collect(),
        }
    }

    fn name(&self, track: &TrackId) -> Option<String> {
        let catalogue = &self.contents.catalogue;
        let index = catalogue.index_of(track)?;
        Some(catalogue.track(index).name.to_owned())
    }
}
