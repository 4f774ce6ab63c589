//! What generator version 2 makes of what it is told.

use classifier::companions::{Companions, Likes};
use classifier::{
    BaseModel, Catalogue, Evidence, GeneratorVersion, Played, Rated, TasteInput, generate_playlist, generator,
};
use domain::listener::TrackRated;
use domain::{AccountId, Generated, Order, PlaylistRequest, Rating};
use uuid::Uuid;

const DAY_MS: i64 = 86_400_000;

struct World {
    catalogue: Catalogue,
    base: BaseModel,
    companions: Option<Companions>,
    listener: TasteInput,
}

impl World {
    fn new() -> Self {
        let catalogue = generator::catalogue(2_000, 42);
        Self {
            base: BaseModel::neutral(catalogue.schema()),
            catalogue,
            companions: None,
            listener: TasteInput::default(),
        }
    }

    fn rate(&mut self, track: u32, rating: Rating, at_ms: i64) {
        self.listener.taste.add(&self.catalogue.describe(track), rating);
        self.listener
            .ratings
            .insert(self.catalogue.id(track), Rated { rating, at_ms });
    }

    fn play(&mut self, track: u32, heard_ms: u64) {
        let played = Played {
            at_ms: 0,
            heard_ms: vec![heard_ms; 3],
        };
        self.listener.played.insert(self.catalogue.id(track), played);
    }

    fn made(&self, request: &PlaylistRequest) -> Generated {
        let evidence = Evidence {
            catalogue: &self.catalogue,
            base: &self.base,
            companions: self.companions.as_ref(),
            listener: &self.listener,
            listener_version: 1,
        };
        generate_playlist(GeneratorVersion::V2, &evidence, request).unwrap()
    }

    fn tracks(&self, playlist: &Generated) -> Vec<u32> {
        playlist
            .tracks
            .iter()
            .map(|made| self.catalogue.index_of(&made.track).unwrap())
            .collect()
    }

    fn largest_artist(&self) -> u32 {
        (0..self.catalogue.artist_count() as u32)
            .max_by_key(|&artist| self.catalogue.tracks_of(artist).len())
            .unwrap()
    }

    /// How many of the playlist's tracks are by the artist.
    fn by(&self, artist: u32, playlist: &Generated) -> usize {
        let tracks = self.tracks(playlist);
        tracks
            .iter()
            .filter(|&&track| self.catalogue.artists_of(track).contains(&artist))
            .count()
    }

    /// The sum of a contribution over all tracks of a playlist.
    fn share(playlist: &Generated, name: &str) -> f64 {
        let at = playlist.features.iter().position(|feature| feature == name);
        at.map_or(0.0, |at| {
            playlist.tracks.iter().map(|track| track.contributions[at]).sum()
        })
    }
}

fn request() -> PlaylistRequest {
    PlaylistRequest {
        limit: 40,
        max_per_artist: Some(10),
        ..PlaylistRequest::default()
    }
}

/// The bytes of one playlist, pinned: a change of rules makes a new version.
#[test]
fn version_2_of_the_generator_gives_these_bytes() {
    let mut world = World::new();
    for track in 0..60 {
        let rating = if track % 3 == 0 {
            Rating::Dislike
        } else {
            Rating::Like
        };
        world.rate(track, rating, i64::from(track));
    }
    world.play(70, 400_000);
    world.play(71, 1_000);
    world.companions = Some(Companions::count(&likes_of_others(
        &world.catalogue,
        &[(1, 90), (4, 91)],
    )));
    let bold = PlaylistRequest {
        exploration: 0.5,
        random_seed: 9,
        order: Order::Smooth,
        ..request()
    };
    let playlist = world.made(&bold);
    assert_eq!(playlist.generator, 2);
    let digest = domain::Digest::of(serde_json::to_vec(&playlist).unwrap());
    assert_eq!(digest.to_string(), include_str!("generator-2.digest").trim());
}

#[test]
fn full_plays_bring_an_artist_in_and_early_skips_keep_it_out() {
    let mut world = World::new();
    let artist = world.largest_artist();
    let own: Vec<u32> = world.catalogue.tracks_of(artist)[..4].to_vec();
    world.rate(own[0] / 2, Rating::Like, 0);
    let before = world.by(artist, &world.made(&request()));
    own.iter().for_each(|&track| world.play(track, 500_000));
    let played = world.by(artist, &world.made(&request()));
    own.iter().for_each(|&track| world.play(track, 2_000));
    let skipped = world.by(artist, &world.made(&request()));
    assert!(played > before && played > skipped, "{before} {played} {skipped}");
    let learned = world.made(&request()).learned_from.unwrap();
    assert_eq!((learned.liked, learned.disliked), (1, 4));
}

#[test]
fn what_others_like_together_brings_artists_that_nobody_told_of() {
    let mut world = World::new();
    let (mine, theirs) = (3, 1_500);
    world.rate(mine, Rating::Like, 0);
    let artist = world.catalogue.artists_of(theirs)[0];
    assert!(!world.catalogue.artists_of(mine).contains(&artist));
    let before = world.made(&request());
    assert_eq!(before.companions, None);
    world.companions = Some(Companions::count(&likes_of_others(
        &world.catalogue,
        &[(mine, theirs)],
    )));
    let after = world.made(&request());
    assert_eq!(
        after.companions,
        world.companions.as_ref().map(Companions::digest)
    );
    assert!(world.by(artist, &after) > world.by(artist, &before));
    assert!(World::share(&after, "companions") > 0.0);
}

