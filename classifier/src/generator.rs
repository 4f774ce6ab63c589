//! A made-up catalogue: plausible enough to demonstrate and test with, derived from no one's data.
//!
//! Artists have sizes that fall off like 1/rank, a genre, and a centre in feature space around which their tracks
//! scatter, so that a listener's taste can be learned. The same number and seed give the same tracks everywhere.

use std::io::{self, Write};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::catalogue::{Catalogue, CatalogueBuilder, NewTrack};
use crate::numbers::{below, normal, uniform};
use crate::schema::{FEATURES, feature_names};

/// Tracks per artist, on the average.
const TRACKS_PER_ARTIST: usize = 12;
const OPENINGS: [&str; 20] = [
    "ba", "ca", "da", "el", "fi", "ga", "ho", "il", "ja", "ka", "lu", "ma", "no", "or", "pe", "ra", "si",
    "ta", "vi", "ze",
];
const MIDDLES: [&str; 16] = [
    "l", "r", "n", "m", "st", "nd", "v", "s", "th", "rr", "lm", "k", "d", "sh", "rt", "ll",
];
const ENDINGS: [&str; 14] = [
    "a", "o", "e", "is", "an", "ia", "on", "us", "ey", "ine", "or", "et", "ium", "y",
];
const WORDS: [&str; 32] = [
    "River",
    "Night",
    "Glass",
    "Summer",
    "Ghost",
    "Paper",
    "Golden",
    "Static",
    "Harbor",
    "Winter",
    "Velvet",
    "Neon",
    "Echo",
    "Shadow",
    "Silver",
    "Garden",
    "Thunder",
    "Mirror",
    "Ocean",
    "Ember",
    "Signal",
    "Morning",
    "Crystal",
    "Desert",
    "Hollow",
    "Satellite",
    "Lantern",
    "Orchard",
    "Tide",
    "Copper",
    "Meadow",
    "Comet",
];
const GENRES: [Genre; 8] = [
    // danceability, energy, loudness, speechiness, acousticness, instrumentalness, liveness, valence, tempo
    Genre {
        name: "ambient",
        centre: [0.35, 0.20, -20.0, 0.04, 0.75, 0.75, 0.12, 0.20, 95.0],
    },
    Genre {
        name: "classical",
        centre: [0.30, 0.18, -22.0, 0.04, 0.92, 0.80, 0.12, 0.25, 100.0],
    },
    Genre {
        name: "electronic",
        centre: [0.68, 0.80, -6.0, 0.07, 0.06, 0.45, 0.18, 0.40, 126.0],
    },
    Genre {
        name: "folk",
        centre: [0.52, 0.38, -11.0, 0.04, 0.70, 0.04, 0.14, 0.45, 115.0],
    },
    Genre {
        name: "hip hop",
        centre: [0.76, 0.64, -7.0, 0.25, 0.18, 0.01, 0.20, 0.50, 105.0],
    },
    Genre {
        name: "metal",
        centre: [0.40, 0.93, -4.5, 0.09, 0.01, 0.15, 0.22, 0.32, 132.0],
    },
    Genre {
        name: "pop",
        centre: [0.68, 0.68, -5.5, 0.07, 0.20, 0.00, 0.16, 0.58, 118.0],
    },
    Genre {
        name: "rock",
        centre: [0.52, 0.76, -6.5, 0.05, 0.12, 0.03, 0.20, 0.54, 124.0],
    },
];
/// How far artists of a genre, and tracks of an artist, scatter in each number of a centre.
const SCATTER: [f64; 9] = [0.09, 0.11, 2.2, 0.03, 0.12, 0.10, 0.06, 0.14, 16.0];

struct Genre {
    name: &'static str,
    centre: [f64; 9],
}

struct Artist {
    name: String,
    genre: usize,
    fame: f64,
    centre: [f64; 9],
    album: String,
}

/// One made-up track; features as in [`FEATURES`].
struct Row {
    id: String,
    name: String,
    popularity: u8,
    year: u64,
    features: [f32; FEATURES.len()],
}

/// A catalogue of `tracks` made-up tracks.
#[must_use]
pub fn catalogue(tracks: usize, seed: u64) -> Catalogue {
    let mut builder = CatalogueBuilder::default();
    for_each(tracks, seed, |row, artist| {
        let year = row.year.to_string();
        let track = NewTrack {
            id: &row.id,
            name: &row.name,
            artists: &[&artist.name],
            album: Some(&artist.album),
            release_date: Some(&year),
            genre: Some(GENRES[artist.genre].name),
            license: None,
            isrc: None,
            mbid: None,
            popularity: Some(row.popularity),
            features: row.features,
        };
        builder.push(&track).expect("made-up ids are numbered");
        Ok(())
    })
    .expect("adding to a catalogue does not fail");
    builder.finish(None)
}

/// Writes `tracks` made-up tracks as a catalogue file; reading it gives [`catalogue`]'s version.
///
/// # Errors
/// What writing fails with; part of the file may be written.
pub fn write_csv(mut out: impl Write, tracks: usize, seed: u64) -> io::Result<()> {
    let features = feature_names().collect::<Vec<_>>().join(",");
    writeln!(
        out,
        "track_id,name,artist,album,release_date,genre,popularity,{features}"
    )?;
    for_each(tracks, seed, |row, artist| {
        let Artist {
            name, album, genre, ..
        } = artist;
        let genre = GENRES[*genre].name;
        write!(
            out,
            "{},{},{name},{album},{},{genre},{}",
            row.id, row.name, row.year, row.popularity
        )?;
        for value in row.features {
            write!(out, ",{value}")?;
        }
        writeln!(out)
    })?;
    out.flush()
}

