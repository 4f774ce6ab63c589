//! The stored form of companions.
//!
//! `SEGUECMP`, the format (u8), then numbers, all of them LEB128: 7 bits a byte, the lowest first, the high bit set on
//! all but the last byte, and no more bytes than are needed. First the listeners and the likes, then two tables, of artists
//! and of tracks. A table is the number of names; then for each name, in the order of their bytes: its length in bytes, its
//! bytes in UTF-8, how many listeners like it and how many companions it has; then for each name its companions, the
//! strongest first: the index of the companion in the table and how many listeners like both.
//!
//! Equal counts have equal bytes: whatever could be written in two ways is refused in all but one.

use domain::TrackId;

use super::table::{Companion, Table};
use super::{ARTIST_COMPANIONS_MAX, Companions, LIKES_COUNTED_MAX, TRACK_COMPANIONS_MAX};

const MAGIC: &[u8; 8] = b"SEGUECMP";
const FORMAT: u8 = 1;

/// Why bytes are no companions. Nothing was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CompanionsError {
    /// They do not start like them.
    #[error("these bytes are no companions")]
    Foreign,
    /// They were written in a format that this version does not know.
    #[error("the companions have format {0}, which is not known here")]
    UnknownFormat(u8),
    /// They end before they are complete.
    #[error("the companions end in the middle of {0}")]
    Truncated(&'static str),
    /// Something follows that does not belong to them.
    #[error("something follows the companions")]
    Surplus,
    /// A number or a text is not what it can be.
    #[error("in the companions, {0}")]
    OutOfRange(&'static str),
    /// The same could be said in another way, and that other way is how it is said.
    #[error("the companions are not in their canonical form: {0}")]
    NotCanonical(&'static str),
}

use CompanionsError::{NotCanonical, OutOfRange, Truncated};

impl Companions {
    /// The canonical bytes; their digest is [`Companions::digest`].
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.push(FORMAT);
        put(&mut out, self.listeners.into());
        put(&mut out, self.likes);
        put_table(&mut out, &self.artists);
        put_table(&mut out, &self.tracks);
        out
    }

    /// Reads what [`Companions::to_bytes`] wrote and checks all of it: what is read gives the same bytes again, and no bytes
    /// make a later call panic.
    ///
    /// # Errors
    /// [`CompanionsError`]; nothing was kept.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CompanionsError> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(CompanionsError::Foreign)?;
        let (format, rest) = rest.split_first().ok_or(Truncated("the format"))?;
        if *format != FORMAT {
            return Err(CompanionsError::UnknownFormat(*format));
        }
        let mut reader = Reader { rest };
        let listeners = reader.count("the listeners")?;
        let likes = reader.number("the likes")?;
        let fits = likes >= u64::from(listeners) && likes <= u64::from(listeners) * LIKES_COUNTED_MAX as u64;
        check(fits, OutOfRange("the likes do not fit the listeners"))?;
        let artists = reader.table(listeners, ARTIST_COMPANIONS_MAX)?;
        let tracks = reader.table(listeners, TRACK_COMPANIONS_MAX)?;
        check(reader.rest.is_empty(), CompanionsError::Surplus)?;
        let are_ids = tracks.names.iter().all(|id| TrackId::parse(id).is_ok());
        check(are_ids, OutOfRange("a track has an id that is none"))?;
        Ok(Self::assemble(listeners, likes, artists, tracks))
    }
}

fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn put_table(out: &mut Vec<u8>, table: &Table) {
    put(out, table.len() as u64);
    for index in 0..table.len() as u32 {
        let name = table.name(index);
        put(out, name.len() as u64);
        out.extend_from_slice(name.as_bytes());
        put(out, table.liked_by(index).into());
        put(out, table.companions(index).len() as u64);
    }
    for companion in &table.companions {
        put(out, companion.index.into());
        put(out, companion.both.into());
    }
}

