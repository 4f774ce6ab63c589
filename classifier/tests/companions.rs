//! What listeners like together, against a recount by brute force.

use std::collections::{BTreeMap, BTreeSet};

use classifier::companions::{
    ARTIST_COMPANIONS_MAX, Companions, CompanionsError, LIKES_COUNTED_MAX, Likes, MANY_LISTENERS,
    TRACK_COMPANIONS_MAX, Table,
};
use domain::listener::{RatingRetracted, TrackRated};
use domain::{AccountId, Described, Digest, ListenerEvent, Rating, TrackId};
use proptest::prelude::*;

fn at() -> chrono::DateTime<chrono::Utc> {
    chrono::DateTime::UNIX_EPOCH
}

fn listener(number: u32) -> AccountId {
    AccountId::new(uuid::Uuid::from_u128(number.into()))
}

fn track(name: &str) -> TrackId {
    TrackId::parse(name).unwrap()
}

fn rated(name: &str, artists: &[&str], rating: Rating) -> ListenerEvent {
    let described = Described {
        schema: Digest::of("schema"),
        z: vec![],
        artists: artists.iter().map(|artist| (*artist).to_owned()).collect(),
    };
    TrackRated {
        track: track(name),
        rating,
        rated_at: at(),
        described,
    }
    .into()
}

fn retracted(name: &str) -> ListenerEvent {
    RatingRetracted {
        track: track(name),
        retracted_at: at(),
    }
    .into()
}

/// Something that happens to one listener.
#[derive(Clone, Debug)]
enum Step {
    Event(ListenerEvent),
    Erased,
}

fn steps() -> impl Strategy<Value = Vec<(u32, Step)>> {
    let names = prop::sample::select(vec!["t1", "t2", "t3", "t4", "t5", "ä \"6"]);
    let artists = prop::sample::subsequence(vec!["", "A", "B", "C", "Ö"], 0..4);
    let event = (names, artists, 0..8u8).prop_map(|(name, artists, what)| match what {
        0 => rated(name, &artists, Rating::Dislike),
        1 => retracted(name),
        _ => rated(name, &artists, Rating::Like),
    });
    let step = prop_oneof![15 => event.prop_map(Step::Event), 1 => Just(Step::Erased)];
    prop::collection::vec((0..7u32, step), 0..80)
}

fn fold(steps: &[(u32, Step)]) -> Likes {
    let mut likes = Likes::default();
    for (number, step) in steps {
        match step {
            Step::Event(event) => likes.apply(listener(*number), event),
            Step::Erased => likes.forget(listener(*number)),
        };
    }
    likes
}

/// By listener and track: the artists of what is liked in the end.
fn liked_in_the_end(steps: &[(u32, Step)]) -> BTreeMap<(u32, String), Vec<String>> {
    let mut liked = BTreeMap::new();
    for (number, step) in steps {
        match step {
            Step::Event(ListenerEvent::TrackRated(rated)) if rated.rating == Rating::Like => {
                let key = (*number, rated.track.to_string());
                liked.insert(key, rated.described.artists.clone());
            }
            Step::Event(ListenerEvent::TrackRated(rated)) => {
                liked.remove(&(*number, rated.track.to_string()));
            }
            Step::Event(ListenerEvent::RatingRetracted(retracted)) => {
                liked.remove(&(*number, retracted.track.to_string()));
            }
            Step::Event(ListenerEvent::TrackPlayed(_)) => {}
            Step::Erased => liked.retain(|(of, _), _| of != number),
        }
    }
    liked
}

type Pairs = BTreeMap<String, (u32, BTreeMap<String, u32>)>;

/// By name: who likes it, and how many like it and each other thing.
fn recount(baskets: &BTreeMap<u32, BTreeSet<String>>) -> Pairs {
    let names: BTreeSet<&String> = baskets.values().flatten().collect();
    let liking = |wanted: &[&String]| {
        let holds = |basket: &&BTreeSet<String>| wanted.iter().all(|name| basket.contains(*name));
        baskets.values().filter(holds).count() as u32
    };
    let mut pairs = Pairs::new();
    for name in &names {
        let others = names.iter().filter(|other| *other != name);
        let both: BTreeMap<String, u32> = others
            .map(|other| ((*other).clone(), liking(&[*name, *other])))
            .filter(|(_, both)| *both > 0)
            .collect();
        if !both.is_empty() {
            pairs.insert((*name).clone(), (liking(&[*name]), both));
        }
    }
    pairs
}

