//! What a listener may expect of a playlist.

use classifier::catalogue::{CatalogueBuilder, NewTrack};
use classifier::{
    BaseModel, Catalogue, Evidence, Failure, GeneratorVersion, Played, Rated, TasteInput, generate_playlist,
    generator,
};
use domain::{Generated, Order, PlaylistRequest, Rating};

struct World {
    catalogue: Catalogue,
    input: TasteInput,
}

impl World {
    fn new() -> Self {
        Self {
            catalogue: generator::catalogue(2_000, 42),
            input: TasteInput::default(),
        }
    }

    fn rate(&mut self, track: u32, rating: Rating) {
        self.input.taste.add(&self.catalogue.describe(track), rating);
        self.input
            .ratings
            .insert(self.catalogue.id(track), Rated { rating, at_ms: 0 });
    }

    fn play(&mut self, track: u32, at_ms: i64) {
        // Neither skipped nor heard to the end: it says nothing of taste.
        let heard_ms = vec![100_000];
        self.input
            .played
            .insert(self.catalogue.id(track), Played { at_ms, heard_ms });
    }

    fn generate(&self, request: &PlaylistRequest) -> Result<Generated, Failure> {
        let base = BaseModel::neutral(self.catalogue.schema());
        generate_playlist(GeneratorVersion::CURRENT, &self.evidence(&base), request)
    }

    fn evidence<'a>(&'a self, base: &'a BaseModel) -> Evidence<'a> {
        Evidence {
            catalogue: &self.catalogue,
            base,
            companions: None,
            listener: &self.input,
            listener_version: 1,
        }
    }

    #[track_caller]
    fn made(&self, request: &PlaylistRequest) -> (Generated, Vec<u32>) {
        self.made_by(GeneratorVersion::CURRENT, request)
    }

    #[track_caller]
    fn made_by(&self, version: GeneratorVersion, request: &PlaylistRequest) -> (Generated, Vec<u32>) {
        let base = BaseModel::neutral(self.catalogue.schema());
        let playlist = generate_playlist(version, &self.evidence(&base), request).unwrap();
        let tracks = playlist
            .tracks
            .iter()
            .map(|track| self.catalogue.index_of(&track.track).unwrap())
            .collect();
        (playlist, tracks)
    }

    fn raw(&self, feature: &str, track: u32) -> f32 {
        self.catalogue
            .raw(track)
            .nth(self.catalogue.schema().index_of(feature).unwrap())
            .unwrap()
    }

    fn mean(&self, feature: &str, tracks: &[u32]) -> f32 {
        tracks.iter().map(|&track| self.raw(feature, track)).sum::<f32>() / tracks.len() as f32
    }
}

fn request() -> PlaylistRequest {
    PlaylistRequest {
        limit: 40,
        ..PlaylistRequest::default()
    }
}

#[test]
fn liking_energetic_tracks_brings_energetic_tracks() {
    let mut world = World::new();
    let before = world.mean("energy", &world.made(&request()).1);
    for track in 0..60 {
        let rating = if world.raw("energy", track) > 0.7 {
            Rating::Like
        } else {
            Rating::Dislike
        };
        world.rate(track, rating);
    }
    let after = world.mean("energy", &world.made(&request()).1);
    assert!(after > before + 0.1, "{before} -> {after}");
}

#[test]
fn a_liked_artist_is_heard_as_often_as_the_cap_allows_and_leaves_room_for_others() {
    let mut world = World::new();
    let artist = (0..world.catalogue.artist_count() as u32)
        .max_by_key(|&a| world.catalogue.tracks_of(a).len())
        .unwrap();
    let liked: Vec<u32> = world.catalogue.tracks_of(artist)[..3].to_vec();
    liked.iter().for_each(|&track| world.rate(track, Rating::Like));
    let by_artist = |tracks: &[u32]| {
        tracks
            .iter()
            .filter(|&&t| world.catalogue.artists_of(t).contains(&artist))
            .count()
    };
    assert_eq!(by_artist(&world.made(&request()).1), 3);
    let uncapped = PlaylistRequest {
        max_per_artist: Some(10),
        ..request()
    };
    assert!((6..=10).contains(&by_artist(&world.made(&uncapped).1)));
}