fn for_each(
    tracks: usize,
    seed: u64,
    mut each: impl FnMut(&Row, &Artist) -> io::Result<()>,
) -> io::Result<()> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let artists = artists(tracks.div_ceil(TRACKS_PER_ARTIST).max(1), &mut rng);
    let mut weights = Vec::with_capacity(artists.len());
    let mut total = 0.0;
    for rank in 0..artists.len() {
        total += 1.0 / (rank as f64 + 3.0);
        weights.push(total);
    }
    for number in 0..tracks {
        let drawn = uniform(&mut rng) * total;
        let artist = weights
            .partition_point(|&weight| weight <= drawn)
            .min(artists.len() - 1);
        let row = row(number, &artists[artist], &mut rng);
        each(&row, &artists[artist])?;
    }
    Ok(())
}

fn artists(count: usize, rng: &mut ChaCha8Rng) -> Vec<Artist> {
    (0..count).map(|number| artist(number, rng)).collect()
}

fn artist(number: usize, rng: &mut ChaCha8Rng) -> Artist {
    let genre = below(rng, GENRES.len() as u64) as usize;
    let mut centre = GENRES[genre].centre;
    for (value, scatter) in centre.iter_mut().zip(SCATTER) {
        *value += normal(rng) * scatter;
    }
    let given = word(rng);
    let family = word(rng);
    // A number where the syllables would repeat: two artists never share a name.
    let name = format!("{given} {family} {}", letters(number));
    Artist {
        name,
        genre,
        fame: uniform(rng),
        centre,
        album: format!("{} {}", pick(&WORDS, rng), pick(&WORDS, rng)),
    }
}

fn word(rng: &mut ChaCha8Rng) -> String {
    let text = format!(
        "{}{}{}",
        pick(&OPENINGS, rng),
        pick(&MIDDLES, rng),
        pick(&ENDINGS, rng)
    );
    text[..1].to_uppercase() + &text[1..]
}

/// The number in letters (base 26, `A` first), which reads better behind a name than digits.
fn letters(number: usize) -> String {
    let letter = char::from(b'A' + (number % 26) as u8);
    if number < 26 {
        letter.to_string()
    } else {
        letters(number / 26 - 1) + &letter.to_string()
    }
}

fn pick<'a>(words: &[&'a str], rng: &mut ChaCha8Rng) -> &'a str {
    words[below(rng, words.len() as u64) as usize]
}

fn row(number: usize, artist: &Artist, rng: &mut ChaCha8Rng) -> Row {
    let mut values = artist.centre;
    for (value, scatter) in values.iter_mut().zip(SCATTER) {
        *value += normal(rng) * scatter * 0.7;
    }
    let [
        dance,
        energy,
        loudness,
        speech,
        acoustic,
        instrumental,
        live,
        valence,
        tempo,
    ] = values;
    let mode = uniform(rng) < 0.4 + 0.4 * valence;
    let key = below(rng, 12) as f64;
    let duration = (215.0 + normal(rng) * 50.0).clamp(45.0, 900.0) * 1000.0;
    let fame = (artist.fame * 70.0 + normal(rng) * 12.0).clamp(0.0, 100.0);
    let features = [
        share(dance),
        share(energy),
        key,
        hundredths(loudness.clamp(-60.0, 0.0)),
        f64::from(u8::from(mode)),
        share(speech),
        share(acoustic),
        share(instrumental),
        share(live),
        share(valence),
        hundredths(tempo.clamp(50.0, 220.0)),
        duration.round(),
    ];
    let name = match below(rng, 3) {
        0 => format!("{} {}", pick(&WORDS, rng), pick(&WORDS, rng)),
        1 => format!("{} of {}", pick(&WORDS, rng), word(rng)),
        _ => format!("{} {}", word(rng), pick(&WORDS, rng)),
    };
    Row {
        id: format!("demo-{number:07}"),
        name,
        popularity: fame as u8,
        year: 1975 + below(rng, 50),
        features: features.map(|value| value as f32),
    }
}

/// A share of 1, to four digits.
fn share(value: f64) -> f64 {
    (value.clamp(0.001, 0.999) * 10_000.0).round() / 10_000.0
}

fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::read_csv;

    #[test]
    fn the_file_and_the_catalogue_are_the_same_version() {
        let mut file = Vec::new();
        write_csv(&mut file, 500, 7).unwrap();
        let imported = read_csv(file.as_slice(), None, &mut |_| {}).unwrap();
        assert!(imported.rejected.is_empty(), "{:?}", imported.rejected.first());
        assert_eq!(imported.catalogue.version(), catalogue(500, 7).version());
        assert_ne!(imported.catalogue.version(), catalogue(500, 8).version());
    }

    #[test]
    fn sizes_of_artists_fall_off_and_genres_differ() {
        let catalogue = catalogue(3_000, 1);
        let mut sizes: Vec<usize> = (0..catalogue.artist_count() as u32)
            .map(|artist| catalogue.tracks_of(artist).len())
            .collect();
        sizes.sort_unstable();
        assert!(sizes[sizes.len() - 1] > 10 * sizes[sizes.len() / 2]);
        assert!(catalogue.artist_count() > 100);
    }
}