fn pairs_of(table: &Table) -> Pairs {
    let of = |index| {
        let companions = table.companions(index).iter();
        let both = companions.map(|one| (table.name(one.index).to_owned(), one.both));
        (
            table.name(index).to_owned(),
            (table.liked_by(index), both.collect()),
        )
    };
    (0..table.len() as u32).map(of).collect()
}

/// The strongest first: by cosine, then by name.
fn is_in_order(table: &Table) -> bool {
    (0..table.len() as u32).all(|index| {
        table.companions(index).windows(2).all(|two| {
            let cosine = |one: classifier::companions::Companion| {
                f64::from(one.both)
                    / (f64::from(table.liked_by(index)) * f64::from(table.liked_by(one.index))).sqrt()
            };
            let (first, second) = (cosine(two[0]), cosine(two[1]));
            first > second + 1e-9
                || (first > second - 1e-9 && table.name(two[0].index) < table.name(two[1].index))
        })
    })
}

proptest! {
    #[test]
    fn counting_is_a_recount_of_what_is_liked_in_the_end(steps in steps()) {
        let companions = Companions::count(&fold(&steps));
        let liked = liked_in_the_end(&steps);
        let (mut tracks, mut artists) = (BTreeMap::<u32, BTreeSet<String>>::new(), BTreeMap::<u32, BTreeSet<String>>::new());
        for ((number, track), of) in &liked {
            tracks.entry(*number).or_default().insert(track.clone());
            artists.entry(*number).or_default().extend(of.iter().filter(|name| !name.is_empty()).cloned());
        }
        prop_assert_eq!(companions.likes(), liked.len() as u64);
        prop_assert_eq!(companions.listeners() as usize, tracks.len());
        prop_assert_eq!(pairs_of(companions.tracks()), recount(&tracks));
        prop_assert_eq!(pairs_of(companions.artists()), recount(&artists));
        prop_assert!(is_in_order(companions.tracks()) && is_in_order(companions.artists()));
    }

    #[test]
    fn only_the_order_of_one_listeners_events_matters(steps in steps()) {
        let mut one_by_one = steps.clone();
        one_by_one.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
        prop_assert_eq!(Companions::count(&fold(&one_by_one)), Companions::count(&fold(&steps)));
    }

    #[test]
    fn what_changes_something_is_told_and_nothing_else(steps in steps()) {
        let mut likes = Likes::default();
        for end in 0..steps.len() {
            let before = liked_in_the_end(&steps[..end]);
            let after = liked_in_the_end(&steps[..=end]);
            let (number, step) = &steps[end];
            let has_changed = match step {
                Step::Event(event) => likes.apply(listener(*number), event),
                Step::Erased => likes.forget(listener(*number)),
            };
            let without_nobody = |liked: &BTreeMap<(u32, String), Vec<String>>| -> BTreeMap<(u32, String), Vec<String>> {
                let named = |artists: &Vec<String>| artists.iter().filter(|name| !name.is_empty()).cloned().collect();
                liked.iter().map(|(key, artists)| (key.clone(), named(artists))).collect()
            };
            prop_assert_eq!(has_changed, without_nobody(&before) != without_nobody(&after));
            prop_assert_eq!(likes.likes(), after.len() as u64);
        }
    }

    #[test]
    fn bytes_come_back_as_they_were(steps in steps()) {
        let companions = Companions::count(&fold(&steps));
        let bytes = companions.to_bytes();
        prop_assert_eq!(companions.digest(), Digest::of(&bytes));
        prop_assert_eq!(Companions::from_bytes(&bytes), Ok(companions));
    }

    #[test]
    fn a_changed_byte_is_refused_or_is_other_counts_in_their_canonical_form(steps in steps(), flip in 1..=255u8) {
        let bytes = Companions::count(&fold(&steps)).to_bytes();
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= flip;
            if let Ok(read) = Companions::from_bytes(&changed) {
                prop_assert_eq!(read.to_bytes(), changed);
            }
        }
    }

    #[test]
    fn any_bytes_are_refused_or_read_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let started = [b"SEGUECMP\x01".as_slice(), &bytes].concat();
        for bytes in [bytes, started] {
            if let Ok(read) = Companions::from_bytes(&bytes) {
                prop_assert_eq!(read.to_bytes(), bytes);
            }
        }
    }
}