#[test]
fn bounds_hold_to_the_last_digit_and_a_bound_at_a_value_includes_it() {
    let world = World::new();
    let value = f64::from(world.raw("tempo", 17));
    let decimal: f64 = format!("{}", world.raw("energy", 17)).parse().unwrap();
    let mut exact = PlaylistRequest {
        limit: 500,
        max_per_artist: Some(500),
        ..request()
    };
    exact.minimums = [("tempo".to_owned(), value), ("energy".to_owned(), decimal)].into();
    exact.maximums = exact.minimums.clone();
    assert!(world.made(&exact).1.contains(&17));
    let mut bounded = request();
    bounded.minimums = [("popularity".to_owned(), 30.0)].into();
    bounded.maximums = [("tempo".to_owned(), 110.0)].into();
    let (_, tracks) = world.made(&bounded);
    assert!(
        tracks
            .iter()
            .all(|&t| world.raw("tempo", t) <= 110.0 && world.catalogue.popularity(t) >= Some(30))
    );
}

#[test]
fn what_was_played_lately_is_left_out() {
    const DAY_MS: i64 = 86_400_000;
    let mut world = World::new();
    let (_, tracks) = world.made(&request());
    world.input.requested_at_ms = 100 * DAY_MS;
    world.play(tracks[0], 99 * DAY_MS);
    world.play(tracks[1], 92 * DAY_MS);
    let fresh = PlaylistRequest {
        not_heard_since_days: Some(7),
        ..request()
    };
    let (_, later) = world.made(&fresh);
    assert!(!later.contains(&tracks[0]) && later.contains(&tracks[1]));
    assert_eq!(world.made(&request()).1, tracks);
}

#[test]
fn a_target_pulls_and_a_seed_genre_rules() {
    let world = World::new();
    let mut slow = request();
    slow.targets.insert("tempo".to_owned(), 80.0);
    assert!(
        world.mean("tempo", &world.made(&slow).1) < world.mean("tempo", &world.made(&request()).1) - 10.0
    );
    let metal = PlaylistRequest {
        seed_genres: vec!["Metal".to_owned()],
        ..request()
    };
    let (playlist, tracks) = world.made(&metal);
    assert!(
        tracks
            .iter()
            .all(|&track| world.catalogue.track(track).genre == Some("metal"))
    );
    assert!(playlist.features.contains(&"seed_genres".to_owned()));
}

#[test]
fn seeds_pull_towards_their_sound_and_unknown_ones_are_noted() {
    let world = World::new();
    let quiet = (0..2_000)
        .min_by(|&a, &b| world.raw("energy", a).total_cmp(&world.raw("energy", b)))
        .unwrap();
    let seeded = PlaylistRequest {
        seed_tracks: vec![world.catalogue.id(quiet), "gone".parse().unwrap()],
        seed_artists: vec!["Nobody At All".to_owned()],
        ..request()
    };
    let (playlist, tracks) = world.made(&seeded);
    assert!(world.mean("energy", &tracks) < world.mean("energy", &world.made(&request()).1) - 0.1);
    assert!(
        playlist.notes[0].contains("gone") && playlist.notes[1].contains("Nobody At All"),
        "{:?}",
        playlist.notes
    );
}

#[test]
fn a_short_playlist_says_why() {
    let mut world = World::new();
    world.rate(5, Rating::Dislike);
    let mut narrow = PlaylistRequest {
        limit: 500,
        ..request()
    };
    narrow.minimums.insert("energy".to_owned(), 0.93);
    let (playlist, _) = world.made(&narrow);
    assert!(playlist.returned < 500);
    assert_eq!(playlist.returned, playlist.pool.after_caps);
    let notes = playlist.notes.join(" ");
    assert!(notes.contains("rated") && notes.contains("minimums"), "{notes}");
}

#[test]
fn impossible_requests_fail_with_their_reason() {
    let world = World::new();
    let mut unknown = request();
    unknown.targets.insert("sparkle".to_owned(), 1.0);
    assert_eq!(
        world.generate(&unknown),
        Err(Failure::UnknownFeature("sparkle".to_owned()))
    );
    let mut empty = request();
    empty.minimums.insert("energy".to_owned(), 2.0);
    assert!(matches!(world.generate(&empty), Err(Failure::EmptyPool(_))));
    let mut schema = world.catalogue.schema().clone();
    schema.features[0].mean += 1.0;
    let other = BaseModel::neutral(&schema);
    let made = generate_playlist(GeneratorVersion::CURRENT, &world.evidence(&other), &request());
    assert!(matches!(made, Err(Failure::SchemaMismatch { .. })));
}

