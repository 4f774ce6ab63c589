//! When the listener's music came out: around which weeks, and within which span.
//!
//! ```text
//! weeks = ln((h / n + a g / N + e) / ((1 + a) g / N + e))      h, g: likes and songs of the catalogue around a week
//! span  = -ln(1 + days outside the middle nine tenths of the liked days / 365)
//! ```

use super::likes::Likes;
use super::weights::{CELL_PRIOR, SHARE_MIN, SPAN, WEEKS};
use crate::catalogue::Catalogue;
use crate::catalogue::statistics::Weeks;
use crate::numbers::ln;

/// The shares of likes that may lie before and after the span.
const OUTSIDE: f64 = 0.05;
const YEAR_DAYS: f64 = 365.0;

/// A value for each release date, by its number; `None` when the catalogue has none that can be read.
pub(super) fn table(catalogue: &Catalogue, likes: &Likes) -> Option<Vec<f64>> {
    let statistics = catalogue.statistics();
    if statistics.days.iter().all(Option::is_none) {
        return None;
    }
    let day_of = |date: &u32| statistics.days.get(*date as usize).copied().flatten();
    let liked: Vec<(i32, f64)> = likes
        .dates
        .iter()
        .filter_map(|(date, mass)| Some((day_of(date)?, mass.liked)))
        .filter(|(_, mass)| *mass > 0.0)
        .collect();
    if liked.is_empty() {
        return Some(vec![0.0; statistics.days.len()]);
    }
    let total: f64 = liked.iter().map(|(_, mass)| mass).sum();
    let around = Weeks::of(liked.iter().copied());
    let span = Span::of(liked);
    let value = |day: i32| {
        let share = statistics.weeks.at(day) / f64::from(statistics.songs.max(1));
        WEEKS * lift(around.at(day) / total, share) - SPAN * ln(1.0 + span.days_outside(day) / YEAR_DAYS)
    };
    Some(statistics.days.iter().map(|day| day.map_or(0.0, value)).collect())
}

/// How much larger a share is among likes than in the catalogue, as a logarithm that a little pseudo-evidence holds near 0.
pub(super) fn lift(among_likes: f64, in_catalogue: f64) -> f64 {
    ln((among_likes + CELL_PRIOR * in_catalogue + SHARE_MIN)
        / ((1.0 + CELL_PRIOR) * in_catalogue + SHARE_MIN))
}

/// The days between which most likes lie.
struct Span {
    first: f64,
    last: f64,
}

impl Span {
    /// Of days with how much is liked of each; not empty.
    fn of(mut days: Vec<(i32, f64)>) -> Self {
        days.sort_unstable_by_key(|(day, _)| *day);
        Self {
            first: quantile(&days, OUTSIDE),
            last: quantile(&days, 1.0 - OUTSIDE),
        }
    }

    fn days_outside(&self, day: i32) -> f64 {
        let day = f64::from(day);
        (self.first - day).max(day - self.last).max(0.0)
    }
}

/// The weighted quantile of days in order; between two days it is taken on the line from one's middle to the other's.
fn quantile(days: &[(i32, f64)], share: f64) -> f64 {
    let total: f64 = days.iter().map(|(_, mass)| mass).sum();
    let wanted = share * total;
    let mut below = 0.0;
    let mut last: Option<(f64, f64)> = None;
    for &(day, mass) in days {
        let (middle, day) = (below + mass / 2.0, f64::from(day));
        if middle >= wanted {
            return last.map_or(day, |(before, earlier)| {
                earlier + (day - earlier) * (wanted - before) / (middle - before)
            });
        }
        last = Some((middle, day));
        below += mass;
    }
    last.map_or(0.0, |(_, day)| day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_the_days() {
        let days = [(0, 1.0), (10, 1.0), (20, 2.0)];
        assert_eq!(quantile(&days, 0.0), 0.0);
        assert_eq!(quantile(&days, 0.375), 10.0);
        assert!((quantile(&days, 0.25) - 5.0).abs() < 1e-12);
        assert_eq!(quantile(&days, 1.0), 20.0);
        assert_eq!(quantile(&[(7, 0.5)], 0.95), 7.0);
    }

    #[test]
    fn only_days_outside_the_span_are_outside() {
        let span = Span {
            first: 10.0,
            last: 20.0,
        };
        assert_eq!(
            (span.days_outside(3), span.days_outside(15), span.days_outside(24)),
            (7.0, 0.0, 4.0)
        );
    }
}
