//! From likes to pairs.

use std::sync::Arc;

use super::likes::{Liked, Likes};
use super::table::{Companion, Table};
use super::{ARTIST_COMPANIONS_MAX, Companions, LIKES_COUNTED_MAX, TRACK_COMPANIONS_MAX};
use crate::strings::Strings;

/// A listener's things of one kind: numbers, sorted, each once.
type Basket = Vec<u32>;

pub(super) struct Counted {
    pub(super) listeners: u32,
    pub(super) likes: u64,
    pub(super) artists: Table,
    pub(super) tracks: Table,
}

/// `None` when `goes_on`, which is asked for each thing, says no.
pub(super) fn count(likes: &Likes, goes_on: &impl Fn() -> bool) -> Option<Counted> {
    let counted = counted_likes(likes);
    let listeners = counted.len() as u32;
    let both_min = Companions::both_min(listeners);
    let tracks: Vec<Basket> = counted.iter().map(|liked| tracks_of(liked)).collect();
    let artists: Vec<Basket> = counted.iter().map(|liked| artists_of(likes, liked)).collect();
    let artist_rule = Rule {
        both_min,
        companions_max: ARTIST_COMPANIONS_MAX,
    };
    let track_rule = Rule {
        both_min,
        companions_max: TRACK_COMPANIONS_MAX,
    };
    Some(Counted {
        listeners,
        likes: tracks.iter().map(|basket| basket.len() as u64).sum(),
        artists: table(likes.artist_names(), &artists, artist_rule, goes_on)?,
        tracks: table(likes.track_names(), &tracks, track_rule, goes_on)?,
    })
}

/// Which pairs are kept.
#[derive(Clone, Copy)]
struct Rule {
    /// The listeners that the two have in common at least.
    both_min: u32,
    /// Companions of one thing at most.
    companions_max: usize,
}

/// Each listener's likes that count, as track and list of artists.
fn counted_likes(likes: &Likes) -> Vec<Vec<(u32, u32)>> {
    let names = likes.track_names();
    let liked_by = listeners_of_each(names.len(), likes.liked().map(|liked| liked.keys().copied()));
    let counted = |liked: &Liked| {
        let mut counted: Vec<(u32, u32)> = liked.iter().map(|(track, artists)| (*track, *artists)).collect();
        if counted.len() > LIKES_COUNTED_MAX {
            counted.sort_unstable_by(|(a, _), (b, _)| {
                let most_liked = liked_by[*b as usize].cmp(&liked_by[*a as usize]);
                most_liked.then_with(|| names[*a as usize].cmp(&names[*b as usize]))
            });
            counted.truncate(LIKES_COUNTED_MAX);
        }
        counted
    };
    likes.liked().map(counted).collect()
}

fn tracks_of(liked: &[(u32, u32)]) -> Basket {
    sorted_once(liked.iter().map(|(track, _)| *track).collect())
}

fn artists_of(likes: &Likes, liked: &[(u32, u32)]) -> Basket {
    let lists = liked.iter().map(|(_, list)| likes.artists_of(*list));
    sorted_once(lists.flatten().copied().collect())
}

