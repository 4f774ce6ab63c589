//! Which tracks are the same song, as version 1 of the generator told them apart. Nothing here may change any more: old
//! playlists are computed again with it. [`super::songs`] is what holds now.

use std::collections::HashMap;

use super::interned::Groups;
use crate::strings::Strings;

/// Words that, at the start of a bracket or after ` - `, name an edition and not another song.
const EDITIONS: [&str; 12] = [
    "feat",
    "ft",
    "featuring",
    "with",
    "remaster",
    "remastered",
    "radio edit",
    "single version",
    "album version",
    "original mix",
    "mono",
    "stereo",
];

/// A number for each track, equal for the same first artist (in any case) and the same [`title_key`].
pub(super) fn number(names: &Strings, artists: &Groups) -> Vec<u32> {
    let people = fold_numbers(artists.table());
    let mut by_artist: Vec<u32> = (0..names.len() as u32).collect();
    let first = |track: u32| people[artists.members(track as usize)[0] as usize];
    by_artist.sort_by_key(|&track| first(track));
    let mut songs = vec![0; names.len()];
    let mut next = 0;
    let mut titles: HashMap<String, u32> = HashMap::new();
    let mut current = None;
    for track in by_artist {
        if current != Some(first(track)) {
            current = Some(first(track));
            titles.clear();
        }
        let song = *titles
            .entry(title_key(names.get(track as usize)))
            .or_insert_with(|| {
                next += 1;
                next - 1
            });
        songs[track as usize] = song;
    }
    songs
}

/// A number for each name, equal for names that differ in case only.
fn fold_numbers(names: &Strings) -> Vec<u32> {
    let mut numbers = HashMap::new();
    names
        .iter()
        .map(|name| {
            let next = numbers.len() as u32;
            *numbers.entry(name.to_lowercase()).or_insert(next)
        })
        .collect()
}

/// A title without case, punctuation, guests and editions: `Africa (feat. X) - 2018 Remaster` is `africa`. A remix, a
/// live recording and an acoustic version are other songs.
fn title_key(title: &str) -> String {
    let lower = title.to_lowercase();
    let mut kept = String::with_capacity(lower.len());
    let mut rest = lower.as_str();
    while let Some(open) = rest.find(['(', '[']) {
        let close = if rest[open..].starts_with('(') { ')' } else { ']' };
        let Some(length) = rest[open..].find(close) else {
            break;
        };
        kept.push_str(&rest[..open]);
        if !is_edition(&rest[open + 1..open + length]) {
            kept.push_str(&rest[open..=open + length]);
        }
        rest = &rest[open + length + 1..];
    }
    kept.push_str(rest);
    let base = match kept.split_once(" - ") {
        Some((base, edition)) if is_edition(edition) => base,
        _ => &kept,
    };
    let letters: String = base.chars().filter(|c| c.is_alphanumeric()).collect();
    if letters.is_empty() { lower } else { letters }
}

/// Whether a note on a title names an edition: it starts with such a word, after a year perhaps (`2011 remaster`), or
/// ends with one (`remastered 2011` starts, `2011 digital remaster` ends).
fn is_edition(note: &str) -> bool {
    let note = note.trim();
    let unyeared = note.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
    EDITIONS
        .iter()
        .any(|word| starts_with_word(note, word) || starts_with_word(unyeared, word))
        || note.ends_with("remaster")
        || note.ends_with("remastered")
}

fn starts_with_word(text: &str, word: &str) -> bool {
    text.strip_prefix(word)
        .is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
}

#[cfg(test)]
mod tests {
    use super::title_key;

    #[test]
    fn editions_of_a_song_share_a_key() {
        for title in [
            "Africa",
            "AFRICA!",
            "Africa (feat. X)",
            "Africa - 2018 Remaster",
            "Africa [Remastered 2018]",
        ] {
            assert_eq!(title_key(title), "africa", "{title}");
        }
        assert_eq!(title_key("Song - Radio Edit"), "song");
    }

    #[test]
    fn other_songs_keep_theirs() {
        assert_ne!(title_key("Africa (Live)"), title_key("Africa"));
        assert_ne!(title_key("Africa - Acoustic"), title_key("Africa"));
        assert_ne!(title_key("Without Me (With You)"), title_key("Without"));
        assert_eq!(title_key("???"), "???");
        assert_ne!(title_key("Call (me"), title_key("Call"));
        assert_ne!(title_key("Song - Withered"), title_key("Song"));
    }
}
