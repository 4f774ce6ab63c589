//! What holds for any input.

use classifier::model::{ListenerModel, Quadratic};
use classifier::schema::FEATURES;
use classifier::taste::TasteState;
use classifier::{
    BaseModel, Evidence, GeneratorVersion, TasteInput, generate_playlist, generator, score, topk,
};
use domain::{Described, Digest, Feature, FeatureSchema, Order, PlaylistRequest, Rating, Transform};
use proptest::prelude::*;

type Rated = (Described, Rating);

fn schema() -> FeatureSchema {
    let feature = |rule: &classifier::schema::FeatureRule| Feature {
        name: rule.name.to_owned(),
        transform: Transform::Identity,
        mean: 0.0,
        deviation: 1.0,
        clip: 4.0,
    };
    FeatureSchema {
        features: FEATURES.iter().map(feature).collect(),
    }
}

fn rating() -> impl Strategy<Value = Rating> {
    prop_oneof![Just(Rating::Like), Just(Rating::Dislike)]
}

/// A rating under one of three schemas, with any numbers at all.
fn rated() -> impl Strategy<Value = Rated> {
    let z = prop_oneof![
        prop::collection::vec(-262_144i32..=262_144, 12),
        prop::collection::vec(any::<i32>(), 0..15),
        Just(vec![0; 12]),
    ];
    let artists = prop::collection::vec(prop_oneof![Just("A"), Just("B"), Just("Ç\""), Just("")], 0..4);
    (z, artists, rating(), 0..3u8).prop_map(|(z, artists, rating, which)| {
        let schema = if which == 0 {
            Digest::of("another")
        } else {
            schema().digest()
        };
        (
            Described {
                schema,
                z,
                artists: artists.into_iter().map(str::to_owned).collect(),
            },
            rating,
        )
    })
}

fn fold(ratings: &[Rated]) -> TasteState {
    let mut taste = TasteState::default();
    ratings
        .iter()
        .for_each(|(described, rating)| taste.add(described, *rating));
    taste
}

fn bytes(taste: &TasteState) -> Vec<u8> {
    serde_json::to_vec(taste).unwrap()
}

