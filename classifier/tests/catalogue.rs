//! A catalogue keeps what it was given, and no bytes make it panic.

use classifier::catalogue::{Catalogue, CatalogueBuilder, CatalogueError, NewTrack};
use classifier::generator;
use classifier::testing::any_bytes_as_catalogue;
use domain::TrackId;

/// Four tracks with one ISRC: a careless catalogue.
fn small() -> Catalogue {
    small_with(|_| Some("USABC2600001"))
}

/// The same with the ISRCs that `isrc` gives for the ids.
fn small_with(isrc: impl Fn(&str) -> Option<&'static str>) -> Catalogue {
    let track = |id: &'static str, name: &'static str, artists: &'static [&'static str]| NewTrack {
        id,
        name,
        artists,
        album: Some("Album"),
        release_date: None,
        genre: Some("Rock"),
        license: Some("CC BY 4.0"),
        isrc: isrc(id),
        mbid: None,
        popularity: None,
        features: [
            0.5, 0.5, 1.0, -5.0, 1.0, 0.1, 0.1, 0.0, 0.1, 0.5, 120.0, 180_000.0,
        ],
    };
    let mut builder = CatalogueBuilder::default();
    for track in [
        track("c", "Island of Glass", &["The Éclairs"]),
        track("a", "Glass", &["Björk", "The Éclairs"]),
        track("b", "Ass", &["Nobody"]),
        track("d", "GLASS (Remastered 2011)", &["björk"]),
    ] {
        builder.push(&track).unwrap();
    }
    builder.finish(None)
}

#[test]
fn the_bytes_come_back_as_the_same_catalogue() {
    for catalogue in [small(), generator::catalogue(300, 5)] {
        let bytes = catalogue.to_bytes();
        let read = Catalogue::from_bytes(&bytes).unwrap();
        assert_eq!(read.version(), catalogue.version());
        assert_eq!(read.version(), domain::Digest::of(&bytes));
        assert_eq!(read.schema(), catalogue.schema());
        assert_eq!(read.columns(), catalogue.columns());
        for index in 0..catalogue.len() as u32 {
            assert_eq!(read.track(index), catalogue.track(index));
            assert_eq!(read.describe(index), catalogue.describe(index));
        }
    }
}

#[test]
fn every_cut_and_every_flipped_byte_is_refused_or_read_without_panic() {
    let bytes = small().to_bytes();
    for cut in 0..bytes.len() {
        assert!(Catalogue::from_bytes(&bytes[..cut]).is_err(), "cut at {cut}");
    }
    for at in 0..bytes.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] ^= flip;
            if let Ok(read) = Catalogue::from_bytes(&damaged) {
                assert_ne!(read.version(), domain::Digest::of(&bytes));
                (0..read.len() as u32).for_each(|index| drop(read.track(index)));
                let _ = read.search(Some("glass"), 0, 10);
            }
        }
    }
    let mut later = bytes.clone();
    later[8] = 9;
    assert_eq!(
        Catalogue::from_bytes(&later).unwrap_err(),
        CatalogueError::UnknownFormat(9)
    );
    assert_eq!(
        Catalogue::from_bytes(b"hello").unwrap_err(),
        CatalogueError::NotACatalogue
    );
}

#[test]
fn tracks_stand_in_the_order_of_their_ids_and_are_found() {
    let catalogue = small();
    let ids: Vec<&str> = (0..4).map(|index| catalogue.track(index).id).collect();
    assert_eq!(ids, ["a", "b", "c", "d"]);
    assert_eq!(catalogue.index_of(&TrackId::parse("c").unwrap()), Some(2));
    assert_eq!(catalogue.index_of(&TrackId::parse("x").unwrap()), None);
    let eclairs = catalogue.artists_called("the ÉCLAIRS");
    assert_eq!(catalogue.tracks_of(eclairs[0]), [0, 2]);
    assert_eq!(catalogue.track(0).duration_ms, Some(180_000));
}

#[test]
fn the_same_song_under_another_id_has_the_same_number() {
    let catalogue = small_with(|_| None);
    assert_eq!(catalogue.song(0), catalogue.song(3));
    assert_ne!(catalogue.song(0), catalogue.song(2));
    let coded = small_with(|id| Some("US-ABC-26-00001").filter(|_| id == "a" || id == "c"));
    assert_eq!(coded.song(0), coded.song(2));
    assert_ne!(coded.song(0), coded.song(1));
}

#[test]
fn text_is_found_in_names_and_artists_in_any_case() {
    let catalogue = small();
    let found = |text| catalogue.search(Some(text), 0, 10).tracks;
    assert_eq!(found("GLASS"), [0, 2, 3]);
    assert_eq!(found("éclair"), [0, 2]);
    assert_eq!(found("ass"), [0, 1, 2, 3]);
    // "Glass" and "Ass" stand side by side in memory, and yet "glassass" is no name.
    assert_eq!(found("glassass"), [0u32; 0]);
    assert_eq!(found("nothing like it"), [0u32; 0]);
    assert_eq!(catalogue.search(None, 0, 10).tracks.len(), 4);
}

#[test]
fn pages_follow_each_other_without_gap_or_repeat() {
    let catalogue = generator::catalogue(300, 5);
    for text in [None, Some("a"), Some("river")] {
        let whole = catalogue.search(text, 0, 1_000);
        assert_eq!(whole.next, None);
        let (mut paged, mut from) = (Vec::new(), Some(0));
        while let Some(start) = from {
            let page = catalogue.search(text, start, 7);
            assert!(page.tracks.len() <= 7);
            paged.extend(page.tracks);
            from = page.next;
        }
        assert_eq!(paged, whole.tracks);
    }
}

/// The bytes of a version never change: playlists name it by their digest. They are a fuzzer's first input as well.
#[test]
fn the_bytes_are_those_of_the_first_day() {
    let recorded = include_bytes!("artifacts/catalogues/format-1.bin");
    assert!(
        small().to_bytes() == recorded,
        "another version: {}",
        small().version()
    );
}

#[test]
fn whatever_is_changed_put_in_or_left_out_everything_can_be_asked_or_nothing() {
    let bytes = small().to_bytes();
    for at in 0..bytes.len() {
        for to in [0x00, 0x01, 0x7f, 0x80, 0xff] {
            let mut changed = bytes.clone();
            changed[at] = to;
            any_bytes_as_catalogue(&changed);
        }
        let mut shorter = bytes.clone();
        shorter.remove(at);
        any_bytes_as_catalogue(&shorter);
        let mut longer = bytes.clone();
        longer.insert(at, 0);
        any_bytes_as_catalogue(&longer);
    }
}