fn sorted_once(mut numbers: Vec<u32>) -> Basket {
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

fn listeners_of_each(things: usize, baskets: impl Iterator<Item = impl Iterator<Item = u32>>) -> Vec<u32> {
    let mut listeners = vec![0; things];
    for thing in baskets.flatten() {
        listeners[thing as usize] += 1;
    }
    listeners
}

/// The companions of everything in `baskets`, whose numbers stand for `names`.
fn table(names: &[Arc<str>], baskets: &[Basket], rule: Rule, goes_on: &impl Fn() -> bool) -> Option<Table> {
    let (in_order, baskets) = by_name(names, baskets);
    let liked_by = listeners_of_each(
        in_order.len(),
        baskets.iter().map(|basket| basket.iter().copied()),
    );
    let mut rows = Rows::new(&baskets, &liked_by, rule);
    let row = |thing| goes_on().then(|| rows.row(thing));
    let rows: Vec<Vec<Companion>> = (0..liked_by.len() as u32).map(row).collect::<Option<_>>()?;
    Some(assemble(&in_order, &liked_by, rows))
}

/// The names that occur in `baskets`, sorted, and the baskets with places in that order for numbers.
fn by_name<'a>(names: &'a [Arc<str>], baskets: &[Basket]) -> (Vec<&'a str>, Vec<Basket>) {
    let numbers = sorted_once(baskets.iter().flatten().copied().collect());
    let mut named: Vec<(&str, u32)> = numbers
        .into_iter()
        .map(|number| (&*names[number as usize], number))
        .collect();
    named.sort_unstable();
    let mut places = vec![0; names.len()];
    for (place, (_, number)) in (0..).zip(&named) {
        places[*number as usize] = place;
    }
    let replaced =
        |basket: &Basket| sorted_once(basket.iter().map(|number| places[*number as usize]).collect());
    let baskets = baskets.iter().map(replaced).collect();
    (named.into_iter().map(|(name, _)| name).collect(), baskets)
}

/// Finds the companions of one thing after the other.
struct Rows<'a> {
    baskets: &'a [Basket],
    /// The baskets that each thing is in.
    holders: Vec<Vec<u32>>,
    liked_by: &'a [u32],
    rule: Rule,
    /// How many listeners each thing has in common with the current one; all zero between two of them.
    both: Vec<u32>,
}

impl<'a> Rows<'a> {
    fn new(baskets: &'a [Basket], liked_by: &'a [u32], rule: Rule) -> Self {
        let mut holders: Vec<Vec<u32>> = liked_by
            .iter()
            .map(|count| Vec::with_capacity(*count as usize))
            .collect();
        for (holder, basket) in (0..).zip(baskets) {
            basket
                .iter()
                .for_each(|thing| holders[*thing as usize].push(holder));
        }
        Self {
            baskets,
            holders,
            liked_by,
            rule,
            both: vec![0; liked_by.len()],
        }
    }

    fn row(&mut self, thing: u32) -> Vec<Companion> {
        let mut met = Vec::new();
        for holder in &self.holders[thing as usize] {
            for other in &self.baskets[*holder as usize] {
                let both = &mut self.both[*other as usize];
                if *both == 0 {
                    met.push(*other);
                }
                *both += 1;
            }
        }
        let mut row = Vec::new();
        for index in met {
            let both = std::mem::take(&mut self.both[index as usize]);
            if index != thing && both >= self.rule.both_min {
                row.push(Companion { index, both });
            }
        }
        row.sort_unstable_by(|a, b| Table::by_strength(self.liked_by, *a, *b));
        row.truncate(self.rule.companions_max);
        row
    }
}

/// Leaves out what is in no pair, and numbers the rest anew; the order stays.
fn assemble(names: &[&str], liked_by: &[u32], rows: Vec<Vec<Companion>>) -> Table {
    let mut is_kept: Vec<bool> = rows.iter().map(|row| !row.is_empty()).collect();
    for companion in rows.iter().flatten() {
        is_kept[companion.index as usize] = true;
    }
    let mut places = vec![0; names.len()];
    let mut kept = 0;
    for (place, is_kept) in places.iter_mut().zip(&is_kept) {
        *place = kept;
        kept += u32::from(*is_kept);
    }
    let mut table = Table {
        names: Strings::with_capacity(kept as usize, kept as usize * 16),
        ..Table::default()
    };
    for (index, row) in rows.into_iter().enumerate().filter(|(index, _)| is_kept[*index]) {
        table.names.push(names[index]);
        table.liked_by.push(liked_by[index]);
        table
            .companions
            .extend(row.into_iter().map(|companion| Companion {
                index: places[companion.index as usize],
                ..companion
            }));
        table.ends.push(table.companions.len() as u32);
    }
    table
}