/// Three listeners like `t1` by A, two of them `t2` by B, and one of these `t3` by both.
fn three() -> Companions {
    let mut likes = Likes::default();
    for number in 0..3 {
        likes.apply(listener(number), &rated("t1", &["A"], Rating::Like));
    }
    for number in 0..2 {
        likes.apply(listener(number), &rated("t2", &["B"], Rating::Like));
    }
    likes.apply(listener(0), &rated("t3", &["A", "B"], Rating::Like));
    Companions::count(&likes)
}

/// Playlists name companions by the digest of these bytes: whoever changes the form makes another format.
#[test]
fn the_form_is_the_documented_one() {
    let artists = b"\x02\x01A\x03\x01\x01B\x02\x01\x01\x02\x00\x02";
    let tracks =
        b"\x03\x02t1\x03\x02\x02t2\x02\x02\x02t3\x01\x02\x01\x02\x02\x01\x00\x02\x02\x01\x01\x01\x00\x01";
    let expected = [b"SEGUECMP\x01\x03\x06".as_slice(), artists, tracks].concat();
    assert_eq!(three().to_bytes(), expected);
    let (likes, listeners) = (three().likes(), three().listeners());
    assert_eq!((likes, listeners), (6, 3));
}

#[test]
fn what_is_damaged_is_refused_with_what_is_wrong() {
    let bytes = three().to_bytes();
    assert_eq!(Companions::from_bytes(b"SEGUECAT"), Err(CompanionsError::Foreign));
    assert_eq!(
        Companions::from_bytes(b"SEGUECMP\x02"),
        Err(CompanionsError::UnknownFormat(2))
    );
    for end in 8..bytes.len() {
        let read = Companions::from_bytes(&bytes[..end]);
        assert!(
            matches!(read, Err(CompanionsError::Truncated(_))),
            "{end}: {read:?}"
        );
    }
    let surplus = [&bytes[..], &[0]].concat();
    assert_eq!(Companions::from_bytes(&surplus), Err(CompanionsError::Surplus));
}

fn refusal(head: &[u8], artists: &[u8]) -> String {
    let bytes = [b"SEGUECMP\x01".as_slice(), head, artists, b"\x00"].concat();
    Companions::from_bytes(&bytes).unwrap_err().to_string()
}

#[test]
fn what_could_be_said_in_another_way_is_refused() {
    let sound = b"\x02\x01A\x03\x01\x01B\x02\x01\x01\x02\x00\x02";
    for (head, artists, wrong) in [
        (&b"\x83\x00\x06"[..], &sound[..], "more bytes than it needs"),
        (b"\x03\x02", sound, "likes do not fit"),
        (
            b"\x03\x06",
            b"\x02\x01B\x03\x01\x01A\x02\x01\x01\x02\x00\x02",
            "names are not in order",
        ),
        (
            b"\x03\x06",
            b"\x02\x01A\x04\x01\x01B\x02\x01\x01\x02\x00\x02",
            "more than there are",
        ),
        (
            b"\x03\x06",
            b"\x02\x01A\x03\x01\x01B\x02\x01\x01\x03\x00\x02",
            "more than like each",
        ),
        (
            b"\x03\x06",
            b"\x02\x01A\x03\x01\x01B\x02\x01\x00\x02\x00\x02",
            "the thing itself",
        ),
        (
            b"\x03\x06",
            b"\x02\x01A\x03\x02\x01B\x02\x00\x01\x02\x01\x01",
            "named twice",
        ),
        (
            b"\x03\x06",
            b"\x03\x01A\x03\x02\x01B\x02\x00\x01C\x02\x00\x02\x02\x01\x02",
            "companions are not in order",
        ),
        (
            b"\x03\x06",
            b"\x03\x01A\x03\x01\x01B\x02\x00\x01C\x02\x00\x01\x02",
            "in no pair",
        ),
        (b"\x03\x06", b"\x01\x01A\x03\x65", "too many companions"),
        (b"\x03\x06", b"\x01\x01\xff\x03\x00", "no text"),
        (b"\x03\x06", b"\x01\x00\x03\x00", "a name is empty"),
        (b"\xff\xff\xff\xff\x1f\x06", b"\x00", "exceeds 32 bits"),
        (
            b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
            b"\x00",
            "exceeds 64 bits",
        ),
    ] {
        let refused = refusal(head, artists);
        assert!(refused.contains(wrong), "{wrong}: {refused}");
    }
}

