//! A track's contributions, in words: "slower and more acoustic than you usually skip; you like Nina Simone".
//!
//! The words follow from what was recorded and what the catalogue says of the track, so nothing of them is stored.

use crate::catalogue::{Catalogue, Track};

/// A contribution below this share of the largest is not worth a word.
const WORTH_SAYING: f64 = 0.15;
/// So many features, and so many reasons in all, are put into words at most.
const FEATURES_MAX: usize = 2;
const REASONS_MAX: usize = 3;

/// What a playlist says of its listener, for the words of all its tracks.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// The catalogue that the playlist was made from, or a later one with the same tracks.
    pub catalogue: &'a Catalogue,
    /// The names of the contributions, in their order.
    pub features: &'a [String],
    /// Whether the listener had disliked or skipped anything.
    pub has_dislikes: bool,
}

impl Told<'_> {
    /// Why the track of this index was chosen; empty when nothing speaks for it more than for any other.
    #[must_use]
    pub fn of(&self, track: u32, contributions: &[f64]) -> String {
        let mut reasons: Vec<(f64, &str)> = self
            .features
            .iter()
            .zip(contributions)
            .filter(|(name, value)| name.as_str() != "base" && **value > 0.0)
            .map(|(name, value)| (*value, name.as_str()))
            .collect();
        reasons.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
        let largest = reasons.first().map_or(0.0, |reason| reason.0);
        reasons.retain(|reason| reason.0 >= WORTH_SAYING * largest);
        self.sentence(track, &reasons)
    }

    fn sentence(&self, track: u32, reasons: &[(f64, &str)]) -> String {
        let described = self.catalogue.track(track);
        let sound = self.sound(track, reasons);
        let mut clauses: Vec<String> = reasons
            .iter()
            .filter_map(|(_, name)| clause(name, &described))
            .collect();
        if let Some(sound) = sound {
            // Where the strongest feature stands among the reasons, its clause stands too.
            let is_sound = |reason: &(f64, &str)| self.comparative(track, reason.1).is_some();
            let before = reasons.iter().take_while(|reason| !is_sound(reason));
            let place = before
                .filter(|reason| clause(reason.1, &described).is_some())
                .count();
            clauses.insert(place, sound);
        }
        clauses.dedup();
        clauses.truncate(REASONS_MAX);
        clauses.join("; ")
    }

    fn sound(&self, track: u32, reasons: &[(f64, &str)]) -> Option<String> {
        let words: Vec<&str> = reasons
            .iter()
            .filter_map(|(_, name)| self.comparative(track, name))
            .take(FEATURES_MAX)
            .collect();
        let than = if self.has_dislikes {
            "than you usually skip"
        } else {
            "than most"
        };
        (!words.is_empty()).then(|| format!("{} {than}", words.join(" and ")))
    }

    /// How the track compares with the catalogue's mean in a feature; `None` for what is no feature or has no "more".
    fn comparative(&self, track: u32, feature: &str) -> Option<&'static str> {
        let index = self.catalogue.schema().index_of(feature)?;
        let is_more = self.catalogue.column(index)[track as usize] >= 0.0;
        let (more, less) = comparatives(feature)?;
        Some(if is_more { more } else { less })
    }
}

fn comparatives(feature: &str) -> Option<(&'static str, &'static str)> {
    Some(match feature {
        "danceability" => ("easier to dance to", "harder to dance to"),
        "energy" => ("more energetic", "calmer"),
        "loudness" => ("louder", "quieter"),
        "speechiness" => ("wordier", "less wordy"),
        "acousticness" => ("more acoustic", "less acoustic"),
        "instrumentalness" => ("more instrumental", "more vocal"),
        "liveness" => ("more live", "more of a studio sound"),
        "valence" => ("brighter", "darker"),
        "tempo" => ("faster", "slower"),
        "duration_ms" => ("longer", "shorter"),
        "mode" => ("more often in major", "more often in minor"),
        _ => return None,
    })
}

fn clause(name: &str, track: &Track<'_>) -> Option<String> {
    let artist = track.artists.first().copied().unwrap_or("this artist");
    if let Some(target) = name.strip_prefix("target:") {
        return Some(format!(
            "near the {} you asked for",
            target.trim_end_matches("_ms")
        ));
    }
    Some(match name {
        "artist" => format!("you like {artist}"),
        "album" => format!("you like {}", track.album.unwrap_or("its album")),
        "companions" => format!("listeners who share your taste like {artist}"),
        "song_companions" => "listeners who share your taste like this song".to_owned(),
        "similar" => "close to tracks that you like".to_owned(),
        "near" => format!("close to songs by {artist} that you like"),
        "date" => "from the years you like".to_owned(),
        "popularity" | "era" => "as well known as what you like".to_owned(),
        "seed_tracks" => "close to the tracks you named".to_owned(),
        "seed_artists" => format!("you asked for {artist}"),
        "seed_genres" => format!("you asked for {}", track.genre.unwrap_or("its genre")),
        "exploration" => "something to try".to_owned(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator;

    fn names() -> Vec<String> {
        [
            "base",
            "tempo",
            "acousticness",
            "artist",
            "companions",
            "target:energy",
        ]
        .map(str::to_owned)
        .to_vec()
    }

    #[test]
    fn the_strongest_reasons_come_first_and_weak_ones_not_at_all() {
        let catalogue = generator::catalogue(200, 3);
        let z = |name: &str, track: u32| {
            catalogue.column(catalogue.schema().index_of(name).unwrap())[track as usize]
        };
        let track = (0..200)
            .find(|&t| z("tempo", t) < 0.0 && z("acousticness", t) > 0.0)
            .unwrap();
        let artist = catalogue.track(track).artists[0].to_owned();
        let features = names();
        let mut told = Told {
            catalogue: &catalogue,
            features: &features,
            has_dislikes: true,
        };
        assert_eq!(
            told.of(track, &[9.0, 0.8, 0.7, 0.5, 0.01, -3.0]),
            format!("slower and more acoustic than you usually skip; you like {artist}")
        );
        told.has_dislikes = false;
        assert_eq!(
            told.of(track, &[0.0, 0.0, 0.3, 1.0, 0.0, 0.9]),
            format!("you like {artist}; near the energy you asked for; more acoustic than most")
        );
        assert_eq!(told.of(track, &[1.0, -1.0, 0.0, 0.0, 0.0, 0.0]), "");
    }
}