/// Thirty listeners who like each pair.
fn likes_of_others(catalogue: &Catalogue, pairs: &[(u32, u32)]) -> Likes {
    let mut likes = Likes::default();
    for listener in 0..30 {
        for track in pairs.iter().flat_map(|&(a, b)| [a, b]) {
            let rated = TrackRated {
                track: catalogue.id(track),
                rating: Rating::Like,
                rated_at: chrono::DateTime::UNIX_EPOCH,
                described: catalogue.describe(track),
            };
            likes.apply(AccountId::new(Uuid::from_u128(listener)), &rated.into());
        }
    }
    likes
}

#[test]
fn genres_count_only_where_the_base_model_says_so() {
    let mut world = World::new();
    for track in 0..30 {
        world.rate(track, Rating::Like, 0);
    }
    assert!(!world.made(&request()).features.contains(&"genre".to_owned()));
    world.base = world.base.clone().tuned(Some(5.0), None).unwrap();
    let playlist = world.made(&request());
    assert!(World::share(&playlist, "genre") > 0.0);
}

#[test]
fn an_old_rating_gives_way_to_a_new_one_where_ratings_age() {
    let mut world = World::new();
    world.listener.requested_at_ms = 1_000 * DAY_MS;
    let artist = world.largest_artist();
    let own: Vec<u32> = world.catalogue.tracks_of(artist)[..5].to_vec();
    own.iter().for_each(|&track| world.rate(track, Rating::Like, 0));
    let other = (0..).find(|track| !own.contains(track)).unwrap();
    world.rate(other, Rating::Like, 999 * DAY_MS);
    let kept = world.by(artist, &world.made(&request()));
    world.base = world.base.clone().tuned(None, Some(10.0)).unwrap();
    let aged = world.by(artist, &world.made(&request()));
    assert!(kept > aged, "{kept} {aged}");
}

#[test]
fn a_base_model_speaks_for_a_listener_of_whom_nothing_is_known() {
    let mut world = World::new();
    let energy = world.catalogue.schema().index_of("energy").unwrap();
    world.base.like.mean[energy] = 1.5;
    world.base.dislike.mean[energy] = -1.5;
    let mean = |playlist: &Generated| {
        let raw = world
            .tracks(playlist)
            .into_iter()
            .map(|track| f64::from(world.catalogue.raw(track).nth(energy).unwrap()));
        raw.sum::<f64>() / playlist.tracks.len() as f64
    };
    let mut neutral = World::new();
    let without = mean(&neutral.made(&request()));
    neutral.base = world.base.clone();
    assert!(mean(&neutral.made(&request())) > without + 0.1);
}

#[test]
fn impressions_tell_how_likely_each_choice_was() {
    let mut world = World::new();
    for track in 0..40 {
        world.rate(
            track,
            if track % 2 == 0 {
                Rating::Like
            } else {
                Rating::Dislike
            },
            0,
        );
    }
    let sure = world.made(&request());
    assert!(sure.tracks.iter().all(|track| track.propensity == Some(1.0)));
    let bold = |seed: u64| PlaylistRequest {
        exploration: 1.0,
        random_seed: seed,
        ..request()
    };
    let explored = world.made(&bold(7));
    assert_eq!(explored, world.made(&bold(7)));
    assert_ne!(world.tracks(&explored), world.tracks(&world.made(&bold(8))));
    assert!(
        explored
            .tracks
            .iter()
            .all(|track| track.propensity.is_some_and(|p| p > 0.0 && p <= 1.0))
    );
    assert!(explored.tracks.iter().any(|track| track.propensity < Some(0.9)));
    // Of many draws, a track is among the chosen about as often as its propensity says.
    let wanted: Vec<(domain::TrackId, f64)> = explored
        .tracks
        .iter()
        .map(|track| (track.track.clone(), track.propensity.unwrap()))
        .collect();
    let draws = 60;
    let chosen: Vec<Generated> = (100..100 + draws).map(|seed| world.made(&bold(seed))).collect();
    let (mut told, mut seen) = (0.0, 0.0);
    for (track, propensity) in &wanted {
        told += propensity;
        let times = chosen
            .iter()
            .filter(|made| made.tracks.iter().any(|other| other.track == *track))
            .count();
        seen += times as f64 / f64::from(draws as u32);
    }
    // Those of the one draw are told of a little above, since that draw counts as well.
    assert!((told - seen).abs() < 0.35 * seen, "told {told}, seen {seen}");
    let ranks: std::collections::BTreeSet<u32> =
        explored.tracks.iter().filter_map(|track| track.rank).collect();
    assert_eq!(ranks, (1..=40).collect());
}

#[test]
fn a_smooth_order_is_cheaper_than_the_greedy_one_and_says_so() {
    let mut world = World::new();
    (0..20).for_each(|track| world.rate(track, Rating::Like, 0));
    let smooth = PlaylistRequest {
        order: Order::Smooth,
        ..request()
    };
    let arrangement = world.made(&smooth).arrangement.unwrap();
    assert!(arrangement.objective < arrangement.greedy);
}

/// Liked artists have more candidates than a cap lets in; the rest of the catalogue has to fill the places.
#[test]
fn a_long_playlist_is_filled_whatever_the_cap() {
    let mut world = World::new();
    (0..200).for_each(|track| world.rate(track, Rating::Like, 0));
    for cap in [1, 2, 3] {
        let long = PlaylistRequest {
            limit: 300,
            max_per_artist: Some(cap),
            ..PlaylistRequest::default()
        };
        let playlist = world.made(&long);
        assert_eq!(
            playlist.returned,
            300.min(playlist.pool.after_caps),
            "at most {cap} of an artist"
        );
    }
}