/// `(listener, tracks)`: each track is its own artist.
fn counted(baskets: impl IntoIterator<Item = Vec<String>>) -> Companions {
    let mut likes = Likes::default();
    for (number, basket) in (0..).zip(baskets) {
        for name in basket {
            likes.apply(listener(number), &rated(&name, &[&name], Rating::Like));
        }
    }
    Companions::count(&likes)
}

#[test]
fn the_strongest_companions_are_kept_and_equals_by_name() {
    let name = |index: usize| format!("t{index:03}");
    // One likes `hub` with all others, another with the last one.
    let all = (0..150).map(name).chain(["hub".to_owned()]).collect();
    let companions = counted([all, vec!["hub".to_owned(), name(149)]]);
    let of_hub = |table: &Table| {
        let companions = table.companions(table.index_of("hub").unwrap()).iter();
        companions
            .map(|one| table.name(one.index).to_owned())
            .collect::<Vec<_>>()
    };
    let expected = |max: usize| {
        let others = (0..max - 1).map(name);
        [name(149)].into_iter().chain(others).collect::<Vec<_>>()
    };
    assert_eq!(of_hub(companions.artists()), expected(ARTIST_COMPANIONS_MAX));
    assert_eq!(of_hub(companions.tracks()), expected(TRACK_COMPANIONS_MAX));
}

#[test]
fn of_a_listener_who_likes_very_much_what_most_listeners_like_is_counted() {
    let name = |index: usize| format!("t{index:04}");
    let eager = (0..=LIKES_COUNTED_MAX).map(name).collect();
    let companions = counted([eager, vec![name(LIKES_COUNTED_MAX), "other".to_owned()]]);
    assert_eq!(companions.likes(), LIKES_COUNTED_MAX as u64 + 2);
    let tracks = companions.tracks();
    let liked_by = |index| tracks.index_of(&name(index)).map(|index| tracks.liked_by(index));
    assert_eq!(
        liked_by(LIKES_COUNTED_MAX),
        Some(2),
        "liked by two, though last by id"
    );
    assert_eq!(
        liked_by(LIKES_COUNTED_MAX - 1),
        None,
        "liked by one, and last by id of these"
    );
    assert_eq!(liked_by(0), Some(1));
}

#[test]
fn among_many_listeners_a_pair_that_one_alone_likes_is_left_out() {
    let pair = |name: &str| vec![format!("{name}1"), format!("{name}2")];
    let alone = |count: u32| (0..count - 2).map(move |number| pair(&format!("alone{number}-")));
    let together = || [pair("together"), pair("together")];
    let few = counted(alone(MANY_LISTENERS - 1).chain(together()));
    assert_eq!(few.tracks().len() as u32, 2 * (MANY_LISTENERS - 2));
    let many = counted(alone(MANY_LISTENERS).chain(together()));
    for table in [many.tracks(), many.artists()] {
        let names: Vec<&str> = (0..table.len() as u32).map(|index| table.name(index)).collect();
        assert_eq!(names, ["together1", "together2"]);
    }
    assert_eq!(many.listeners(), MANY_LISTENERS);
    assert_eq!(Companions::from_bytes(&many.to_bytes()), Ok(many));
}

#[test]
fn without_a_pair_nothing_is_told() {
    assert_eq!(counted([vec!["t1".to_owned()]]).tracks().len(), 0);
    let none = Companions::none();
    assert_eq!((none.listeners(), none.artists().pairs()), (0, 0));
    assert_eq!(Companions::from_bytes(&none.to_bytes()), Ok(none));
}
