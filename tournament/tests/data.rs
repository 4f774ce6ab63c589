//! Reading ratings and playlists: what is taken, and how what cannot be taken is named.

use std::io::Write;
use std::path::Path;

use tournament::data::{Collection, DataError, Ratings};

const FEATURES: &str = "danceability,energy,key,loudness,mode,speechiness,acousticness,instrumentalness,liveness,valence,tempo,duration_ms";
const VALUES: &str = "0.5,0.5,1,-7,1,0.1,0.2,0.0,0.1,0.5,120,200000";

fn ratings(folder: &Path, lines: &[&str]) -> Result<Ratings, DataError> {
    let file = folder.join("ratings.csv");
    let header = format!("track_id,name,artist,genres,rating,listener,{FEATURES}");
    let lines = lines.iter().map(|line| format!("{line},{VALUES}"));
    let text = std::iter::once(header)
        .chain(lines)
        .collect::<Vec<_>>()
        .join("\n");
    std::fs::write(&file, text + "\n").unwrap();
    Ratings::read(&file, None)
}

#[test]
fn listeners_keep_their_own_order_and_neutral_is_no_rating() {
    let folder = tempfile::tempdir().unwrap();
    let read = ratings(
        folder.path(),
        &[
            "b,Two,Y,\"pop, rock\",dislike,ann",
            "a,One,X,pop,like,ann",
            "a,One,X,pop,dislike,bob",
            "c,Three,Z,,neutral,bob",
        ],
    )
    .unwrap();
    let listeners: Vec<_> = read
        .listeners
        .iter()
        .map(|l| (l.name.as_str(), l.rated.as_slice()))
        .collect();
    assert_eq!(
        listeners,
        [("ann", &[(1, false), (0, true)][..]), ("bob", &[(0, false)][..])]
    );
    assert_eq!(read.catalogue.len(), 3);
    assert_eq!(read.genres, [vec![0], vec![0, 1], vec![]]);
}

#[test]
fn a_value_that_cannot_be_used_is_named_by_file_line_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let error = ratings(folder.path(), &["a,One,X,,like,", "b,Two,Y,,liked,"])
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("ratings.csv, line 3, column rating: \"liked\""),
        "{error}"
    );
    let error = ratings(folder.path(), &["a,One,X,,like,", "b,,Y,,like,"])
        .unwrap_err()
        .to_string();
    assert!(error.contains("ratings.csv, line 3, column name: "), "{error}");
    let error = ratings(folder.path(), &["a,One,X,,neutral,"])
        .unwrap_err()
        .to_string();
    assert!(error.contains("neither a like nor a dislike"), "{error}");
    let file = folder.path().join("bare.csv");
    std::fs::write(
        &file,
        format!("track_id,name,artist,{FEATURES}\na,One,X,{VALUES}\n"),
    )
    .unwrap();
    let error = Ratings::read(&file, None).unwrap_err().to_string();
    assert!(error.ends_with("bare.csv lacks the column rating"), "{error}");
    let error = Ratings::read(&folder.path().join("absent.csv"), None)
        .unwrap_err()
        .to_string();
    assert!(error.ends_with("absent.csv cannot be read"), "{error}");
}

/// Five playlists of 20 songs, two of which are the same song, in the catalogue of 200.
fn collection(folder: &Path, more: &str) -> Result<Collection, DataError> {
    let mut catalogue = format!("track_id,name,artist,genre,{FEATURES}\n");
    let mut members = "playlist_id,track_id\n".to_owned();
    for track in 0..200 {
        let title = if track == 1 { 0 } else { track };
        catalogue += &format!("t{track:03},Song {title},Artist {},g,{VALUES}\n", title / 3);
    }
    for member in 0..105 {
        members += &format!("p{},t{member:03}\n", member / 21);
    }
    std::fs::write(folder.join("catalogue.csv"), catalogue).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all((members + more).as_bytes()).unwrap();
    std::fs::write(folder.join("playlist_tracks.csv.gz"), gzip.finish().unwrap()).unwrap();
    Collection::read(folder)
}

#[test]
fn a_song_stands_once_in_a_playlist_under_whichever_id() {
    let folder = tempfile::tempdir().unwrap();
    let read = collection(folder.path(), "p9,t190\n").unwrap();
    let sizes: Vec<_> = read
        .playlists
        .iter()
        .map(|playlist| (playlist.id.as_str(), playlist.tracks.len()))
        .collect();
    assert_eq!(
        sizes,
        [("p0", 20), ("p1", 21), ("p2", 21), ("p3", 21), ("p4", 21)]
    );
}

#[test]
fn a_member_that_is_not_in_the_catalogue_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = collection(folder.path(), "p9,nowhere\n").unwrap_err().to_string();
    assert!(
        error.contains("playlist_tracks.csv.gz, line 107, column track_id: nowhere is not in"),
        "{error}"
    );
    std::fs::write(
        folder.path().join("playlist_tracks.csv"),
        "playlist_id,track_id\n",
    )
    .unwrap();
    let error = Collection::read(folder.path()).unwrap_err().to_string();
    assert!(
        error.contains("4 playlists of 20 or more songs are needed"),
        "{error}"
    );
}