fn check(holds: bool, error: CompanionsError) -> Result<(), CompanionsError> {
    if holds { Ok(()) } else { Err(error) }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn number(&mut self, what: &'static str) -> Result<u64, CompanionsError> {
        let mut number = 0;
        for place in 0..10 {
            let (byte, rest) = self.rest.split_first().ok_or(Truncated(what))?;
            self.rest = rest;
            let bits = u64::from(byte & 0x7f);
            check(place < 9 || bits <= 1, OutOfRange("a number exceeds 64 bits"))?;
            number |= bits << (7 * place);
            if byte & 0x80 == 0 {
                check(
                    bits != 0 || place == 0,
                    NotCanonical("a number has more bytes than it needs"),
                )?;
                return Ok(number);
            }
        }
        Err(OutOfRange("a number exceeds 64 bits"))
    }

    fn count(&mut self, what: &'static str) -> Result<u32, CompanionsError> {
        u32::try_from(self.number(what)?).map_err(|_| OutOfRange("a count exceeds 32 bits"))
    }

    fn text(&mut self, what: &'static str) -> Result<&'a str, CompanionsError> {
        let length = usize::try_from(self.number(what)?).map_err(|_| Truncated(what))?;
        let (text, rest) = self.rest.split_at_checked(length).ok_or(Truncated(what))?;
        self.rest = rest;
        std::str::from_utf8(text).map_err(|_| OutOfRange("a name is no text"))
    }

    fn table(&mut self, listeners: u32, companions_max: usize) -> Result<Table, CompanionsError> {
        let names = self.count("a table")?;
        let mut table = Table::default();
        for _ in 0..names {
            self.name(&mut table, listeners, companions_max)?;
        }
        check(
            table.names.is_strictly_sorted(),
            NotCanonical("the names are not in order"),
        )?;
        let both_min = Companions::both_min(listeners);
        for index in 0..names {
            self.companions(&mut table, index, both_min)?;
        }
        check_each_is_in_a_pair(&table)?;
        Ok(table)
    }

    /// The next name of `table`, how many like it, and where its companions will end.
    fn name(
        &mut self,
        table: &mut Table,
        listeners: u32,
        companions_max: usize,
    ) -> Result<(), CompanionsError> {
        let name = self.text("a name")?;
        check(!name.is_empty(), OutOfRange("a name is empty"))?;
        let fits = table.names.text().len() + name.len() <= u32::MAX as usize;
        check(fits, OutOfRange("the names exceed 4 GiB"))?;
        table.names.push(name);
        let liked_by = self.count("a count")?;
        check(
            (1..=listeners).contains(&liked_by),
            OutOfRange("something is liked by nobody or by more than there are"),
        )?;
        table.liked_by.push(liked_by);
        let companions = self.count("a count of companions")?;
        check(
            companions as usize <= companions_max,
            OutOfRange("something has too many companions"),
        )?;
        let end = table.ends.last().copied().unwrap_or(0).checked_add(companions);
        table
            .ends
            .push(end.ok_or(OutOfRange("there are more than 2^32 companions"))?);
        Ok(())
    }

    /// The companions of `index`.
    fn companions(&mut self, table: &mut Table, index: u32, both_min: u32) -> Result<(), CompanionsError> {
        let (start, end) = (table.companions.len(), table.ends[index as usize] as usize);
        for _ in start..end {
            let companion = Companion {
                index: self.count("a companion")?,
                both: self.count("a companion")?,
            };
            check_companion(table, index, companion, both_min)?;
            if let Some(before) = table.companions[start..].last() {
                let order = Table::by_strength(&table.liked_by, *before, companion);
                check(order.is_lt(), NotCanonical("companions are not in order"))?;
            }
            table.companions.push(companion);
        }
        let mut indices: Vec<u32> = table.companions[start..].iter().map(|one| one.index).collect();
        indices.sort_unstable();
        let are_distinct = indices.windows(2).all(|two| two[0] != two[1]);
        check(are_distinct, OutOfRange("a companion is named twice"))
    }
}

fn check_companion(
    table: &Table,
    of: u32,
    companion: Companion,
    both_min: u32,
) -> Result<(), CompanionsError> {
    let Companion { index, both } = companion;
    let is_another = (index as usize) < table.len() && index != of;
    check(
        is_another,
        OutOfRange("a companion is nothing or the thing itself"),
    )?;
    let both_max = table.liked_by(of).min(table.liked_by(index));
    check(
        (both_min..=both_max).contains(&both),
        OutOfRange("a pair is liked by fewer than may be told or by more than like each"),
    )
}

fn check_each_is_in_a_pair(table: &Table) -> Result<(), CompanionsError> {
    let mut is_in_a_pair: Vec<bool> = (0..table.len() as u32)
        .map(|index| !table.companions(index).is_empty())
        .collect();
    for companion in &table.companions {
        is_in_a_pair[companion.index as usize] = true;
    }
    check(
        is_in_a_pair.into_iter().all(|is| is),
        NotCanonical("something is in no pair"),
    )
}
