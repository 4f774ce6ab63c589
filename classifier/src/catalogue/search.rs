//! Finding tracks by text.

use super::Catalogue;

/// A page of a search.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// Indices of tracks, rising.
    pub tracks: Vec<u32>,
    /// Where the next page begins; absent at the end.
    pub next: Option<u32>,
}

impl Catalogue {
    /// The first `limit` tracks from index `from` on whose name, or an artist's name, contains `text` in any mixture
    /// of upper and lower case; all tracks without `text`.
    #[must_use]
    pub fn search(&self, text: Option<&str>, from: u32, limit: usize) -> Page {
        let text = text
            .map(|text| text.trim().to_lowercase())
            .filter(|text| !text.is_empty());
        let mut page = Page::default();
        let mut at = from as usize;
        let mut matcher = text.as_deref().map(|text| Matcher::new(self, text));
        let mut next = |at| match &mut matcher {
            Some(matcher) => matcher.next(at),
            None => (at < self.len()).then_some(at),
        };
        while let Some(index) = next(at) {
            if page.tracks.len() == limit {
                page.next = Some(index as u32);
                break;
            }
            page.tracks.push(index as u32);
            at = index + 1;
        }
        page
    }
}

struct Matcher<'a> {
    catalogue: &'a Catalogue,
    text: &'a str,
    artists: Vec<bool>,
    has_artist: bool,
    /// The first match by name at or after the place asked for last; `None` before the first question.
    by_name: Option<Option<usize>>,
}

impl<'a> Matcher<'a> {
    fn new(catalogue: &'a Catalogue, text: &'a str) -> Self {
        let artists: Vec<bool> = catalogue
            .derived
            .folded_artists
            .iter()
            .map(|artist| artist.contains(text))
            .collect();
        let has_artist = artists.contains(&true);
        Self {
            catalogue,
            text,
            artists,
            has_artist,
            by_name: None,
        }
    }

    /// The first match at or after `from`, which never falls from call to call.
    fn next(&mut self, from: usize) -> Option<usize> {
        let by_name = match self.by_name {
            Some(known) if known.is_none_or(|track| track >= from) => known,
            _ => self.next_by_name(from),
        };
        self.by_name = Some(by_name);
        if !self.has_artist {
            return by_name;
        }
        let end = by_name.unwrap_or(self.catalogue.len());
        (from..end).find(|&track| self.is_by_artist(track)).or(by_name)
    }

    fn is_by_artist(&self, track: usize) -> bool {
        self.catalogue
            .artists_of(track as u32)
            .iter()
            .any(|&artist| self.artists[artist as usize])
    }

    /// Searches all names at once: they stand end to end in one text.
    fn next_by_name(&self, from: usize) -> Option<usize> {
        let names = &self.catalogue.derived.folded_names;
        let mut from = from;
        while from < names.len() {
            let start = names.start(from);
            let at = start + names.text()[start..].find(self.text)?;
            let name = names.index_at(at);
            if names.get(name).contains(self.text) {
                return Some(name);
            }
            // The match ran over the end of a name.
            from = name + 1;
        }
        None
    }
}