/// What the fast way finds must be what a walk down the whole ranking finds: version 1, which does not diversify.
#[test]
fn the_choice_is_a_walk_down_the_whole_ranking() {
    let mut world = World {
        catalogue: generator::catalogue(450, 8),
        input: TasteInput::default(),
    };
    (0..40).for_each(|track| {
        world.rate(
            track,
            if track % 4 == 0 {
                Rating::Dislike
            } else {
                Rating::Like
            },
        )
    });
    let whole = PlaylistRequest {
        limit: 500,
        max_per_artist: Some(500),
        ..request()
    };
    let (playlist, ranking) = world.made_by(GeneratorVersion::V1, &whole);
    assert!(
        playlist
            .tracks
            .windows(2)
            .all(|pair| pair[0].score >= pair[1].score)
    );
    for (limit, cap) in [(1, 1), (5, 3), (30, 1), (60, 2), (450, 3)] {
        let mut counts = std::collections::BTreeMap::new();
        let mut expected: Vec<u32> = Vec::new();
        for &track in &ranking {
            let count = counts.entry(world.catalogue.artists_of(track)[0]).or_insert(0);
            if *count < cap && expected.len() < limit {
                *count += 1;
                expected.push(track);
            }
        }
        let capped = PlaylistRequest {
            limit: limit as u32,
            max_per_artist: Some(cap),
            ..request()
        };
        assert_eq!(
            world.made_by(GeneratorVersion::V1, &capped).1,
            expected,
            "{limit} at most {cap} by one artist"
        );
    }
}

#[test]
fn an_order_changes_the_order_and_nothing_else() {
    let world = World::new();
    let (_, by_score) = world.made_by(GeneratorVersion::V1, &request());
    for order in [Order::Shuffle, Order::Smooth] {
        let (_, mut tracks) = world.made_by(
            GeneratorVersion::V1,
            &PlaylistRequest {
                order,
                random_seed: 3,
                ..request()
            },
        );
        assert_ne!(tracks, by_score);
        tracks.sort_unstable();
        let mut sorted = by_score.clone();
        sorted.sort_unstable();
        assert_eq!(tracks, sorted);
    }
}

#[test]
fn a_smooth_order_keeps_energy_closer_than_the_order_of_scores() {
    let world = World::new();
    let roughness = |tracks: &[u32]| -> f32 {
        tracks
            .windows(2)
            .map(|pair| (world.raw("energy", pair[0]) - world.raw("energy", pair[1])).abs())
            .sum()
    };
    let smooth = PlaylistRequest {
        order: Order::Smooth,
        ..request()
    };
    assert!(
        roughness(&world.made_by(GeneratorVersion::V1, &smooth).1)
            < roughness(&world.made_by(GeneratorVersion::V1, &request()).1)
    );
}

#[test]
fn exploration_follows_its_seed_and_without_it_the_seed_means_nothing() {
    let mut world = World::new();
    (0..10).for_each(|track| world.rate(track, Rating::Like));
    let with = |exploration, random_seed| {
        world
            .made(&PlaylistRequest {
                exploration,
                random_seed,
                ..request()
            })
            .1
    };
    assert_eq!(with(1.0, 1), with(1.0, 1));
    assert_ne!(with(1.0, 1), with(1.0, 2));
    assert_eq!(with(0.0, 1), with(0.0, 2));
}

#[test]
fn a_liked_song_does_not_come_back_under_another_id() {
    let mut builder = CatalogueBuilder::default();
    for (id, name) in [
        ("1", "Song"),
        ("2", "Song - 2011 Remaster"),
        ("3", "Other"),
        ("4", "other"),
    ] {
        let features = [
            0.5, 0.5, 1.0, -5.0, 1.0, 0.1, 0.1, 0.0, 0.1, 0.5, 120.0, 180_000.0,
        ];
        let track = NewTrack {
            id,
            name,
            artists: &["Artist"],
            album: None,
            release_date: None,
            genre: None,
            license: None,
            isrc: None,
            mbid: None,
            popularity: None,
            features,
        };
        builder.push(&track).unwrap();
    }
    let mut world = World {
        catalogue: builder.finish(None),
        input: TasteInput::default(),
    };
    world.rate(0, Rating::Like);
    assert_eq!(world.made_by(GeneratorVersion::V1, &request()).1, [2]);
}

/// The bytes of one playlist, pinned: a change of rules must raise the generator's version.
#[test]
fn version_1_of_the_generator_gives_these_bytes() {
    let mut world = World::new();
    (0..20).for_each(|track| {
        world.rate(
            track,
            if track % 2 == 0 {
                Rating::Like
            } else {
                Rating::Dislike
            },
        )
    });
    let bold = PlaylistRequest {
        exploration: 0.5,
        random_seed: 9,
        order: Order::Smooth,
        ..request()
    };
    let base = BaseModel::neutral(world.catalogue.schema());
    let playlist = generate_playlist(GeneratorVersion::V1, &world.evidence(&base), &bold).unwrap();
    assert_eq!(playlist.generator, 1);
    let digest = domain::Digest::of(serde_json::to_vec(&playlist).unwrap());
    assert_eq!(digest.to_string(), include_str!("generator-1.digest").trim());
}