fn ratings_and_permutation() -> impl Strategy<Value = (Vec<Rated>, Vec<Rated>)> {
    prop::collection::vec(rated(), 0..30)
        .prop_flat_map(|ratings| (Just(ratings.clone()), Just(ratings).prop_shuffle()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_order_of_ratings_gives_the_same_bytes((ratings, shuffled) in ratings_and_permutation()) {
        prop_assert_eq!(bytes(&fold(&ratings)), bytes(&fold(&shuffled)));
    }

    #[test]
    fn any_split_merges_and_unmerges_exactly(ratings in prop::collection::vec(rated(), 0..30), cut in 0.0..=1.0f64) {
        let (left, right) = ratings.split_at((ratings.len() as f64 * cut) as usize);
        let (whole, left, right) = (fold(&ratings), fold(left), fold(right));
        let mut merged = right.clone();
        merged.merge(&left);
        prop_assert_eq!(bytes(&merged), bytes(&whole));
        merged.subtract(&right);
        prop_assert_eq!(bytes(&merged), bytes(&left));
    }

    #[test]
    fn rating_again_and_taking_back_leave_only_what_stands(
        kept in prop::collection::vec(rated(), 0..10),
        changed in prop::collection::vec((rated(), rating()), 0..10),
        retracted in prop::collection::vec(rated(), 0..10),
    ) {
        let mut taste = fold(&kept);
        retracted.iter().for_each(|(described, rating)| taste.add(described, *rating));
        for ((described, first), second) in &changed {
            taste.add(described, *first);
            taste.remove(described, *first);
            taste.add(described, *second);
        }
        retracted.iter().rev().for_each(|(described, rating)| taste.remove(described, *rating));
        let stands: Vec<Rated> = kept.into_iter().chain(changed.into_iter().map(|((d, _), second)| (d, second))).collect();
        prop_assert_eq!(bytes(&taste), bytes(&fold(&stands)));
    }

    #[test]
    fn no_ratings_make_a_model_that_is_not_finite(ratings in prop::collection::vec(rated(), 0..6)) {
        let model = ListenerModel::learn(&BaseModel::neutral(&schema()), &fold(&ratings));
        prop_assert!(model.prior_log_odds.is_finite());
        for quadratic in model.quadratics() {
            for z in [-4.0, 0.0, 4.0] {
                prop_assert!(quadratic.at(z).is_finite());
            }
        }
    }

    #[test]
    fn the_best_are_those_of_a_full_sort(
        scores in prop::collection::vec(prop_oneof![(-3..3i8).prop_map(f32::from), any::<f32>().prop_filter("a number", |x| !x.is_nan() && *x < f32::INFINITY), Just(f32::NEG_INFINITY)], 0..700),
        k in 0..200usize,
    ) {
        let mut sorted: Vec<u32> = (0..scores.len() as u32).filter(|&i| scores[i as usize] > f32::NEG_INFINITY).collect();
        sorted.sort_by(|&a, &b| scores[b as usize].partial_cmp(&scores[a as usize]).unwrap().then(a.cmp(&b)));
        sorted.truncate(k);
        let best = topk::top_k(&scores, k);
        // Plus and minus zero are equal numbers in another order: compare the scores, then the order of ties.
        let of = |tracks: &[u32]| tracks.iter().map(|&i| scores[i as usize] + 0.0).collect::<Vec<_>>();
        prop_assert_eq!(of(&best), of(&sorted));
        prop_assert!(best.windows(2).all(|pair| scores[pair[0] as usize].to_bits() != scores[pair[1] as usize].to_bits() || pair[0] < pair[1]));
    }

    #[test]
    fn fast_scores_stay_within_their_bound(
        z in prop::collection::vec(-4.0..4.0f32, 36),
        weights in prop::collection::vec((-50.0..50.0f64, -50.0..50.0f64), 12),
    ) {
        let terms: Vec<Quadratic> =
            weights.iter().map(|&(linear, quadratic)| Quadratic { constant: 0.0, linear, quadratic }).collect();
        let mut scores = [0.0; 3];
        score::score_columns(&z, &terms, &mut scores);
        for (track, score) in scores.iter().enumerate() {
            let exact: f64 = terms.iter().enumerate().map(|(j, term)| term.at(f64::from(z[j * 3 + track]))).sum();
            prop_assert!((f64::from(*score) - exact).abs() <= score::error_bound(&terms, 4.0, 0.0));
        }
    }
}

/// A request over the made-up catalogue with any of its wishes.
fn request() -> impl Strategy<Value = PlaylistRequest> {
    let order = prop_oneof![Just(Order::Score), Just(Order::Shuffle), Just(Order::Smooth)];
    let extreme = prop_oneof![0.0..200.0f64, Just(-1e300), Just(1e300), Just(f64::MIN_POSITIVE)];
    (
        1..60u32,
        order,
        0.0..=1.0f64,
        any::<u64>(),
        prop::option::of(extreme),
        prop::option::of(1..5u32),
        0..3usize,
    )
        .prop_map(
            |(limit, order, exploration, random_seed, target, max_per_artist, seeds)| {
                let mut request = PlaylistRequest {
                    limit,
                    order,
                    exploration,
                    random_seed,
                    max_per_artist,
                    ..Default::default()
                };
                request
                    .targets
                    .extend(target.map(|value| ("tempo".to_owned(), value)));
                request.seed_genres = vec!["ROCK".to_owned(); seeds.min(1)];
                request.seed_artists = vec!["Nobody".to_owned(); seeds / 2];
                request
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_listener_and_request_give_a_playlist_that_keeps_its_promises(
        picks in prop::collection::vec((0..400u32, rating()), 0..12),
        strange in prop::collection::vec(rated(), 0..3),
        request in request(),
    ) {
        let catalogue = generator::catalogue(400, 3);
        let base = BaseModel::neutral(catalogue.schema());
        let mut input = TasteInput::default();
        for (track, rating) in picks {
            if input.ratings.insert(catalogue.id(track), classifier::Rated { rating, at_ms: 0 }).is_none() {
                input.taste.add(&catalogue.describe(track), rating);
            }
        }
        strange.iter().for_each(|(described, rating)| input.taste.add(described, *rating));
        let evidence = Evidence { catalogue: &catalogue, base: &base, companions: None, listener: &input, listener_version: 7 };
        let playlist = generate_playlist(GeneratorVersion::CURRENT, &evidence, &request).unwrap();
        prop_assert_eq!(&playlist, &generate_playlist(GeneratorVersion::CURRENT, &evidence, &request).unwrap());
        prop_assert_eq!(playlist.returned as usize, playlist.tracks.len());
        prop_assert!(playlist.returned <= request.limit);
        prop_assert_eq!(playlist.returned == request.limit, playlist.pool.after_caps >= request.limit);
        let mut by_artist = std::collections::BTreeMap::new();
        let mut songs = std::collections::BTreeSet::new();
        for track in &playlist.tracks {
            prop_assert!(track.score.is_finite());
            prop_assert_eq!(track.contributions.iter().fold(0.0, |sum, part| sum + part), track.score);
            prop_assert_eq!(track.contributions.len(), playlist.features.len());
            prop_assert!(!input.ratings.contains_key(&track.track));
            let index = catalogue.index_of(&track.track).unwrap();
            prop_assert!(songs.insert(catalogue.song(index)));
            catalogue.artists_of(index).iter().for_each(|artist| *by_artist.entry(*artist).or_insert(0u32) += 1);
        }
        prop_assert!(by_artist.values().all(|&count| count <= request.max_per_artist.unwrap_or(3)));
    }
}
