//! What of a title names the song.

use unicode_normalization::UnicodeNormalization;

/// Words of notes on a title that name an edition and not another song. Sorted.
const EDITION_WORDS: [&str; 36] = [
    "album",
    "audio",
    "bonus",
    "clean",
    "cut",
    "deluxe",
    "digital",
    "digitally",
    "dirty",
    "edit",
    "edited",
    "edition",
    "ep",
    "explicit",
    "extended",
    "long",
    "lp",
    "main",
    "mix",
    "mono",
    "music",
    "official",
    "original",
    "radio",
    "remaster",
    "remastered",
    "remasterizada",
    "remasterizado",
    "short",
    "single",
    "stereo",
    "track",
    "uncut",
    "version",
    "video",
    "vinyl",
];
/// A note that starts with one of these names a guest, or the film that the song was in.
const OPENINGS: [&str; 5] = ["feat", "featuring", "from", "ft", "with"];
/// What makes another song even of a remaster.
const OTHER_WORDS: [&str; 8] = [
    "acoustic",
    "demo",
    "instrumental",
    "live",
    "recorded",
    "remix",
    "unplugged",
    "vivo",
];

/// A title without case, accents, punctuation, guests and editions: `África (feat. X) - 2018 Remaster` is `africa`. Notes
/// that are none of these stay: a remix, a live recording and an acoustic version are other songs.
///
/// Notes stand in brackets or behind ` - `; several in one are parted by `;`, `/` or ` - `.
pub(super) fn title_key(title: &str) -> String {
    let folded = fold(title);
    let plain = without_brackets(&folded);
    let mut parts = plain.splitn(2, " - ");
    let mut kept = parts.next().unwrap_or_default().to_owned();
    parts.for_each(|note| keep_song(note, &mut kept));
    let letters: String = kept.chars().filter(|c| c.is_alphanumeric()).collect();
    if letters.is_empty() { folded } else { letters }
}

/// A name without case, accents and punctuation; a name of nothing else keeps it.
pub(super) fn name_key(name: &str) -> String {
    let folded = fold(name);
    let letters: String = folded.chars().filter(|c| c.is_alphanumeric()).collect();
    if letters.is_empty() { folded } else { letters }
}

/// Lower case without accents. Marks of other scripts than Latin, Greek and Cyrillic stay: they make other letters.
fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let is_accent = |c: &char| ('\u{300}'..='\u{36f}').contains(c);
    text.to_lowercase()
        .nfkd()
        .filter(|c| !is_accent(c))
        .nfc()
        .collect()
}

/// The text with the brackets gone, and what is in them too when it is an edition. An open bracket without its end stays.
fn without_brackets(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find(['(', '[']) {
        let close = if rest[open..].starts_with('(') { ')' } else { ']' };
        let Some(length) = rest[open..].find(close) else {
            break;
        };
        kept.push_str(&rest[..open]);
        keep_song(&rest[open + 1..open + length], &mut kept);
        rest = &rest[open + length + 1..];
    }
    kept.push_str(rest);
    kept
}

/// Adds the parts of a note to `kept` that do not name an edition or a guest.
fn keep_song(note: &str, kept: &mut String) {
    if is_edition(note) {
        return;
    }
    let pieces = note.split([';', '/']).flat_map(|part| part.split(" - "));
    for piece in pieces.filter(|piece| !is_edition(piece) && !is_opened(piece)) {
        kept.push(' ');
        kept.push_str(piece);
    }
}

/// Whether a note holds nothing but edition words and numbers (`7" single version`), or says that it is a remaster and
/// nothing that makes it another song (`40th anniversary remaster`).
fn is_edition(note: &str) -> bool {
    let is_numbered = |word: &str| word.starts_with(|c: char| c.is_ascii_digit());
    let is_of_edition = |word: &str| EDITION_WORDS.binary_search(&word).is_ok();
    let is_plain =
        words(note).any(is_of_edition) && words(note).all(|word| is_of_edition(word) || is_numbered(word));
    let is_other = || words(note).any(|word| OTHER_WORDS.contains(&word));
    is_plain || (words(note).any(|word| word.starts_with("remaster")) && !is_other())
}

/// Whether a note starts with a word of [`OPENINGS`] and goes on.
fn is_opened(note: &str) -> bool {
    let mut words = words(note);
    words.next().is_some_and(|word| OPENINGS.contains(&word)) && words.next().is_some()
}

fn words(note: &str) -> impl Iterator<Item = &str> {
    note.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edition_words_are_sorted() {
        assert!(EDITION_WORDS.is_sorted());
    }

    /// Each of these stands in real catalogues beside the plain title, for the same recording or a cut of it.
    #[test]
    fn editions_of_a_song_share_a_key() {
        for title in [
            "Africa",
            "AFRICA!",
            "África",
            "Africa (feat. X)",
            "Africa (with X & Y)",
            "Africa - 2018 Remaster",
            "Africa [Remastered 2018]",
            "Africa - 2018 - Remaster",
            "Africa - 2012 Collection Remaster",
            "Africa - 40th Anniversary Version / 2010 Remastered",
            "Africa - Remasterizado 2007",
            "Africa - Radio Edit",
            "Africa - Original Mono Version",
            "Africa - 7\" Version",
            "Africa (Single Mix) - Remastered",
            "Africa - (Explicit)",
            "Africa - From \"The Film: Part 2\" Soundtrack",
            "Africa (feat. X) - Extended Mix / Edit",
            "Africa (Bonus Track)",
        ] {
            assert_eq!(title_key(title), "africa", "{title}");
        }
    }

    #[test]
    fn other_songs_keep_theirs() {
        for title in [
            "Africa (Live)",
            "Africa - Acoustic",
            "Africa - Live / Remastered 2011",
            "Africa - X Remix",
            "Africa - X Remix - Radio Edit",
            "Africa - Spanish Version",
            "Africa - Club Mix",
            "Africa, Pt. 2",
            "Africa (2)",
            "Africa (Taylor's Version)",
        ] {
            assert_ne!(title_key(title), "africa", "{title}");
        }
        assert_ne!(title_key("Call (me"), title_key("Call"));
        assert_ne!(title_key("Song - Withered"), title_key("Song"));
        assert_ne!(title_key("\u{304b}\u{304d}"), title_key("\u{304c}\u{304d}"));
        assert_eq!(title_key("???"), "???");
        assert_eq!(title_key("(Remastered)"), "(remastered)");
    }

    #[test]
    fn one_song_is_written_in_several_ways() {
        for (one, other) in [
            (
                "(I Can't Get No) Satisfaction",
                "I Can’t Get No Satisfaction - Mono",
            ),
            ("Africa (Live)", "Africa - Live - Remastered 2011"),
            ("Africa - Tiësto Remix", "Africa (Tiesto Remix) [Radio Edit]"),
        ] {
            assert_eq!(title_key(one), title_key(other), "{one}");
        }
    }
}
